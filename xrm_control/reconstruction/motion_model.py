"""What views say of their shifts, put together: each against the volume, against its neighbours, against its opposite.

A view against the volume tells its shift up to what the volume has taken up: along the axis a constant, along the
rows the sine and cosine of a sample that stands elsewhere; a constant there is the axis'. Views along a strip, that see
much that the volume does not hold, tell little. Against their neighbours they tell more; and the first view and the
last, half a turn apart, tell where the axis is. What moves is taken for jitter, anew in each view, and drift besides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.reconstruction.registering import neighbour_matrix

_FLOOR_PX = 0.01
_FLAT_PX = 1e4
_LEAST_PX = 0.003
_ALIKE_VIEWS = 5.0
_WIDER = 2.0  # blocks of rows know nothing of what is the same in all of them


@dataclass(frozen=True)
class Told:
    """Along one direction, of n views by angle, as they were moved already by moved_px (n,): what is left.

    volume, neighbours (n,): see `registered`, with one sigma each; opposite: what is left of the last view against the
    mirrored first, and one sigma; None where they are not half a turn apart. profiles, u_profiles (n,): along the axis,
    see `profiles_registered`.
    """

    moved_px: NDArray[np.float64]
    volume: NDArray[np.float64]
    u_volume: NDArray[np.float64]
    neighbours: NDArray[np.float64]
    u_neighbours: NDArray[np.float64]
    opposite: tuple[float, float] | None
    profiles: NDArray[np.float64] | None = None
    u_profiles: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Found:
    """shifts_px (n,): how far each view lies from where it should, u_px (n,): one sigma; jitter_px: root mean square,
    drift_px: that of the drift in them; middle_px: constant part along the rows, which is the axis' and not in the
    shifts, and one sigma of it.
    """

    shifts_px: NDArray[np.float64]
    u_px: NDArray[np.float64]
    jitter_px: float
    middle_px: float = 0.0
    u_middle_px: float = 0.0
    drift_px: float = 0.0


def along_rows(told: Told, theta_deg: NDArray[np.float64], time_s: NDArray[np.float64], drift_px: float) -> Found:
    """Shifts to the right; drift_px: how much steady drift is to be reckoned with: a steady
    one is nearly the same as a sample that stands elsewhere.
    """
    angle = np.radians(theta_deg)
    circle = np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle)], axis=1)
    jitter = jitter_px(told, -1.0)
    count = len(angle)
    # Unknown: jitter of each view, drift, the constant, and the place that the volume has taken up.
    drift = curves(time_s, 1)[:, 1:]
    volume = np.hstack([np.eye(count), drift, circle])
    matrix = neighbour_matrix(count, None if told.opposite is None else -1.0)
    near = np.hstack([matrix, matrix @ volume[:, count:]])
    near[:, -2:] = 0.0
    ends = volume[:1] + volume[-1:]
    ends[0, -2:] = 0.0
    prior_px = np.full(volume.shape[1], _FLAT_PX)
    prior_px[:count], prior_px[count] = jitter, max(drift_px, _LEAST_PX)
    found, covariance = _solved(told, (volume, near, ends), prior_px, told.moved_px[0] + told.moved_px[-1])
    middle = count + 1
    shifts, u = _outside(volume[:, :middle], circle, found, covariance)
    return Found(shifts, u, jitter, float(found[middle]), float(np.sqrt(covariance[middle, middle])))


def along_axis(told: Told, time_s: NDArray[np.float64]) -> Found:
    """Shifts downwards: jitter, and drift as a curve of third order in time."""
    count = len(time_s)
    drift = curves(time_s, 3)
    jitter = jitter_px(told, 1.0)
    matrix = neighbour_matrix(count, None if told.opposite is None else 1.0)
    # Unknown: jitter of each view, drift, and where the views that see all lie together.
    volume = np.hstack([np.eye(count), drift, np.zeros((count, 1))])
    near = np.hstack([matrix, matrix @ volume[:, count:]])
    ends = volume[-1:] - volume[:1]
    prior_px = np.full(volume.shape[1], _FLAT_PX)
    prior_px[:count] = jitter
    found, covariance = _solved(told, (volume, near, ends), prior_px, told.moved_px[-1] - told.moved_px[0])
    shifts, u = _outside(volume, np.ones((count, 1)), found, covariance)
    return Found(shifts, u, jitter, drift_px=float(np.std(drift @ found[count:-1])))


def curves(time_s: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """(n, order + 1): polynomials of Legendre over the time of a scan."""
    since = 2 * (time_s - time_s.min()) / max(float(np.ptp(time_s)), 1e-9) - 1
    return np.polynomial.legendre.legvander(since, order)


def _outside(
    parts: NDArray[np.float64],
    gauge: NDArray[np.float64],
    found: NDArray[np.float64],
    covariance: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shifts (n,) and their sigmas: what `parts` (n, m) makes of unknowns, without what the gauge (n, k) takes."""
    size = parts.shape[1]
    along = np.linalg.lstsq(gauge, parts, rcond=None)[0]
    free = parts - gauge @ along
    # Not as one einsum, which takes n^3 steps one after the other.
    variance = ((free @ covariance[:size, :size]) * free).sum(axis=1)
    return free @ found[:size], np.asarray(np.sqrt(variance), np.float64)


def jitter_px(told: Told, turned: float) -> float:
    """Root mean square from view to view: what views differ by from their neighbours, less what they differ by without.

    By maximum likelihood over those that tell, so that a few that say little count little.
    """
    matrix = neighbour_matrix(len(told.moved_px), None if told.opposite is None else turned)
    gain = (matrix**2).sum(axis=1)
    whole = told.neighbours + matrix @ told.moved_px
    variance = told.u_neighbours**2 + _FLOOR_PX**2
    sizes = np.geomspace(_LEAST_PX, 5.0, 80)
    total = variance[None] + gain[None] * sizes[:, None] ** 2
    # Wild ones weigh less, as with Student's distribution of four degrees.
    likelihood = -0.5 * (np.log(total) + 5 * np.log1p(whole[None] ** 2 / (4 * total))).sum(axis=1)
    return float(sizes[int(np.argmax(likelihood))])


def _solved(
    told: Told,
    equations: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    prior_px: NDArray[np.float64],
    ends_moved_px: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unknowns (n + m,), the jitter of the views first, and their covariance; prior_px: how large each may be."""
    from scipy.sparse import csr_array

    volume, near, ends = equations
    count = len(told.moved_px)
    matrix = near[:, :count]
    normal = np.diag(1 / prior_px**2)
    pull = np.zeros(volume.shape[1])
    # What the volume does not hold is much the same in views that follow each other, and so is what it does to them.
    apart = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    u = _WIDER * told.u_volume
    alike = np.outer(u, u) * np.exp(-apart / _ALIKE_VIEWS)
    rows = [
        (volume, told.moved_px + told.volume, alike + _FLOOR_PX**2 * np.eye(count)),
        (near, matrix @ told.moved_px + told.neighbours, (_WIDER * told.u_neighbours) ** 2 + _FLOOR_PX**2),
    ]
    if told.opposite is not None:
        rows.append(
            (ends, np.array([ends_moved_px + told.opposite[0]]), np.array([told.opposite[1] ** 2 + _FLOOR_PX**2]))
        )
    if told.profiles is not None and told.u_profiles is not None:
        told_of = np.isfinite(told.u_profiles)
        whole = volume[told_of]
        whole[:, -1] = 1.0
        shifts = (told.moved_px + told.profiles)[told_of]
        rows.append((whole, shifts, told.u_profiles[told_of] ** 2 + _FLOOR_PX**2))
    for a, b, spread in rows:
        both = np.column_stack([a, b])
        # Variances of what is independent, or a covariance.
        weighted = both / spread[:, None] if spread.ndim == 1 else np.linalg.solve(spread, both)
        # Each equation holds a few of the unknowns.
        added = csr_array(a).T @ weighted
        normal += added[:, :-1]
        pull += added[:, -1]
    covariance = np.linalg.inv(normal)
    return np.asarray(covariance @ pull, np.float64), np.asarray(covariance, np.float64)
