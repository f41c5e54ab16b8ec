"""Particles that did not stay where they were while a scan was taken.

Each particle's place in the views is held against ways to move: a hop before any of the views, an even drift, and one
that settles. What all particles do together is the views' motion and no particle's. Errors are what the particles
scatter by around still places, view by view and together over a few views: edge-on, where much lies behind one another,
a place says little.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xrm_control.contracts.tables import Particle
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.processing.trust.particle_shifts import ParticleShifts, particle_shifts

Way = Literal["hop", "drift", "settle", "gone"]

_LEAST_PARTICLES, _LEAST_VIEWS = 4, 24
_FLOOR_PX = 0.03  # of a place in one view
_FLOOR_MORE = 0.02
_MEDIAN, _SIGMA = 0.6745, 0.683  # of the normal distribution
_BLOCK = 6  # views over which errors hang together
_USUAL_PX = 3.0  # of a move: directions that no view tells are not made up
_SETTLING = (0.1, 0.2, 0.4)  # of the scan
_LEAST_PX, _LEAST_STRENGTH = 0.6, 9.0
_GONE, _GONE_STRENGTH = 0.3, 12.0

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Mover:
    """A particle by its number. way: of moving; gone: it hopped farther than it can be followed. by_um, u_um: how far
    at least, and one sigma; from_view: the first after it (of a drift 0); strength: distance over its error. right_px, down_px (n,): where it lay in
    each of the views.
    """

    particle: int
    way: Way
    by_um: float
    u_um: float
    step_um: tuple[float, float, float]
    from_view: int
    theta_deg: float
    strength: float


@dataclass(frozen=True)
class Movers:
    """those: the strongest first; looked_at: how many particles were; shifts: what it rests on; strongest: of those that are taken for still."""

    those: tuple[Mover, ...]
    looked_at: int
    shifts: ParticleShifts
    strongest: float


@dataclass(frozen=True)
class _Fit:
    """Of one kind of move: step (3,) or (1,), its covariance, strength, and the kind's number."""

    kind: int
    step: Array
    u: Array
    strength: float


def movers(evidence: RegionEvidence) -> Movers | str:
    """Whole particles that moved; why none can be looked for, in their place."""
    if evidence.whole is None:
        return "no particles were measured"
    numbers = np.array(evidence.whole.ids(Particle.particle_id), np.int64)
    if len(numbers) < _LEAST_PARTICLES:
        return f"fewer than {_LEAST_PARTICLES} whole particles, which tell what is usual"
    found = particle_shifts(evidence, numbers)
    if isinstance(found, str):
        return found
    if len(found.views) < _LEAST_VIEWS:
        return "too few views"
    return judged_shifts(found, evidence.scan.pixel_size_um)


def judged_shifts(found: ParticleShifts, pixel_um: float) -> Movers:
    """Which of them moved."""
    ways, names = _ways(len(found.views))
    series = _Series.of(found)
    those: list[Mover] = []
    still = 0.0
    for place, number in enumerate(found.ids):
        hop = series.moved(place, ways)
        gone = series.appeared(place, ways)
        size_px = float(np.linalg.norm(hop.step))
        if gone.strength > _GONE_STRENGTH and abs(float(gone.step[0])) > _GONE:
            view = gone.kind
            those.append(Mover(int(number), "gone", float("nan"), float("nan"), (0, 0, 0), int(found.views[view]), float(found.theta_deg[view]), gone.strength))
        elif hop.strength > _LEAST_STRENGTH and size_px > _LEAST_PX:
            view = hop.kind if names[hop.kind] == "hop" else 0
            x, y, z = (float(one) * pixel_um for one in hop.step)
            u = float(np.linalg.norm(hop.u * hop.step) / size_px) * pixel_um
            those.append(Mover(int(number), names[hop.kind], size_px * pixel_um, u, (x, y, z), int(found.views[view]), float(found.theta_deg[view]), hop.strength))
        else:
            still = max(still, hop.strength)
    return Movers(tuple(sorted(those, key=lambda one: -one.strength)), len(found.ids), found, still)


def _ways(count: int) -> tuple[Array, list[Way]]:
    """(k, n): the share of its way that has been gone in each view; way k below n: hops before view k."""
    hops = (np.arange(count)[None] >= np.arange(count)[:, None]).astype(float)
    time = np.linspace(0, 1, count)
    settling = np.stack([(1 - np.exp(-time / tau)) for tau in _SETTLING])
    names: list[Way] = ["hop"] * count + ["drift"] + ["settle"] * len(_SETTLING)
    return np.concatenate([hops, time[None], settling]), names


@dataclass(frozen=True)
class _Series:
    """sideways (n, 2): how x and y are seen in each view; right, down, more (p, n), without what all do; weights
    likewise."""

    sideways: Array
    values: Array
    weights: Array

    @classmethod
    def of(cls, found: ParticleShifts) -> _Series:
        angle = np.radians(found.theta_deg)
        sideways = np.stack([np.cos(angle), -np.sin(angle)], axis=1)
        values = np.stack([found.right, found.down, found.more], axis=-1)
        u = found.u[..., [1, 2, 0]]
        known = np.isfinite(u)
        floor = np.array([_FLOOR_PX, _FLOOR_PX, _FLOOR_MORE])
        u = np.hypot(np.where(known, u, 1.0), floor)
        weights = np.where(known, 1 / u**2, 0.0)
        values = np.where(known, values, 0.0)
        values[..., :2] -= _weighted_median(values[..., :2], weights[..., :2])
        return cls(sideways, values, weights / _excess(values, weights, found)[None] ** 2)

    def moved(self, place: int, ways: Array) -> _Fit:
        """The way that explains best where one particle lay."""
        n = len(self.sideways)
        rows = np.zeros((n, 2, 3))
        rows[:, 0, :2] = self.sideways
        rows[:, 1, 2] = 1
        return _best(rows, self.values[place, :, :2], self.weights[place, :, :2], ways, _USUAL_PX)

    def appeared(self, place: int, ways: Array) -> _Fit:
        """The hop that explains best when it was where the volume has it."""
        n = len(self.sideways)
        return _best(np.ones((n, 1, 1)), self.values[place, :, 2:], self.weights[place, :, 2:], ways[:n], 1.0)


def _best(rows: Array, values: Array, weights: Array, ways: Array, usual: float) -> _Fit:
    """rows (n, m, k): how an offset is seen in m ways; values, weights (n, m)."""
    k = rows.shape[2]
    normal = np.einsum("nmi,nm,nmj->nij", rows, weights, rows)
    pull = np.einsum("nmi,nm->ni", rows, weights * values)
    flat = normal.reshape(len(normal), -1)
    cross = (ways @ flat).reshape(-1, k, k)
    square = (ways**2 @ flat).reshape(-1, k, k)
    still = np.linalg.inv(normal.sum(axis=0) + 1e-9 * np.eye(k))
    place = still @ pull.sum(axis=0)
    precision = square - cross @ still @ cross + np.eye(k) / usual**2
    rest = ways @ pull - np.einsum("wij,j->wi", cross, place)
    covariance = np.linalg.inv(precision)
    step = np.einsum("wij,wj->wi", covariance, rest)
    gain = np.einsum("wi,wi->w", step, rest)
    kind = int(np.argmax(gain))
    first = place - still @ cross[kind] @ step[kind]
    left = values - np.einsum("nmi,ni->nm", rows, first + ways[kind][:, None] * step[kind])
    excess = max(float(np.mean(_pooled(left, weights) ** 2)) * len(values) / max(len(values) - 2 * k, 1), 1.0)
    u = np.sqrt(np.diag(covariance[kind]) * excess)
    return _Fit(kind, step[kind], u, float(np.sqrt(max(gain[kind], 0) / excess)))


def _pooled(values: Array, weights: Array) -> Array:
    """Over blocks of views, of the first axis: sums over their errors, of which white noise would make a mean of 1."""
    count = len(values) // _BLOCK * _BLOCK
    shape = (-1, _BLOCK, *values.shape[1:])
    sums = (values * weights)[:count].reshape(shape).sum(axis=1)
    total = weights[:count].reshape(shape).sum(axis=1)
    return np.where(total > 0, sums / np.sqrt(np.maximum(total, 1e-12)), 0.0)


def _excess(values: Array, weights: Array, found: ParticleShifts) -> Array:
    """(n, 3): by how much particles scatter in each view, and over blocks around it, over what their pixels say."""
    from scipy.ndimage import median_filter

    scanned = np.flatnonzero(found.views >= 0)
    values, weights = values[:, scanned], weights[:, scanned]
    single = np.where(weights > 0, np.abs(values) * np.sqrt(weights), np.nan)
    seen = np.isfinite(single).sum(axis=0) >= _LEAST_PARTICLES
    each = np.where(seen, np.nanmedian(single, axis=0), 1.0) / _MEDIAN
    each = median_filter(each, (_BLOCK - 1, 1), mode="nearest")
    blocks = np.abs(np.stack([_pooled(one, weight) for one, weight in zip(values, weights, strict=True)]))
    usual = np.quantile(blocks, _SIGMA, axis=0)
    place = np.minimum(np.arange(len(scanned)) // _BLOCK, len(usual) - 1)
    excess = np.maximum(np.maximum(each, usual[place]), 1.0)
    # One that was repeated: as the view that it repeats.
    alike = np.argmin(np.abs(found.theta_deg[:, None] - found.theta_deg[None, scanned]), axis=1)
    return excess[np.where(found.views >= 0, np.cumsum(found.views >= 0) - 1, alike)]


def _weighted_median(values: Array, weights: Array) -> Array:
    """Over the first axis."""
    order = np.argsort(values, axis=0)
    sums = np.cumsum(np.take_along_axis(weights, order, 0), axis=0)
    middle = np.argmax(sums >= sums[-1:] / 2, axis=0)
    return np.take_along_axis(np.take_along_axis(values, order, 0), middle[None], 0)[0]
