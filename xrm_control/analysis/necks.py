"""Necks between particles that touch, as wide as they are without blur: two bodies that are grown together are one.

Blur fills the crevice about a contact, and the smaller two balls are, the wider their neck looks: by the mask alone,
two balls of six voxels that touch are joined like a dumbbell of twice their size. But how the section grows on both
sides of a contact tells what blur has added to it. Across the plane of the neck, along the line that joins the middles,
two balls have sections A(t) = pi (a^2 + 2 c |t| - t^2): a the radius of the neck, c how far the middles are. With |t|
blurred this is fitted to the grey that each slab of the two holds, and a comes out within 0.1 of the smaller radius
from four voxels on, where there is a neck (`tests/analysis/test_necks.py`).

Aggregates, whose parts are grown together, are one particle, and agglomerates, whose parts touch, are several (ISO
26824). Where the one ends and the other begins is a convention: a neck of a quarter of the smaller part's section.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.crop import ParticleCrop
from xrm_control.analysis.distance import depth_of
from xrm_control.analysis.reach import padded
from xrm_control.analysis.segmentation import Labelled
from xrm_control.analysis.threshold import BoolVolume
from xrm_control.analysis.void_measures import grey_blur_voxels
from xrm_control.contracts.quality import QualityMetrics
from xrm_control.contracts.tables import Particle

Floats = NDArray[np.float64]

_STEP = 0.5
_SLAB_VARIANCE = 1 / 6
"""Of a slab whose weight falls off over a voxel on either side, voxels^2."""

_NEAR = 3
"""Voxels about the two within which grey is theirs."""

_ROUND, _LEAST_REACH = 0.8, 2.5
"""Radii of the smaller one about the neck within which a section is as a ball's, and at least so many voxels."""

_BLUR_U = 0.07
"""Standard uncertainty of the blur, voxels."""

_HALF = 0.5
"""Voxels that the largest ball on a grid is smaller than the one that fits, on the average."""

_LEAST_RADIUS, _LEAST_LOBE = 2.0, 2.5
"""Voxels of the largest ball within the smaller one: of three its neck is known to a tenth of that, of two to a fifth.
And below which nothing is known of its form."""

_LEAST_ALIKE = 0.5
"""Radius of the smaller over that of the larger one, below which it is a satellite."""

_MOST_APART, _ROUND_SECTION = 1.25, 1.5
"""Distance of the middles over the sum of the radii, and section over that of the largest ball within, above which
they are no lobes but rods, plates and grains that touch, whose sections the formula is not of."""

_PLACE_U, _PLACE_OF_SATELLITE_U = 0.5, 1.0
"""Standard uncertainty of the plane between two, voxels: a satellite sinks into its host by as much, and what both then
share is of one of them by convention alone."""

_FEW, _SHARE = 2, 0.05


@dataclass(frozen=True)
class Neck:
    """Of two particles, by their place in a list. section, smaller_section, u: area of the neck without blur, the
    widest section of the smaller one, and the standard uncertainty of the neck's, voxels^2; alike: whether none is a
    satellite of the other; lobes: whether both are round beside the neck."""

    one: int
    other: int
    section: float
    smaller_section: float
    u: float
    alike: bool
    lobes: bool

    @property
    def ratio(self) -> float:
        """Radius of the neck over that of the smaller one."""
        return math.sqrt(max(self.section, 0.0) / self.smaller_section)

    def fused(self, least_ratio: float) -> bool:
        """Whether the two are grown together."""
        return self.alike and self.lobes and self.ratio >= least_ratio

    def unsure(self, least_ratio: float) -> bool:
        """Whether they may be the other thing: the neck is within its error of the limit, or wide in long bodies."""
        limit = least_ratio**2 * self.smaller_section
        near = abs(self.section - limit) < 2 * self.u
        return self.alike and (near or (not self.lobes and self.section > limit))


def find_necks(crops: Sequence[ParticleCrop]) -> list[Neck]:
    """Of all pairs of particles that touch and whose neck can be measured."""
    pairs = [pair for pair in _near(crops) if _touch(crops[pair[0]], crops[pair[1]])]
    balls = {number: _ball(crops[number]) for number in {number for pair in pairs for number in pair}}
    necks = (_neck(crops, balls, one, other) for one, other in pairs)
    return [neck for neck in necks if neck is not None]


def _near(crops: Sequence[ParticleCrop]) -> Iterator[tuple[int, int]]:
    """Pairs whose boxes have voxels in common: of thousands of particles most have not."""
    low = np.array([crop.origin for crop in crops]).reshape(-1, 3)
    high = low + np.array([crop.envelope.shape for crop in crops]).reshape(-1, 3)
    for one in range(len(crops)):
        others = np.all((low[one + 1 :] <= high[one]) & (high[one + 1 :] >= low[one]), axis=1)
        yield from ((one, one + 1 + int(other)) for other in np.flatnonzero(others))


def with_contacts(crops: Sequence[ParticleCrop], necks: Sequence[Neck]) -> list[ParticleCrop]:
    """The same crops knowing how far the planes that part them from others are uncertain."""
    variance = np.zeros(len(crops))
    for neck in necks:
        place = _PLACE_U if neck.alike else _PLACE_OF_SATELLITE_U
        variance[[neck.one, neck.other]] += (place * max(neck.section, 0.0)) ** 2
    return [replace(crop, contact_u_voxels=math.sqrt(one)) for crop, one in zip(crops, variance, strict=True)]


def grown_together(
    found: Labelled, crops: Sequence[ParticleCrop], necks: Sequence[Neck], least_ratio: float
) -> Labelled:
    """`found` with one label for the bodies of each particle; itself where none are grown together."""
    label_of = {number: _label(found, crops[number]) for neck in necks for number in (neck.one, neck.other)}
    pieces, fused, unsure = dict(found.pieces), set[int](), set[int]()
    became = np.arange(int(found.labels.max(initial=0)) + 1, dtype=found.labels.dtype)
    for neck in necks:
        one, other = sorted((label_of[neck.one], label_of[neck.other]))
        if one == other or not neck.fused(least_ratio):
            continue
        became[became == other] = one
        label_of = {number: one if label == other else label for number, label in label_of.items()}
        unsure |= {one} if neck.unsure(least_ratio) or other in unsure else set()
        fused |= {one}
        if one in pieces or other in pieces:
            pieces[one] = pieces.get(one, 1) + pieces.pop(other, 1)
    if not fused:
        return found
    return replace(found, labels=became[found.labels], pieces=pieces, fused=frozenset(fused), unsure=frozenset(unsure))


@dataclass(frozen=True)
class NeckStates:
    """Of each particle in a list: kind, as in the column `neck_kind`, and ratio of its widest neck, 0 without."""

    kinds: tuple[str, ...]
    ratios: tuple[float, ...]

    @classmethod
    def of(
        cls, found: Labelled, crops: Sequence[ParticleCrop], necks: Sequence[Neck], least_ratio: float
    ) -> NeckStates:
        """necks: those of `crops`, whose bodies have the labels `found`."""
        own = [_label(found, crop) if found.fused else 0 for crop in crops]
        kinds = ["unsure" if one in found.unsure else "fused" if one in found.fused else "none" for one in own]
        ratios = [0.0] * len(crops)
        for neck in necks:
            unsure = neck.unsure(least_ratio) or neck.fused(least_ratio)
            for number in (neck.one, neck.other):
                ratios[number] = max(ratios[number], neck.ratio)
                if unsure:
                    kinds[number] = "unsure"
                elif kinds[number] == "none":
                    kinds[number] = "contact"
        return cls(tuple(kinds), tuple(ratios))

    def count(self, kind: str, crops: Sequence[ParticleCrop]) -> int:
        """How many of the whole `crops` are of that kind."""
        return sum(
            own == kind and not (crop.touches_rows or crop.touches_cylinder)
            for own, crop in zip(self.kinds, crops, strict=True)
        )

    def cells(self, number: int) -> dict[str, str | float]:
        """Column -> cell of one of the particles."""
        return {Particle.neck_kind.name: self.kinds[number], Particle.neck_ratio.name: self.ratios[number]}


def too_many_unsure(quality: QualityMetrics) -> tuple[str, str] | None:
    """The reason and the remedy where more than one in twenty of the whole particles, and more than two, may be one
    with others, or two."""
    unsure, whole = quality.unsure_necks or 0, quality.whole_particles or 0
    if unsure <= max(_FEW, _SHARE * whole):
        return None
    return (
        f"necks: {unsure} of {whole} whole particles may be one with one that they touch, or two (limit {_SHARE:.0%}): "
        "their necks are about as wide as those of bodies that are grown together",
        "leave them out of the statistics (neck_kind is unsure), or state where contacts end: "
        "analysis.split.fused_neck_ratio",
    )


def _label(found: Labelled, crop: ParticleCrop) -> int:
    box = tuple(slice(o, o + n) for o, n in zip(crop.origin, crop.envelope.shape, strict=True))
    inside = found.labels[box][crop.envelope]
    return int(np.argmax(np.bincount(inside[inside > 0])))


def _touch(one: ParticleCrop, other: ParticleCrop) -> bool:
    """Whether a face of a voxel of one is one of the other's."""
    low = np.maximum(one.origin, other.origin) - 1
    high = np.minimum(np.add(one.origin, one.envelope.shape), np.add(other.origin, other.envelope.shape)) + 1
    if np.any(high - low < 3):
        return False
    first, second = (_part(crop.envelope, np.subtract(low, crop.origin), high - low) for crop in (one, other))
    for axis in range(3):
        a, b = np.moveaxis(first, axis, 0), np.moveaxis(second, axis, 0)
        if np.any(a[1:] & b[:-1]) or np.any(a[:-1] & b[1:]):
            return True
    return False


def _part(mask: BoolVolume, low: NDArray[np.integer], size: NDArray[np.integer]) -> BoolVolume:
    """The box of `mask` from `low` on; nothing is beyond it."""
    part = np.zeros(tuple(size), bool)
    start, stop = np.maximum(low, 0), np.minimum(low + size, mask.shape)
    own = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    part[tuple(slice(a, b) for a, b in zip(start - low, stop - low, strict=True))] = mask[own]
    return part


_Ball = tuple[Floats, float]
"""Middle (z, y, x), in voxels of the volume, and radius of the largest ball within a particle."""


def _neck(crops: Sequence[ParticleCrop], balls: Mapping[int, _Ball], first: int, second: int) -> Neck | None:
    """None where the two are too near each other for two sections that shrink, or one is too small to have any."""
    host, small = sorted((first, second), key=lambda number: -balls[number][1])
    (start, host_radius), (end, radius) = balls[host], balls[small]
    length = float(np.linalg.norm(end - start))
    if length < _STEP or radius < _LEAST_RADIUS:
        return None
    sections = _Sections.along(crops[host], crops[small], start, (end - start) / length, length + 0.5 * radius)
    found = sections.narrowest(0.4 * host_radius, length - 0.4 * radius, max(_ROUND * radius, _LEAST_REACH))
    if found is None:
        return None
    area, error, place = found
    before, behind = sections.t < place, sections.t > place
    smaller = min(float(sections.area[before].max(initial=0)), float(sections.area[behind].max(initial=0)))
    if smaller <= 0:
        return None
    alike = radius + _HALF >= _LEAST_ALIKE * (host_radius + _HALF)
    lobes = radius >= _LEAST_LOBE and length <= _MOST_APART * (host_radius + radius)
    lobes &= smaller <= _ROUND_SECTION * math.pi * (radius + _HALF) ** 2
    return Neck(first, second, min(area, smaller), smaller, error, alike, lobes)


def _ball(crop: ParticleCrop) -> _Ball:
    depth = depth_of(padded(crop.envelope))[1:-1, 1:-1, 1:-1]
    radius = float(depth.max())
    deep = depth >= radius - _HALF
    middle = np.average(np.argwhere(deep), axis=0, weights=depth[deep])
    return middle + np.array(crop.origin), radius


@dataclass(frozen=True)
class _Sections:
    """Of two particles: area (n,), voxels^2, of their grey across the line that joins them, at t (n,), voxels.

    sigma: blur of the area along the line.
    """

    t: Floats
    area: Floats
    sigma: float

    @classmethod
    def along(cls, one: ParticleCrop, other: ParticleCrop, start: Floats, way: Floats, length: float) -> _Sections:
        """start: place (z, y, x) of t = 0 in the volume; way: unit vector."""
        from scipy import ndimage

        t = np.arange(0, length + _STEP / 2, _STEP)
        area = np.zeros(len(t))
        for crop in (one, other):
            near = np.asarray(ndimage.binary_dilation(crop.envelope, iterations=_NEAR), bool) & crop.zone
            at = (np.argwhere(near) + np.array(crop.origin) - start) @ way
            share = ((crop.grey - crop.ground)[near] / crop.levels.contrast_per_um).astype(float)
            for shift in range(-math.ceil(1 / _STEP), math.ceil(1 / _STEP) + 1):
                # Each voxel is in the slabs within a voxel of it.
                slab = np.floor(at / _STEP).astype(int) + shift
                weight = np.maximum(1 - np.abs(at - slab * _STEP), 0)
                kept = (slab >= 0) & (slab < len(t)) & (weight > 0)
                area += np.bincount(slab[kept], weight[kept] * share[kept], len(t))
        sigma = math.hypot(grey_blur_voxels(one.blur_voxels), math.sqrt(_SLAB_VARIANCE))
        return cls(t, area, sigma)

    def narrowest(self, low: float, high: float, reach: float) -> tuple[float, float, float] | None:
        """Area of the neck between t = low and high without blur, its standard uncertainty, and where it is; reach: how
        far on either side sections are looked at."""
        within = np.flatnonzero((self.t > low) & (self.t < high))
        if len(within) < 3:
            return None
        about = self.t[within[int(np.argmin(self.area[within]))]]
        best: tuple[float, float, float] | None = None
        least = math.inf
        for place in about + np.arange(-1, 1.01, 0.25):
            x = self.t - place
            used = np.asarray(np.abs(x) < reach, bool)
            if np.count_nonzero(used) < 6:
                continue
            x = x[used]
            away = _blurred_distance(x, self.sigma)
            terms = np.column_stack((np.ones(len(x)), (away + x) / 2, (away - x) / 2))
            wanted = self.area[used] + math.pi * (x**2 + self.sigma**2)
            fit = np.linalg.lstsq(terms, wanted, rcond=None)[0]
            left = float(np.mean((terms @ fit - wanted) ** 2))
            if left >= least:
                continue
            least = left
            # Slabs overlap by half: half as many are independent.
            variance = 2 * left * len(x) / (len(x) - 4) * float(np.linalg.inv(terms.T @ terms)[0, 0])
            by_blur = math.sqrt(2 / math.pi) * _BLUR_U * abs(float(fit[1] + fit[2])) / 2
            best = float(fit[0]), math.sqrt(variance + by_blur**2), float(place)
        return best


def _blurred_distance(x: Floats, sigma: float) -> Floats:
    """|x| convolved with a Gaussian."""
    from scipy.special import erf

    return sigma * math.sqrt(2 / math.pi) * np.exp(-(x**2) / (2 * sigma**2)) + x * erf(x / (sigma * math.sqrt(2)))
