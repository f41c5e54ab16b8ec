"""Weights that undo the choice of regions: what the mosaic holds of each size against what was measured of it.

Regions are chosen for what they hold, so that a size may be rarer in them than in the powder; the mosaic has seen the
sizes of all particles, chosen or not. Whole particles are calibrated to it (Deville and Sarndal 1992): by class of size
they count as many as the mosaic holds (post-stratification, Holt and Smith 1979), and within a class their border
weights are tilted so that the mean of ln d is the mosaic's, which matters where the class is wide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_STEP = 1.15
"""Ratio of the ends of a class, before classes are joined until each has enough measured particles."""

_ENOUGH = 6
"""Measured particles of a class: fewer would be given weights by chance."""

_EITHER_SIDE = 2
"""... on either side of the mean of the mosaic's, or no tilt would reach it."""

_STEADY = 20
"""Measured particles, of the smallest classes, by which those are weighted that are too small for the mosaic."""

_LIKE = 1.25
"""Ratio of diameters within which a measured particle stands for one of the mosaic."""

_MOST_UNLIKE, _MOST_UNLIKE_VOLUME, _MOST_GAP = 0.02, 0.10, 0.001
"""Shares of the mosaic's particles, and of their volume, that no measured one may stand for; what the weights may leave
of the mean of ln d. Beyond these the intervals hold the truth in less than 90 % (`python -m benchmarks.selection`)."""

_MOST_TILT, _ROUNDS = 3.0, 30
"""Of a weight against its class's, as a factor e^(+-tilt) over the class's half width."""


@dataclass(frozen=True)
class Window:
    """A region that was scanned: its middle on the stage, z of its axis above the tape, its sides, um."""

    roi: str
    x_um: float
    y_um: float
    z_um: float
    width_um: float
    height_um: float


@dataclass(frozen=True)
class MosaicSizes:
    """What the mosaic has seen. diameters_um: of all its particles; smallest_um: it does not see smaller ones.

    doubt: why its particles cannot be counted, "" for nothing; places_um: (x, y) of each on the stage, none where they
    are not on record; void_scores: what the radiograph of each says of voids, NaN for nothing, none where they are not
    on record; windows: the regions that were chosen on it.
    """

    diameters_um: tuple[float, ...]
    smallest_um: float = 0.0
    doubt: str = ""
    places_um: tuple[tuple[float, float], ...] = ()
    void_scores: tuple[float, ...] = ()
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True)
class SizeClasses:
    """k classes and n measured particles in them. member (n,): index of the class; counted (n,): False for those that
    are too small for the mosaic; place (n,): where ln d lies in the class, from the mean of the mosaic's, in halves of
    its width; counts, spread (k,): particles of the mosaic in it, and the
    standard deviation of their place; half (k,): half its width in ln d. unlike, unlike_volume: shares of the mosaic's
    particles, and of their volume, that no measured one stands for; unlike_um: from the smallest to the largest of
    these.
    """

    member: NDArray[np.int64]
    counted: NDArray[np.bool_]
    place: Floats
    counts: Floats
    spread: Floats
    half: Floats
    unlike: float
    unlike_volume: float
    unlike_um: tuple[float, float]

    def missing(self, base: Floats) -> str:
        """What weights (n,) from `base` cannot stand for, in words; "" where that is too little to matter."""
        low, high = self.unlike_um
        sizes = f"{low:.1f} um" if high - low < 0.05 else f"{low:.1f} to {high:.1f} um"
        if self.unlike > _MOST_UNLIKE:
            return f"{self.unlike:.1%} of the mosaic's particles, of {sizes}, have no measured one of like size"
        gap = self._gap(base)
        if abs(gap) > _MOST_GAP:
            which = "large" if gap < 0 else "small"
            return f"too few {which} particles were measured: no weights give them the mosaic's mean size"
        return ""

    def missing_volume(self) -> str:
        """The same of what is weighted by volume."""
        if self.unlike_volume <= _MOST_UNLIKE_VOLUME:
            return ""
        share = f"{self.unlike_volume:.0%} of the volume of the mosaic's particles"
        return f"{share} is in sizes of which none was measured whole"

    def _gap(self, base: Floats) -> float:
        """What the weights leave of the mean of ln d, against the mosaic's."""
        weights = self.weights(base[None])[0]
        left = weights * self.place * self.half[self.member]
        return float(left[self.counted].sum() / self.counts.sum())

    def weights(self, base: Floats) -> Floats:
        """Weights (draws, n) calibrated to the mosaic, from those (draws, n) that they have without."""
        shape = (len(base), len(self.counts))
        return self._calibrated(base, np.broadcast_to(self.counts, shape), np.zeros(shape))

    def redrawn(self, base: Floats, seed: int) -> Floats:
        """The same, with the mosaic's counts and means drawn anew: it is a sample of the powder itself."""
        random = np.random.default_rng(seed)
        total = int(self.counts.sum())
        counts = random.multinomial(total, self.counts / total, size=len(base)).astype(float)
        means = random.normal(0, self.spread / np.sqrt(np.maximum(self.counts, 1)), size=counts.shape)
        return self._calibrated(base, counts, means)

    def _calibrated(self, base: Floats, counts: Floats, means: Floats) -> Floats:
        weights = np.zeros_like(base)
        for k in range(len(self.counts)):
            of = np.flatnonzero((self.member == k) & self.counted)
            tilt = _tilt(base[:, of], self.place[of], means[:, k])[:, None]
            tilted = base[:, of] * np.exp(tilt * self.place[of])
            held = tilted.sum(axis=1)
            # A class of which a draw has no particle is left out of it.
            factor = np.divide(counts[:, k], held, out=np.zeros_like(held), where=held > 0)
            weights[:, of] = tilted * factor[:, None]
        fine = ~self.counted
        weights[:, fine] = base[:, fine] * self._of_smallest(base, counts)[:, None]
        return weights

    def _of_smallest(self, base: Floats, counts: Floats) -> Floats:
        """Factor (draws,) of the smallest classes together, as many as hold enough to be steady."""
        held = np.bincount(self.member[self.counted], minlength=len(self.counts))
        last = int(np.searchsorted(np.cumsum(held), min(_STEADY, held.sum())))
        own = base[:, self.counted & (self.member <= last)].sum(axis=1)
        return np.divide(counts[:, : last + 1].sum(axis=1), own, out=np.zeros_like(own), where=own > 0)


def size_classes(diameters_um: Floats, mosaic: MosaicSizes) -> SizeClasses | None:
    """Classes for measured whole particles (n,); None where there are too few of them, or in the mosaic.

    Particles below the mosaic's limit count like the smallest ones above it.
    """
    seen_um = np.array(mosaic.diameters_um, float)
    visible = diameters_um >= mosaic.smallest_um
    counted = diameters_um[visible]
    if len(seen_um) < _ENOUGH or len(counted) < _ENOUGH:
        return None
    seen, measured = np.log(seen_um), np.log(diameters_um)
    edges = _edges(seen, np.log(counted))
    member, of_mosaic = (np.searchsorted(edges, values, side="right") for values in (measured, seen))
    k = len(edges) + 1
    counts = np.bincount(of_mosaic, minlength=k).astype(float)
    ends = np.concatenate(([seen.min()], edges, [seen.max()]))
    half = np.maximum(np.diff(ends) / 2, 1e-6)
    mean = np.bincount(of_mosaic, weights=seen, minlength=k) / np.maximum(counts, 1)
    scaled = (seen - mean[of_mosaic]) / half[of_mosaic]
    spread = np.sqrt(np.bincount(of_mosaic, weights=scaled**2, minlength=k) / np.maximum(counts, 1))
    unlike = _unlike(seen, np.log(counted))
    return SizeClasses(
        member=member.astype(np.int64),
        counted=visible,
        place=(measured - mean[member]) / half[member],
        counts=counts,
        spread=spread,
        half=half,
        unlike=float(unlike.mean()),
        unlike_volume=float((seen_um[unlike] ** 3).sum() / (seen_um**3).sum()),
        unlike_um=(float(seen_um[unlike].min()), float(seen_um[unlike].max()))
        if unlike.any()
        else (math.nan, math.nan),
    )


def _tilt(base: Floats, place: Floats, means: Floats) -> Floats:
    """t (draws,) so that, by weights base (draws, m) e^(t place), the mean of place (m,) is that of `means` (draws,),
    or as near as can be.
    """
    t = np.zeros(len(base))
    for _ in range(_ROUNDS):
        weights = base * np.exp(t[:, None] * place)
        total = np.maximum(weights.sum(axis=1), 1e-300)
        mean = weights @ place / total
        variance = weights @ place**2 / total - mean**2
        step = np.divide(means - mean, variance, out=np.zeros_like(t), where=variance > 1e-9)
        t = np.clip(t + np.clip(step, -1.0, 1.0), -_MOST_TILT, _MOST_TILT)
        if np.abs(step).max(initial=0.0) < 1e-6:
            break
    return t


def _edges(seen: Floats, measured: Floats) -> Floats:
    """Inner ends of the classes (k - 1,), in ln um: even steps, joined from the small ones up until each has enough."""
    low, high = float(seen.min()), float(seen.max())
    steps = max(1, math.ceil((high - low) / math.log(_STEP)))
    kept: list[float] = []
    for edge in np.linspace(low, high, steps + 1)[1:-1].tolist():
        last = kept[-1] if kept else -math.inf
        if _filled(seen, measured, last, edge) and _filled(seen, measured, edge, math.inf):
            kept.append(edge)
    return np.array(kept)


def _filled(seen: Floats, measured: Floats, low: float, high: float) -> bool:
    """Whether a class has enough measured particles, on either side of the mean of the mosaic's."""
    inside, wanted = (values[(values >= low) & (values < high)] for values in (measured, seen))
    if len(inside) < _ENOUGH or not len(wanted):
        return False
    above = int((inside > wanted.mean()).sum())
    return min(above, len(inside) - above) >= _EITHER_SIDE


def _unlike(seen: Floats, measured: Floats) -> NDArray[np.bool_]:
    """Which of the mosaic's have no measured particle of like size."""
    ordered = np.sort(measured)
    at = np.searchsorted(ordered, seen)
    below = np.abs(seen - ordered[np.maximum(at - 1, 0)])
    above = np.abs(ordered[np.minimum(at, len(ordered) - 1)] - seen)
    return np.minimum(below, above) > math.log(_LIKE)
