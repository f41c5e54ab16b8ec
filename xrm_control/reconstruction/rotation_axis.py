"""Where the rotation axis is: a view and its opposite are mirror images about it.

For a parallel beam p(theta + 180, u) = p(theta, 2 axis - u). Mirrored, the two views differ by a shift alone, found
over all rows at once by registration to a small part of a pixel. That holds whatever lies beyond the field of view,
where a centre of mass does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError

_LOW_PASS_PX = 1.0  # keeps interpolation from favouring half pixels
_HIGH_PASS_PX = 12.0  # takes out the beam's drift between the views
_CONTRAST_FLOOR = 0.02  # transmission below which the logarithm is all noise
_MOST_PAIRS = 8
_MARGIN_PX = 4
_LEAST_OVERLAP_PX = 8
_BLOCKS = 16
_PARTLY = 0.2  # of the columns
# Standard deviations by which two views are more alike than noise is: below 4 in noise alone, 12 with one faint ball.
_LEAST_SIGMAS = 5.0


@dataclass(frozen=True)
class RotationAxis:
    """column_px: absolute, pixel centres at whole numbers. uncertainty_px: one sigma. pairs: views compared.

    noise_px: the part of the uncertainty that noise in the views makes, whatever else parts one pair from another.
    tilt_deg: of the detector against it; the column is that of views that are turned back by it. told: whether the
    views tell it at all; else it is taken to be in the middle, and may be anywhere.
    """

    column_px: float
    uncertainty_px: float
    pairs: tuple[tuple[int, int], ...]
    noise_px: float = 0.0
    tilt_deg: float = 0.0
    told: bool = True


@dataclass(frozen=True)
class _Match:
    """sigmas: by how much the two are more alike than noise would be."""

    shift_px: float
    uncertainty_px: float
    sigmas: float = math.inf


def opposite_pairs(theta_deg: NDArray[np.floating], tolerance_steps: float = 1.5) -> list[tuple[int, int]]:
    """Pairs of views (i, j) half a turn apart, theta[j] above theta[i], the best first, at most 8.

    tolerance_steps: how far from 180 degrees a pair may be, in steps of the scan. Raises DataError without a pair.
    """
    theta = np.asarray(theta_deg, float)
    ordered = np.unique(theta)
    steps = np.diff(ordered)
    steps = steps[steps > 1e-3]
    step = float(np.median(steps)) if steps.size else 180.0
    miss = np.abs(theta[None, :] - theta[:, None] - 180.0)
    best = float(miss.min())
    tolerance = min(tolerance_steps * step, 5.0)
    if best > tolerance:
        raise DataError(
            "no two views are half a turn apart, so the rotation axis cannot be found",
            where="theta_deg",
            value=f"{np.ptp(theta):.2f} degrees covered, best pair misses 180 by {best:.3f}",
            limit=f"{tolerance:.3f} degrees",
            remedy="give rotation_axis as a detector column",
        )
    found = np.argwhere(miss <= best + 0.05 * step)
    found = found[np.linspace(0, len(found) - 1, min(len(found), _MOST_PAIRS)).round().astype(int)]
    return [(int(first), int(second)) for first, second in found]


def find_rotation_axis(transmissions: NDArray[np.float32], theta_deg: NDArray[np.floating]) -> RotationAxis:
    """The axis from all opposite pairs among the views.

    transmissions (n, rows, columns); theta_deg (n,). Where the best pair misses 180 degrees, what the sample turns in
    between is measured between neighbouring views and taken off. Pairs that show no more than noise do not count.
    Raises DataError where no pair exists or nothing in it has contrast.
    """
    theta = np.asarray(theta_deg, float)
    pairs = opposite_pairs(theta)
    columns = transmissions.shape[2]
    shifts, errors = [], []
    for first, second in pairs:
        match = _overlapping(transmissions[first][:, ::-1], transmissions[second])
        if match.sigmas < _LEAST_SIGMAS:
            continue
        turn = theta[second] - theta[first] - 180.0
        drift = _Match(0.0, 0.0)
        if abs(turn) > 0.02:
            drift = _turning(transmissions, theta, first, second, turn)
        shifts.append(match.shift_px - drift.shift_px)
        errors.append(math.hypot(match.uncertainty_px, drift.uncertainty_px))
    if not shifts:
        anywhere_px = columns / math.sqrt(12)
        return RotationAxis((columns - 1) / 2, anywhere_px, tuple(pairs), anywhere_px, told=False)
    spread = np.std(shifts, ddof=1) if len(shifts) > 1 else 0.0
    noise = float(np.median(errors))
    error = max(noise, float(spread)) / math.sqrt(len(shifts))
    return RotationAxis(
        column_px=(columns - 1) / 2 + float(np.median(shifts)) / 2,
        uncertainty_px=error / 2,
        pairs=tuple(pairs),
        noise_px=noise / math.sqrt(len(shifts)) / 2,
    )


def _overlapping(moving: NDArray[np.float32], fixed: NDArray[np.float32]) -> _Match:
    """`_match` of two images; where they have but a part in common, of that part alone.

    The filters reach beyond an image's edge: with the same edge in both, what they do there is the same too.
    """
    match = _match(_prepared(moving), _prepared(fixed))
    by, columns = round(match.shift_px), moving.shape[1]
    if match.sigmas < _LEAST_SIGMAS or not _PARTLY * columns < abs(by) < columns - 2 * _LEAST_OVERLAP_PX:
        return match
    own, other = (moving[:, :-by], fixed[:, by:]) if by > 0 else (moving[:, -by:], fixed[:, :by])
    found = _match(_prepared(own), _prepared(other))
    return (
        _Match(by + found.shift_px, found.uncertainty_px, found.sigmas) if abs(found.shift_px) < _MARGIN_PX else match
    )


def views_for_axis(theta_deg: NDArray[np.floating]) -> NDArray[np.int64]:
    """The views that `find_rotation_axis` looks at, so that the others need not be prepared."""
    theta = np.asarray(theta_deg, float)
    wanted: set[int] = set()
    for pair in opposite_pairs(theta):
        wanted.update(pair)
        if abs(theta[pair[1]] - theta[pair[0]] - 180.0) > 0.02:
            wanted.update(view for end in pair for view in _neighbours(theta, end))
    return np.array(sorted(wanted))


def _turning(
    transmissions: NDArray[np.float32], theta: NDArray[np.float64], first: int, second: int, turn_deg: float
) -> _Match:
    """How far the mirrored image moves in `turn_deg`, from neighbours at both ends of the half turn."""
    rates, errors = [], []
    for end, sign in ((first, -1.0), (second, 1.0)):
        for other in _neighbours(theta, end):
            match = _match(_prepared(transmissions[end]), _prepared(transmissions[other]))
            rates.append(sign * match.shift_px / (theta[other] - theta[end]))
            errors.append(match.uncertainty_px / abs(theta[other] - theta[end]))
    if not rates:
        return _Match(0.0, 0.0)
    error = math.hypot(float(np.mean(errors)), float(np.std(rates))) / math.sqrt(len(rates))
    return _Match(float(np.mean(rates)) * turn_deg, error * abs(turn_deg))


def _neighbours(theta: NDArray[np.float64], view: int) -> list[int]:
    """The nearest view at another angle, if it is within 5 degrees."""
    distance = np.abs(theta - theta[view])
    distance[distance < 1e-3] = np.inf
    nearest = int(np.argmin(distance))
    return [nearest] if distance[nearest] <= 5.0 else []


def _low_pass_px(rows: int) -> tuple[float, float]:
    """How far views of so many rows are smoothed, across the rows and along them: next to no rows are not."""
    return (_LOW_PASS_PX if rows > 3 else 0.0, _LOW_PASS_PX)


def _prepared(image: NDArray[np.float32]) -> NDArray[np.float64]:
    """Bounded logarithm, band-passed along the columns: nearly opaque regions keep what contrast they have."""
    from scipy.ndimage import gaussian_filter

    bounded = -np.log(np.maximum(np.asarray(image, float), 0) + _CONTRAST_FLOOR)
    smooth = gaussian_filter(bounded, _low_pass_px(len(image)), mode="nearest")
    return smooth - gaussian_filter(bounded, (0.0, _HIGH_PASS_PX), mode="nearest")


def _match(moving: NDArray[np.float64], fixed: NDArray[np.float64]) -> _Match:
    """The shift to the right that brings `moving` onto `fixed`, over all rows jointly."""
    from scipy.interpolate import CubicSpline
    from scipy.optimize import fminbound

    coarse, sigmas = _coarse_shift(moving, fixed)
    columns = fixed.shape[1]
    # Both images are moved by half, in opposite directions, so that interpolation smooths both alike.
    margin = math.ceil(abs(coarse) / 2 + _MARGIN_PX)
    grid = np.arange(margin, columns - margin, dtype=float)
    if grid.size < _LEAST_OVERLAP_PX:
        raise _no_overlap(f"{coarse} px apart")
    first = CubicSpline(np.arange(columns), moving, axis=1)
    second = CubicSpline(np.arange(columns), fixed, axis=1)

    def difference(shift_px: float) -> NDArray[np.float64]:
        return first(grid - shift_px / 2) - second(grid + shift_px / 2)

    found = fminbound(lambda shift_px: float(np.mean(difference(shift_px) ** 2)), coarse - 1.5, coarse + 1.5, xtol=1e-4)
    best = float(np.asarray(found))
    slope = (first(grid - best / 2, 1) + second(grid + best / 2, 1)) / 2
    return _Match(best, _standard_error(difference(best), slope), sigmas)


def _coarse_shift(moving: NDArray[np.float64], fixed: NDArray[np.float64]) -> tuple[int, float]:
    """The whole-pixel shift of best correlation, each shift normalised by its own overlap, and its significance."""
    columns = fixed.shape[1]
    size = 2 * columns
    spectrum = np.conj(np.fft.rfft(moving, size, axis=1)) * np.fft.rfft(fixed, size, axis=1)
    products = np.fft.irfft(spectrum.sum(axis=0), size)
    shifts = np.arange(-(columns - 2 * _LEAST_OVERLAP_PX), columns - 2 * _LEAST_OVERLAP_PX + 1)
    if shifts.size == 0:
        raise _no_overlap(f"{columns} columns")
    energy_moving = np.concatenate(([0.0], np.cumsum((moving**2).sum(axis=0))))
    energy_fixed = np.concatenate(([0.0], np.cumsum((fixed**2).sum(axis=0))))
    right, left = np.maximum(shifts, 0), np.maximum(-shifts, 0)
    energy = (energy_moving[columns - right] - energy_moving[left]) * (
        energy_fixed[columns - left] - energy_fixed[right]
    )
    if energy_moving[-1] <= 0 or energy_fixed[-1] <= 0:
        raise DataError(
            "the opposite views are without contrast",
            where="rotation axis",
            remedy="check that beam and sample are in the field of view, or give rotation_axis as a column",
        )
    score = products[shifts % size] / np.sqrt(np.maximum(energy, 1e-3 * energy_moving[-1] * energy_fixed[-1]))
    best = int(np.argmax(score))
    return int(shifts[best]), _significance(float(score[best]), len(fixed), columns - abs(int(shifts[best])))


def _significance(correlation: float, rows: int, columns: int) -> float:
    """Standard deviations of a correlation of smoothed noise (Fisher 1921)."""
    # Noise that was smoothed so is the same over so many pixels.
    grains = rows * columns / math.prod(2 * math.sqrt(math.pi) * reach for reach in _low_pass_px(rows) if reach)
    return math.atanh(min(correlation, 1 - 1e-9)) * math.sqrt(max(grains - 3, 0.0))


def _standard_error(difference: NDArray[np.float64], slope: NDArray[np.float64]) -> float:
    """Standard error of a least-squares shift, from how much the image's blocks disagree (noise is correlated)."""
    axis = 0 if len(difference) >= _BLOCKS else 1
    blocks = np.array_split(np.arange(difference.shape[axis]), _BLOCKS)
    pulls = np.array([(difference * slope).take(block, axis=axis).sum() for block in blocks])
    return float(np.sqrt((pulls**2).sum()) / max(float((slope**2).sum()), 1e-30))


def _no_overlap(value: str) -> DataError:
    return DataError(
        "opposite views hardly overlap",
        where="rotation axis",
        value=value,
        limit=f"{_LEAST_OVERLAP_PX} columns in common",
        remedy="give rotation_axis as a detector column",
    )
