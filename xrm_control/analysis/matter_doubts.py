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
from xrm_control.analysis.reach import deeper
from xrm_control.analysis.threshold import BoolVolume, FloatVolume
from xrm_control.contracts.quality import QualityMetrics
from xrm_control.contracts.tables import Particle

LEAST_PARTICLES = 6  # of which a middle is one
_SOLID = 1  # of the phases
_LOOKED_AT, _LARGEST_BOX = 80, 4_000_000
_MARGIN = 10
_CORE_VOXELS, _RIM_VOXELS, _LEAST = 2.5, (1.6, 2.6), 60
_FAR_VOXELS = (6.0, 10.0)
_OF_MIDDLE = 0.2
_MEAN_OF = 3  # voxels along each side, of which a mean is taken
_CORRELATED = 60.0  # voxels that vary together in such means
VARIES, EDGE = 0.055, 0.08  # of the contrast: a surface is then up to a tenth of the blur off, and more
_SIGMAS = 3.0
_SHARE, _SHARE_OF_GREYS = 0.10, 0.20
_QUANTILE_SIGMAS = 0.2533
_OVERSHOOT, _WIDE_FWHM = 0.12, 3.3  # of the contrast; voxels
_CUPPED, _CUPPED_SIGMAS = 0.03, 5.0
_EDGED, _EDGES_SEEN_VOXELS = 0.06, 4.5  # of the area; radius
_OTHER, _OTHER_SIGMAS, _OTHER_VOXELS = 0.10, 3.0, 500
_SIGMA_OF_FWHM = 1 / 2.3548
_WIDEST_FWHM = 6.9  # voxels: as wide as an edge is measured at all


@dataclass(frozen=True)
class GreyWithin:
    """How one particle departs from a blurred step, in units of the contrast. level: the grey of its core, or of its
    middle where holes leave hardly a core, with its uncertainty, NaN of small ones; varies: standard deviation of means
    of 27 voxels in its core, without what noise makes, 0 where that is not sure; beside: grey two voxels outside of it,
    over that further out; lacking: what is missing of its core's grey two voxels inside; both less what blur explains.
    """

    level: float
    level_u: float
    varies: float
    beside: float
    lacking: float


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
    solid = own & (phases == _SOLID)
    outside = depth_of(~own)
    # Nearer to it than to any other particle.
    free = (labels == 0) & inside & (outside <= depth_of(~others) if others.any() else True)
    core, far = deeper(solid, _CORE_VOXELS), free & (outside >= _FAR_VOXELS[0]) & (outside < _FAR_VOXELS[1])
    # Of matter just above the threshold noise leaves hardly a core.
    middle = (phases == _SOLID) & deeper(own, _CORE_VOXELS)
    if np.count_nonzero(middle) < _LEAST or np.count_nonzero(far) < _LEAST:
        return None
    level = level_u = math.nan
    if np.count_nonzero(own) >= _OTHER_VOXELS:
        hardly = np.count_nonzero(core) < max(_LEAST, _OF_MIDDLE * np.count_nonzero(middle))
        where = middle if hardly else core
        level = float(np.median(grey[where]))
        level_u = float(np.std(grey[far])) * math.sqrt(_CORRELATED / np.count_nonzero(where))
    if np.count_nonzero(core) < _LEAST:
        return GreyWithin(level, level_u, 0.0, 0.0, 0.0)
    smooth = ndimage.uniform_filter(grey, _MEAN_OF)
    noise = float(np.var(smooth[far]))
    more = float(np.var(smooth[core])) - noise
    sure = _SIGMAS * noise * math.sqrt(2 * _CORRELATED / np.count_nonzero(core))
    low, high = _RIM_VOXELS
    rim = free & (outside >= low) & (outside < high)
    shell = deeper(solid, low, at_least=True) & ~deeper(solid, high, at_least=True)
    beside = lacking = 0.0
    # Quantiles beyond the middle: what lies on one side alone, as a substrate does, is no shell. Noise moves them, too.
    by_noise = _QUANTILE_SIGMAS * float(np.std(grey[far]))
    if np.count_nonzero(rim) >= _LEAST:
        beside = float(np.quantile(grey[rim], 0.4) - np.median(grey[far])) - blurred + by_noise
    if np.count_nonzero(shell) >= _LEAST:
        lacking = float(np.median(grey[core]) - np.quantile(grey[shell], 0.6)) - blurred + by_noise
    return GreyWithin(level, level_u, math.sqrt(more) if more > sure else 0.0, beside, lacking)


def not_one_grey(found: Sequence[GreyWithin]) -> tuple[str, ...]:
    """What is to be doubted of the particles' own greys, each in a sentence."""
    said: list[str] = []
    overshoot = -float(np.median([one.lacking for one in found])) if len(found) >= LEAST_PARTICLES else 0.0
    if overshoot > _OVERSHOOT:
        said.append(
            f"edges overshoot: two voxels inside of half of the particles their grey is {overshoot:.0%} of the "
            f"contrast above their core's (limit {_OVERSHOOT:.0%}): sharpened, phase contrast or cupping; volumes of "
            "voids and dead volume are then off by a tenth and more -> measure what was not sharpened, or retrieve "
            "the phase"
        )
    elif overshoot > _CUPPED:
        lacking = np.array([one.lacking for one in found])
        error = float(np.std(lacking, ddof=1)) / math.sqrt(len(lacking))
        if overshoot > _CUPPED_SIGMAS * error and float(np.quantile(lacking, 0.9)) < 0:
            said.append(
                f"cupping: two voxels inside of nearly all {len(lacking)} particles their grey is {overshoot:.1%} of "
                f"the contrast above their core's (limit {_CUPPED:.0%}): beam hardening, or sharpened; their grey is "
                "that of no solid, and diameters are some percent too large -> correct the projections for it"
            )
    for values, limit, what, remedy in (
        (
            [one.varies for one in found],
            VARIES,
            "not of one grey: within {odd} of {among} particles the grey varies by {share} of the contrast besides "
            "noise (limit {limit}): a graded density, another phase within, cracks, or pores too small to be "
            "counted; sizes rest on one level for each, and dead volume is of the voids that are seen",
            "look at the slices",
        ),
        (
            [one.beside for one in found],
            EDGE,
            "less dense matter around the particles: two voxels outside of {odd} of {among} the grey is still "
            "{share} of the contrast above the ground (limit {limit}): a shell or a matrix that is not counted, and "
            "sizes are of the dense part",
            "give a fixed threshold if it belongs to them",
        ),
        (
            [one.lacking for one in found],
            EDGE,
            "particles thin out to their rims: two voxels inside of {odd} of {among} {share} of the core's grey is "
            "missing (limit {limit}), so half of the core's is not where they end",
            "give a fixed threshold",
        ),
    ):
        odd = [value for value in values if value > limit]
        if _many(len(odd), len(values), _SHARE_OF_GREYS):
            numbers = {"odd": len(odd), "among": len(values), "share": f"{np.median(odd):.0%}", "limit": f"{limit:.2g}"}
            said.append(f"{what.format(**numbers)} -> {remedy}")
    return tuple(said)


def edge_width(quality: QualityMetrics, voxel_um: float) -> tuple[str, ...]:
    """Said of edges so wide that voids, or all sizes, are not what is stated."""
    fwhm_voxels = (quality.edge_blur_fwhm_um or 0.0) / voxel_um
    if fwhm_voxels >= _WIDEST_FWHM:
        return (
            f"edges that are no edges: from particle to ground the grey takes {fwhm_voxels:.1f} voxels and more, so "
            "that where half-way is depends on what lies around: shells or matter of a third level, or a blur that "
            "these voxels do not call for -> look at the slices; measure at a fixed threshold, or in coarser voxels",
        )
    if fwhm_voxels > _WIDE_FWHM:
        return (
            f"blur: from particle to ground the grey takes {fwhm_voxels:.1f} voxels (limit {_WIDE_FWHM:g}), where "
            "volumes of voids and dead volume read up to a fifth too small; or shells of a third level widen the "
            "edges, and then no size or count holds -> take sharper views; look at the slices for shells",
        )
    return ()


def other_matter(found: Sequence[GreyWithin]) -> tuple[str, ...]:
    """Said where more than a tenth of the particles attenuate otherwise than what the threshold is set by."""
    known = [one for one in found if math.isfinite(one.level)]
    odd = [one.level for one in known if abs(one.level - 1) > max(_OTHER, _OTHER_SIGMAS * one.level_u)]
    if not _many(len(odd), len(known)):
        return ()
    return (
        f"other matter: {len(odd)} of {len(known)} particles have {min(odd):.0%} to {max(odd):.0%} of the contrast "
        f"by which the threshold is set (limit within {_OTHER:.0%}): more than one material, and one threshold is "
        "half-way for one of them -> measure each material apart",
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
        f"noise: as far below the ground as the threshold is above it there are {bodies} bodies of at least "
        f"{smallest:.0f} voxels, which noise alone has made; so many of the {whole} whole particles may be none -> "
        "smooth the volume, take more light, or raise min_particle_um",
    )


def rounded_edges(rows: Sequence[Row], voxel_um: float) -> tuple[str, ...]:
    """Said where blur has rounded the edges of most whole particles, so that area and sphericity are a lot's bias."""
    name, size = Particle.sphericity.name, Particle.equivalent_diameter_um.name
    lost = []
    for row in _whole(rows):
        # Of smaller ones it is not seen whether they have edges: that is in their uncertainty.
        if name in row and _number(row, name) > 0 and _number(row, size) >= 2 * _EDGES_SEEN_VOXELS * voxel_um:
            scatter = CROFTON_SCATTER_VOXELS / (_number(row, size) / 2 / voxel_um)
            relative = _number(row, f"{name}_u", 0.0) / _number(row, name)
            lost.append(math.sqrt(max(relative**2 - scatter**2, 0.0)))
    typical = float(np.median(lost)) if lost else 0.0
    if typical <= _EDGED:
        return ()
    return (
        f"edges: of half of the particles blur has rounded so much that surface areas may be {typical:.0%} to "
        f"{2 * typical:.0%} too small and sphericities as much too high (limit {_EDGED:.0%}): faces and corners, "
        "texture as fine as the blur, or pits with lids too thin to be seen -> take finer voxels",
    )


def _whole(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if not row[Particle.touches_boundary.name]]


def _number(row: Row, name: str, default: float = math.nan) -> float:
    return float(str(row.get(name, default)))


def _many(odd: int, among: int, share: float = _SHARE) -> bool:
    """More than this share, and more than three, which noise and neighbours make: of few particles half; of one or two,
    one.
    """
    return odd > max(min(3.0, among / 2), share * among) or (0 < among <= 2 and odd > 0)
