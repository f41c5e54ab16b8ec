"""Particles that did not stay where they were while a scan was taken.

Each particle's place in the views is held against ways to move: a hop before any of the views, an even drift, and one
that settles. What all particles do together is the views' motion and no particle's. Errors are what the particles
scatter by around still places, view by view and together over a few views: near a strip's edge, where much lies behind
one another, a place says little.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xrm_control.contracts.tables import Particle
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.processing.trust.particle_shifts import ParticleShifts, particle_shifts
from xrm_control.reconstruction.filters import medians

Way = Literal["hop", "drift", "settle", "gone"]

LEAST_PX, LEAST_STRENGTH = 0.6, 10.0
LEAST_PARTICLES = 4
_LEAST_VIEWS = 24
_SURE = 4.0  # errors in its own direction
_FLOOR_PX, _FLOOR_MORE = 0.03, 0.02  # of a place, and of how much there is, in one view
_MEDIAN, _SIGMA = 0.6745, 0.683  # of the normal distribution
_BLOCK = 6  # views over which errors hang together
_USUAL_PX = 3.0  # of a move: directions that no view tells are not made up
_SETTLING = (0.1, 0.2, 0.4)  # of the scan
_BLURRED = 0.25  # of its diameter: farther, the volume shows more than one of it
_GONE, _GONE_STRENGTH = 0.5, 9.0  # so much of it is not there in some views
_ALONE, _FAR_PX = 4, 1.0  # views, of a place that the others around do not have

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Mover:
    """A particle by its number. way: of moving; gone: it hopped farther than it can be followed. by_um, u_um: how far,
    and one sigma; step_um: along x, y and z. from_view, theta_deg: the first view after a hop, -1 the one
    that was repeated; of one that crept the first. strength: of what moving explains, in sigmas. right_px, down_px
    (n,): where it lay in each view, as the move has it. at_least: so far that the volume shows two of it.
    """

    particle: int
    way: Way
    by_um: float
    u_um: float
    step_um: tuple[float, float, float]
    from_view: int
    theta_deg: float
    strength: float
    right_px: Array
    down_px: Array
    at_least: bool = False


@dataclass(frozen=True)
class Movers:
    """those: the surest first; looked_at: how many particles were; shifts: what it rests on; strongest: of the moves
    of those that are taken for still.
    """

    those: tuple[Mover, ...]
    looked_at: int
    shifts: ParticleShifts
    strongest: float


def movers(evidence: RegionEvidence) -> Movers | str:
    """Whole particles that moved; why none can be looked for, in their place."""
    if evidence.whole is None:
        return "no particles were measured"
    numbers = np.array(evidence.whole.ids(Particle.particle_id), np.int64)
    if len(numbers) < LEAST_PARTICLES:
        return f"fewer than {LEAST_PARTICLES} whole particles: nobody can say what is usual"
    found = particle_shifts(evidence, numbers)
    if isinstance(found, str):
        return found
    if len(found.views) < _LEAST_VIEWS:
        return "too few views"
    size_um = dict(zip(numbers.tolist(), evidence.whole.numbers(Particle.equivalent_diameter_um), strict=True))
    return judged_shifts(found, evidence.scan.pixel_size_um, size_um)


def judged_shifts(found: ParticleShifts, pixel_um: float, size_um: dict[int, float]) -> Movers:
    """Which of them moved; size_um: their diameters."""
    ways, names = _ways(len(found.views))
    series = _Series.of(found)
    those: list[Mover] = []
    still = 0.0
    for place, number in enumerate(found.ids.tolist()):
        hop, gone = series.moved(place, ways), series.appeared(place, ways)
        size_px = float(np.linalg.norm(hop.step))
        u_px = float(np.linalg.norm(hop.u * hop.step)) / max(size_px, 1e-9)
        hops = hop.strength > LEAST_STRENGTH and size_px > max(LEAST_PX, _SURE * u_px)
        # More of it than there is, is something else before or behind it.
        least = float(min(gone.first[0], gone.first[0] + gone.step[0]))
        vanishes = gone.strength > _GONE_STRENGTH and least < -_GONE and abs(float(gone.step[0])) > _GONE
        if not hops and not vanishes:
            still = max(still, hop.strength)
            continue
        way: Way = names[hop.kind] if hops else "gone"
        view = hop.kind if way == "hop" else gone.kind if way == "gone" else 0
        # Beyond half its own size it is no longer found.
        by_um, u_um = (size_px * pixel_um, u_px * pixel_um) if hops else (size_um[number] / 2, float("nan"))
        x, y, z = (float(one) * pixel_um for one in hop.step)
        right, down = series.track(hop, ways)
        those.append(
            Mover(
                number,
                way,
                by_um,
                u_um,
                (x, y, z),
                int(found.views[view]),
                float(found.theta_deg[view]),
                max(hop.strength, gone.strength),
                right,
                down,
                not hops or by_um > _BLURRED * size_um[number],
            )
        )
    return Movers(tuple(sorted(those, key=lambda one: -one.strength)), len(found.ids), found, still)


def _ways(count: int) -> tuple[Array, list[Way]]:
    """(k, n): the share of its way that has been gone in each view; way k below n: hops before view k."""
    hops = (np.arange(count)[None] >= np.arange(count)[:, None]).astype(float)
    time = np.linspace(0, 1, count)
    settling = np.stack([(1 - np.exp(-time / tau)) / (1 - np.exp(-1 / tau)) for tau in _SETTLING])
    names: list[Way] = [_way(number, count) for number in range(count + 1 + len(_SETTLING))]
    return np.concatenate([hops, time[None], settling]), names


def _way(number: int, count: int) -> Way:
    if number < count:
        return "hop"
    return "drift" if number == count else "settle"


@dataclass(frozen=True)
class _Fit:
    """The best of some ways: its number, where it began and how far it went (k,), with errors, and in how many sigmas
    that explains more than standing still does."""

    kind: int
    first: Array
    step: Array
    u: Array
    strength: float


@dataclass(frozen=True)
class _Series:
    """sideways (n, 2): how x and y are seen in each view; values (p, n, 3): right, down and more, without what all do;
    weights likewise."""

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
        u = np.hypot(np.where(known, u, 1.0), np.array([_FLOOR_PX, _FLOOR_PX, _FLOOR_MORE]))
        weights = np.where(known, 1 / u**2, 0.0)
        values = np.where(known, values, 0.0)
        weights[_astray(values, u, found.views >= 0)] = 0.0
        values[..., :2] -= _weighted_median(values[..., :2], weights[..., :2])
        return cls(sideways, values, weights / _excess(values, weights, found)[None] ** 2)

    @property
    def rows(self) -> Array:
        """(n, 2, 3): how a place in space is seen to the right and down."""
        rows = np.zeros((len(self.sideways), 2, 3))
        rows[:, 0, :2] = self.sideways
        rows[:, 1, 2] = 1
        return rows

    def moved(self, place: int, ways: Array) -> _Fit:
        """The way that explains best where one particle lay."""
        return _best(self.rows, self.values[place, :, :2], self.weights[place, :, :2], ways, _USUAL_PX)

    def appeared(self, place: int, ways: Array) -> _Fit:
        """The hop that explains best in which views it was where the volume has it."""
        count = len(self.sideways)
        ones = np.ones((count, 1, 1))
        return _best(ones, self.values[place, :, 2:], self.weights[place, :, 2:], ways[:count], 1.0)

    def track(self, fit: _Fit, ways: Array) -> tuple[Array, Array]:
        """Right and down (n,) of a particle that moves so."""
        there = fit.first + ways[fit.kind][:, None] * fit.step
        right, down = np.einsum("nmi,ni->mn", self.rows, there)
        return right, down


def _best(rows: Array, values: Array, weights: Array, ways: Array, usual: float) -> _Fit:
    """rows (n, m, k): how an offset is seen in m ways; values, weights (n, m)."""
    k = rows.shape[2]
    normal = np.einsum("nmi,nm,nmj->nij", rows, weights, rows)
    pull = np.einsum("nmi,nm->ni", rows, weights * values)
    flat = normal.reshape(len(normal), -1)
    cross = (ways @ flat).reshape(-1, k, k)
    square = (ways**2 @ flat).reshape(-1, k, k)
    still = np.asarray(np.linalg.inv(normal.sum(axis=0) + 1e-9 * np.eye(k)), np.float64)
    place = still @ pull.sum(axis=0)
    precision = square - cross @ still @ cross + np.eye(k) / usual**2
    rest = ways @ pull - np.einsum("wij,j->wi", cross, place)
    covariance = np.asarray(np.linalg.inv(precision), np.float64)
    step = np.einsum("wij,wj->wi", covariance, rest)
    gain = np.einsum("wi,wi->w", step, rest)
    kind = int(np.argmax(gain))
    first = place - still @ cross[kind] @ step[kind]
    left = values - np.einsum("nmi,ni->nm", rows, first + ways[kind][:, None] * step[kind])
    free = len(values) / max(len(values) - 2 * k, 1)
    excess = max(float(np.mean(_pooled(left, weights) ** 2)) * free, 1.0)
    u = np.sqrt(np.diag(covariance[kind]) * excess)
    return _Fit(kind, first, step[kind], u, float(np.sqrt(max(gain[kind], 0) / excess)))


def _pooled(values: Array, weights: Array) -> Array:
    """Over blocks of views, of the first axis: sums over their errors, of which white noise would make a mean square
    of 1."""
    count = len(values) // _BLOCK * _BLOCK
    shape = (-1, _BLOCK, *values.shape[1:])
    sums = (values * weights)[:count].reshape(shape).sum(axis=1)
    total = weights[:count].reshape(shape).sum(axis=1)
    return np.where(total > 0, sums / np.sqrt(np.maximum(total, 1e-12)), 0.0)


def _excess(values: Array, weights: Array, found: ParticleShifts) -> Array:
    """(n, 3): by how much particles scatter in each view, and over blocks around it, over what their pixels say."""
    scanned = np.flatnonzero(found.views >= 0)
    values, weights = values[:, scanned], weights[:, scanned]
    seen = np.count_nonzero(weights, axis=0) >= LEAST_PARTICLES
    single = np.where(weights > 0, np.abs(values) * np.sqrt(weights), np.nan)
    each = np.asarray(np.nanmedian(np.where(seen, single, _MEDIAN), axis=0), np.float64) / _MEDIAN
    each = medians(each, _BLOCK - 1)
    blocks = np.abs(np.stack([_pooled(one, weight) for one, weight in zip(values, weights, strict=True)]))
    usual = np.quantile(blocks, _SIGMA, axis=0)
    place = np.minimum(np.arange(len(scanned)) // _BLOCK, len(usual) - 1)
    excess = np.maximum(np.maximum(each, usual[place]), 1.0)
    # One that was repeated: as the view that it repeats.
    alike = np.argmin(np.abs(found.theta_deg[:, None] - found.theta_deg[None, scanned]), axis=1)
    return excess[np.where(found.views >= 0, np.cumsum(found.views >= 0) - 1, alike)]


def _astray(values: Array, u: Array, scanned: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(p, n): places that a particle had in a few views alone, as where something else passes that looks like it."""
    around = medians(values[:, scanned, :2].swapaxes(0, 1), 2 * _ALONE + 1).swapaxes(0, 1)
    far = np.abs(values[:, scanned, :2] - around) > np.maximum(_FAR_PX, 5 * u[:, scanned, :2])
    astray = np.zeros(values.shape[:2], bool)
    astray[:, scanned] = far.any(axis=-1)
    return astray


def _weighted_median(values: Array, weights: Array) -> Array:
    """Over the first axis."""
    order = np.argsort(values, axis=0)
    sums = np.cumsum(np.take_along_axis(weights, order, 0), axis=0)
    middle = np.argmax(sums >= sums[-1:] / 2, axis=0)
    return np.take_along_axis(np.take_along_axis(values, order, 0), middle[None], 0)[0]
