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
_LEANING = 0.2  # correlation of places
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
    """Said where whole particles are, on the average, longer or shorter along one axis than along the two others, and
    these are alike: voxels are no cubes, or slices are lost. Or where they lean alike: slices or rows are shifted, each
    against the one before. labels (z, y, x).
    """
    boxes = boxes_of(labels)
    sizes: list[tuple[float, float, float]] = []
    leans: list[tuple[float, float, float]] = []
    whole = [int(str(row[Particle.particle_id.name])) for row in rows if not row[Particle.touches_boundary.name]]
    for number in whole[:_LOOKED_AT]:
        box = boxes[number - 1] if number <= len(boxes) else None
        if box is None:
            continue
        places = np.nonzero(labels[box] == number)
        if len(places[0]) < _LEAST_VOXELS:
            continue
        spread = np.cov(np.array(places))
        z, y, x = (math.sqrt(one) for one in np.diag(spread))
        if min(z, y, x) > 0:
            sizes.append((math.log(z), math.log(y), math.log(x)))
            leans.append((float(spread[0, 1] / (z * y)), float(spread[0, 2] / (z * x)), float(spread[1, 2] / (y * x))))
    if len(sizes) < _FEWEST:
        return ()
    return (*_longer(np.array(sizes)), *_leaning(np.array(leans)))


def _longer(sizes: NDArray[np.float64]) -> tuple[str, ...]:
    found: list[tuple[float, str]] = []
    # Along z alone: flakes lie flat on the tape, which stands along z, so that all are short along y or x.
    for n, axis in enumerate("z"):
        others = np.delete(sizes, n, axis=1)
        along, across = sizes[:, n] - others.mean(axis=1), others[:, 0] - others[:, 1]
        mean, error = float(along.mean()), float(np.std(along, ddof=1)) / math.sqrt(len(along))
        if abs(mean) >= max(_STRETCHED, _SIGMAS * error, 2 * abs(float(across.mean()))):
            found.append((mean, axis))
    if not found:
        return ()
    mean, axis = max(found, key=lambda one: abs(one[0]))
    rest, cause = (
        ("across", "slices are not as far apart as pixels, or some are lost -> state the distance of the slices in the "
         "file, or bring all of them")
        if axis == "z"
        else ("along the others", "voxels are no cubes -> state all three of their edges in the file")
    )  # fmt: skip
    return (
        f"stretched: {len(sizes)} whole particles are {math.exp(mean):.2f} times as long along {axis} as {rest} (limit "
        f"within {100 * _STRETCHED:.0f} %): unless they lie so, {cause}",
    )


def _leaning(leans: NDArray[np.float64]) -> tuple[str, ...]:
    mean = leans.mean(axis=0)
    error = np.std(leans, axis=0, ddof=1) / math.sqrt(len(leans))
    n = int(np.argmax(np.abs(mean)))
    if abs(mean[n]) < max(_LEANING, _SIGMAS * float(error[n])):
        return ()
    one, other = (("y", "z"), ("x", "z"), ("x", "y"))[n]
    what = "slice" if other == "z" else "row"
    return (
        f"sheared: {len(leans)} whole particles lean alike, towards {one} along {other} (correlation {mean[n]:+.2f}, "
        f"limit within {_LEANING:g}): unless they lie so, each {what} is shifted against the last -> bring them as "
        "they were reconstructed",
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
