"""Whether the particles of a volume are of one grey each, and of the same: half-way between two levels is the surface
of a body of one level.

Three things speak against that: particles of another attenuation than the one that sets the threshold; a grey within
them that varies by more than noise does (a graded density, a second phase, pores too small to be seen one by one); and
an edge that is no blurred step: less dense matter all around a particle, or a particle that thins out to its rim.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.crop import CROFTON_SCATTER_VOXELS
from xrm_control.analysis.distance import depth_of
from xrm_control.analysis.label_expansion import boxes_of, grown_box
from xrm_control.analysis.particle_rows import Row
from xrm_control.analysis.threshold import BoolVolume, FloatVolume
from xrm_control.contracts.quality import QualityMetrics
from xrm_control.contracts.tables import Particle

_SOLID = 1  # of the phases
_LOOKED_AT, _LARGEST_BOX = 80, 4_000_000
_MARGIN = 10
_CORE_VOXELS, _RIM_VOXELS, _LEAST = 2.5, (1.6, 2.6), 60
_FAR_VOXELS = (6.0, 10.0)
_MEAN_OF = 3  # voxels along each side, of which a mean is taken
_CORRELATED = 60.0  # voxels that vary together in such means
_VARIES, _EDGE = 0.055, 0.08  # of the contrast: a surface is then up to a tenth of the blur off, and more
_SIGMAS = 3.0
_SHARE = 0.10
_PIT_VOXELS, _LID_VOXELS, _LEAST_LID, _NOISE_VOXELS, _LID = 4.0, (2.2, 1.5, 4.0), 6, 6.0, 0.06
_OVERSHOOT, _WIDE_FWHM = 0.12, 3.3  # of the contrast; voxels
_EDGED = 0.06  # of the area
_OTHER, _OTHER_SIGMAS, _OTHER_VOXELS = 0.10, 5.0, 10.0
_SIGMA_OF_FWHM = 1 / 2.3548
_WIDEST_FWHM = 6.9  # voxels: as wide as an edge is measured at all


@dataclass(frozen=True)
class GreyWithin:
    """How one particle departs from a blurred step, in units of the contrast. varies: standard deviation of means of
    27 voxels in its core, without what noise makes, 0 where that is not sure; beside: grey two voxels outside of it,
    over that further out; lacking: what is missing of its core's grey two voxels inside; both less what blur explains;
    lid: grey above the mouths of its pits, over that as far from it elsewhere, 0 where that is not sure.
    """

    varies: float
    beside: float
    lacking: float
    lid: float


def grey_within(
    volume: FloatVolume, labels: NDArray[np.integer], phases: NDArray[np.integer], inside: BoolVolume,
    quality: QualityMetrics, voxel_um: float, cracked: Collection[int] = (),
) -> tuple[GreyWithin, ...]:  # fmt: skip
    """Of up to 80 particles that have a core. volume, labels, phases: (z, y, x); inside (y, x): the field; cracked:
    numbers of particles whose grey a crack has changed, which are told as such."""
    low, high = quality.background_mode_per_um, quality.particle_mode_per_um
    if low is None or high is None or not high > low:
        return ()
    sigma = (quality.edge_blur_fwhm_um or 0.0) * _SIGMA_OF_FWHM / voxel_um
    blurred = 0.5 * math.erfc(sum(_RIM_VOXELS) / 2 / math.sqrt(2) / max(sigma, 0.3))
    boxes = [
        (number, box) for number, box in enumerate(boxes_of(labels), 1) if box is not None and number not in cracked
    ]
    chosen = [boxes[i] for i in np.unique(np.linspace(0, len(boxes) - 1, min(len(boxes), _LOOKED_AT)).astype(int))]
    found = []
    for number, box in chosen:
        wide = grown_box(box, volume.shape, _MARGIN)
        if math.prod(part.stop - part.start for part in wide) <= _LARGEST_BOX:
            one = _of_one(
                (np.asarray(volume[wide], np.float32) - np.float32(low)) / np.float32(high - low),
                np.asarray(labels[wide]), np.asarray(phases[wide]), number, inside[wide[1:]], blurred,
            )  # fmt: skip
            if one is not None:
                found.append(one)
    return tuple(found)


def _of_one(
    grey: FloatVolume, labels: NDArray[np.integer], phases: NDArray[np.integer], number: int, inside: BoolVolume,
    blurred: float,
) -> GreyWithin | None:  # fmt: skip
    from scipy import ndimage

    own = labels == number
    others = (labels > 0) & ~own
    outside, depth = depth_of(~own), depth_of(own & (phases == _SOLID))
    # Nearer to it than to any other particle.
    free = (labels == 0) & inside & (outside <= depth_of(~others) if others.any() else True)
    core, far = depth > _CORE_VOXELS, free & (outside >= _FAR_VOXELS[0]) & (outside < _FAR_VOXELS[1])
    if np.count_nonzero(core) < _LEAST or np.count_nonzero(far) < _LEAST:
        return None
    smooth = ndimage.uniform_filter(grey, _MEAN_OF)
    noise = float(np.var(smooth[far]))
    more = float(np.var(smooth[core])) - noise
    sure = _SIGMAS * noise * math.sqrt(2 * _CORRELATED / np.count_nonzero(core))
    low, high = _RIM_VOXELS
    rim, shell = free & (outside >= low) & (outside < high), own & (depth >= low) & (depth < high)
    beside = lacking = 0.0
    # Quantiles beyond the middle: what lies on one side alone, as a substrate does, is no shell.
    if np.count_nonzero(rim) >= _LEAST:
        beside = float(np.quantile(grey[rim], 0.4) - np.median(grey[far])) - blurred
    if np.count_nonzero(shell) >= _LEAST:
        lacking = float(np.median(grey[core]) - np.quantile(grey[shell], 0.6)) - blurred
    return GreyWithin(math.sqrt(more) if more > sure else 0.0, beside, lacking, _lid(grey, own, outside, free, far))


def _lid(grey: FloatVolume, own: BoolVolume, outside: FloatVolume, free: BoolVolume, far: BoolVolume) -> float:
    """A wall thinner than a voxel over a void is below the threshold, and the void a pit; over an open pit is nothing."""
    if not own.all(axis=(1, 2)).any() and min(own.shape) > 2 * _PIT_VOXELS:
        closed = depth_of(outside <= _PIT_VOXELS) > _PIT_VOXELS
    else:
        return 0.0
    beyond = depth_of(~(closed | own))
    at = free & (outside >= _LID_VOXELS[0])
    mouth, control = at & (beyond <= _LID_VOXELS[1]), at & (outside < _LID_VOXELS[2]) & (beyond > _LID_VOXELS[1] + 0.5)
    count = np.count_nonzero(mouth)
    if count < _LEAST_LID or np.count_nonzero(control) < _LEAST:
        return 0.0
    more = float(np.mean(grey[mouth])) - float(np.mean(grey[control]))
    return more if more > _SIGMAS * float(np.std(grey[far])) * math.sqrt(_NOISE_VOXELS / count) else 0.0


def not_one_grey(found: Sequence[GreyWithin], quality: QualityMetrics, voxel_um: float) -> tuple[str, ...]:
    """What is to be doubted of the particles' own greys, each in a sentence."""
    said: list[str] = []
    width = (quality.edge_blur_fwhm_um or 0.0) / voxel_um
    if width >= _WIDEST_FWHM:
        said.append(
            f"edges that are no edges: from particle to ground the grey takes {width:.1f} voxels and more, so that where "
            "half-way is depends on what lies around: shells or matter of a third level, or a blur that these voxels do "
            "not call for -> look at the slices; measure at a fixed threshold, or in coarser voxels"
        )
    elif width > _WIDE_FWHM:
        said.append(
            f"blur: from particle to ground the grey takes {width:.1f} voxels (limit {_WIDE_FWHM:g}), where volumes of voids "
            "and dead volume read up to a fifth too small -> take finer voxels, or focus"
        )
    if found and float(np.median([one.lacking for one in found])) < -_OVERSHOOT:
        said.append(
            "edges overshoot: two voxels inside of half of the particles their grey is "
            f"{-np.median([one.lacking for one in found]):.0%} of the contrast above their core's (limit {_OVERSHOOT:.0%}):"
            " sharpened, phase contrast, or cupping; volumes of voids and dead volume are then off by a tenth and more"
            " -> measure what was not sharpened, or retrieve the phase"
        )
    lids = [one.lid for one in found if one.lid > _LID]
    if _many(len(lids), len(found)):
        said.append(
            f"thin walls: over pits of {len(lids)} of {len(found)} particles there is {np.median(lids):.0%} of the contrast, as "
            "of walls thinner than a voxel: voids behind them are no voids in these numbers, and not of the volume"
            " -> take finer voxels"
        )
    varies = [one.varies for one in found if one.varies > _VARIES]
    if _many(len(varies), len(found)):
        said.append(
            f"not of one grey: within {len(varies)} of {len(found)} particles the grey varies by {np.median(varies):.0%} "
            f"of the contrast besides noise (limit {_VARIES:.1%}): a graded density, another phase within, cracks, or pores too "
            "small to be counted; sizes rest on one level for each, and dead volume is of the voids that are seen"
            " -> look at the slices"
        )
    around = [one.beside for one in found if one.beside > _EDGE]
    if _many(len(around), len(found)):
        said.append(
            f"less dense matter around the particles: two voxels outside of {len(around)} of {len(found)} the grey is "
            f"still {np.median(around):.0%} of the contrast above the ground (limit {_EDGE:.0%}): a shell or a matrix "
            "that is not counted, and sizes are of the dense part -> give a fixed threshold if it belongs to them"
        )
    thin = [one.lacking for one in found if one.lacking > _EDGE]
    if _many(len(thin), len(found)):
        said.append(
            f"particles thin out to their rims: two voxels inside of {len(thin)} of {len(found)} {np.median(thin):.0%} of "
            f"the core's grey is missing (limit {_EDGE:.0%}), so half of the core's is not where they end -> give a "
            "fixed threshold"
        )
    return tuple(said)


def other_matter(rows: Sequence[Row], quality: QualityMetrics, voxel_um: float) -> tuple[str, ...]:
    """Said where more than a tenth of the whole particles attenuate otherwise than the level that sets the threshold."""
    low, high = quality.background_mode_per_um, quality.particle_mode_per_um
    name, size = Particle.mean_attenuation_per_um.name, Particle.equivalent_diameter_um.name
    if low is None or high is None or not high > low:
        return ()
    known = [
        (float(row[name]), float(row.get(f"{name}_u", 0.0)))
        for row in rows
        if not row[Particle.touches_boundary.name] and float(row[size]) >= _OTHER_VOXELS * voxel_um and name in row
    ]
    odd = [mu for mu, u in known if abs(mu - high) > max(_OTHER * (high - low), _OTHER_SIGMAS * u)]
    if not _many(len(odd), len(known)):
        return ()
    return (
        f"other matter: {len(odd)} of {len(known)} particles have {(min(odd) - low) / (high - low):.0%} to "
        f"{(max(odd) - low) / (high - low):.0%} of the contrast by which the threshold is set (limit within {_OTHER:.0%}):"
        " more than one material, and one threshold is half-way for one of them -> measure each material apart",
    )


def made_by_noise(
    volume: FloatVolume, phases: NDArray[np.integer], inside: BoolVolume, level: float, smallest: float, whole: int
) -> tuple[str, ...]:
    """Said where noise as far below the ground as the threshold is above it makes bodies of `smallest` voxels, too."""
    import cc3d

    ground = float(np.median(volume[(phases == 0) & inside]))
    dark = (volume < 2 * ground - level) & inside
    counts = np.bincount(np.asarray(cc3d.connected_components(dark, connectivity=6)).ravel())[1:]
    bodies = int(np.count_nonzero(counts >= smallest))
    if not _many(bodies, whole):
        return ()
    return (
        f"noise: as far below the ground as the threshold is above it {bodies} bodies of at least {smallest:.0f} voxels "
        f"are found, which noise alone has made; so many of the {whole} whole particles may be none -> smooth the "
        "volume, take more light, or raise min_particle_um",
    )


def rounded_edges(rows: Sequence[Row], voxel_um: float) -> tuple[str, ...]:
    """Said where blur has rounded the edges of most whole particles, so that area and sphericity are a lot's bias."""
    name, size = Particle.sphericity.name, Particle.equivalent_diameter_um.name
    lost = []
    for row in rows:
        value = float(str(row.get(name, "nan")))
        if row[Particle.touches_boundary.name] or not value > 0:
            continue
        scatter = CROFTON_SCATTER_VOXELS / (float(str(row[size])) / 2 / voxel_um)
        relative = float(str(row.get(f"{name}_u", 0.0))) / value
        lost.append(math.sqrt(max(relative**2 - scatter**2, 0.0)))
    if not lost or np.median(lost) <= _EDGED:
        return ()
    return (
        f"edges: of half of the particles blur has rounded so much that surface areas may be {np.median(lost):.0%} to "
        f"{2 * np.median(lost):.0%} too small and sphericities as much too high (limit {_EDGED:.0%}): faces and corners, "
        "or texture as fine as the blur; volumes and diameters keep theirs -> take finer voxels",
    )


def _many(odd: int, among: int) -> bool:
    """More than one, and more than a tenth; the only one, or one of two, too."""
    return odd > max(1.0, _SHARE * among) or 0 < among <= 2 and odd > 0
