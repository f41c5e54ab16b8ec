"""What the shapes of all particles together say against a volume: cut off in one slice, or stretched along z."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.label_expansion import boxes_of
from xrm_control.analysis.particle_rows import Row
from xrm_control.contracts.quality import QualityMetrics
from xrm_control.contracts.tables import Particle

_LEAST_VOXELS, _LEAST_BODIES, _LOOKED_AT = 30, 3, 200
_GONE = 0.1  # of a section that goes on in the next slice
_CAP = 1.5  # of its area, the next slice inwards: the last one of a cap is at most half as large
_STRETCHED, _SIGMAS, _FEWEST = 0.15, 4.0, 5  # natural logarithm
_BELOW = 0.15  # of the contrast


def cut_at_once(phases: NDArray[np.number]) -> tuple[str, ...]:
    """Said where all that a slice (y, x) shows ends there, three bodies and more: the next slices are not its own.

    phases (z, y, x): above 0 in particles.
    """
    from scipy import ndimage

    shown = phases > 0
    area = np.count_nonzero(shown, axis=(1, 2))
    both = np.count_nonzero(shown[1:] & shown[:-1], axis=(1, 2))
    for z in np.flatnonzero(both < _GONE * np.maximum(area[1:], area[:-1])):
        full = int(z if area[z] >= area[z + 1] else z + 1)
        other = int(2 * z + 1 - full)
        sections: NDArray[np.int32] = np.empty(shown[full].shape, np.int32)
        ndimage.label(shown[full], output=sections)
        sizes = np.bincount(sections.ravel())[1:]
        going_on = np.bincount(sections[shown[other]], minlength=len(sizes) + 1)[1:]
        ending = (sizes >= _LEAST_VOXELS) & (going_on < _GONE * sizes)
        inner = 2 * full - other
        if ending.any() and 0 <= inner < len(shown):
            ending &= _goes_on_into(shown[inner], sections, len(sizes)) < _CAP * sizes
        if np.count_nonzero(ending) >= _LEAST_BODIES:
            many = np.count_nonzero(ending)
            return (
                f"a cut: all {many} bodies that slice {full} shows end there, and slice {other} has none of them: "
                "slices are lost, or in another order -> put the parts together anew, or crop to one of them",
            )
    return ()


def _goes_on_into(inner: NDArray[np.bool_], sections: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """Area, in the next slice inwards, of what each of the numbered sections is a part of."""
    from scipy import ndimage

    parts: NDArray[np.int32] = np.empty(inner.shape, np.int32)
    ndimage.label(inner, output=parts)
    areas = np.bincount(parts.ravel())
    areas[0] = 0
    return np.array([areas[np.unique(parts[sections == one])].sum() for one in range(1, count + 1)])


def stretched(labels: NDArray[np.integer], rows: Sequence[Row]) -> tuple[str, ...]:
    """Said where whole particles are, on the average, longer or shorter along z than along y and x, and these are
    alike: the slices are further apart, or nearer, than pixels are. labels (z, y, x).
    """
    boxes = boxes_of(labels)
    along, across = [], []
    whole = [int(str(row[Particle.particle_id.name])) for row in rows if not row[Particle.touches_boundary.name]]
    for number in whole[:_LOOKED_AT]:
        box = boxes[number - 1] if number <= len(boxes) else None
        if box is None:
            continue
        places = np.nonzero(labels[box] == number)
        z, y, x = (float(np.std(place)) for place in places)
        if len(places[0]) >= _LEAST_VOXELS and min(z, y, x) > 0:
            along.append(math.log(z / math.sqrt(y * x)))
            across.append(math.log(y / x))
    if len(along) < _FEWEST:
        return ()
    mean, error = float(np.mean(along)), float(np.std(along, ddof=1)) / math.sqrt(len(along))
    if abs(mean) < max(_STRETCHED, _SIGMAS * error, 2 * abs(float(np.mean(across)))):
        return ()
    return (
        f"stretched: {len(along)} whole particles are {math.exp(mean):.2f} times as long along z as across (limit "
        f"within {100 * _STRETCHED:.0f} %): unless they lie so, slices are not as far apart as pixels, or some are "
        "lost -> state the distance of the slices in the file, or bring all of them",
    )


def below_nothing(quality: QualityMetrics, grey: str) -> tuple[str, ...]:
    """Said where what is around the particles attenuates less than nothing; grey: unit of the values."""
    low, high = quality.background_mode_per_um, quality.particle_mode_per_um
    if grey != "1/um" or low is None or high is None or low >= -_BELOW * (high - low):
        return ()
    limit = f"{-_BELOW * (high - low):.2g}"
    return (
        f"no attenuation: around the particles it is {low:.3g} 1/um, within {high:.3g} (limit {limit}), and nothing "
        "attenuates less than a vacuum: an offset was taken off, or these are logarithms or other grey values -> give "
        "the volume in 1/um; do not use its attenuation",
    )
