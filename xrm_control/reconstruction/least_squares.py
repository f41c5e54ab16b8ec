"""Least squares on the Toeplitz gram operator, slices in blocks that stay in the cache, each slice for itself.

Where the detector has seen the whole sample, A^T W b is all that the data say; two FFTs a round do the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from xrm_control.reconstruction.gram import Gram
from xrm_control.reconstruction.nufft import polar_sums, transform_length
from xrm_control.reconstruction.reconstructor import AxisPx

_ACCURACY = 1e-5
_BLOCK_PIXELS = 131_072  # of slices that are worked on together: they stay in the cache
_SAFE_STEP = 0.95  # the sinc between pixels dips below zero
_SETTLED = 0.1  # of the target's size, divided by the columns: fine detail is that faint in it
_EDGE_PX = 4
_AIR_SHARE = 0.01  # of the highest level


def sees_all(sinograms: NDArray[np.float32], noise: float) -> bool:
    """Whether sinograms (rows, n, columns) end in air on both sides, but for `noise`, as far as their mean tells."""
    edges = [sinograms[..., :_EDGE_PX], sinograms[..., -_EDGE_PX:]]
    highest = float(np.quantile(sinograms.mean(axis=(0, 1)), 0.95))
    chance = 3 * noise / math.sqrt(edges[0].size)
    return all(abs(float(edge.mean())) <= _AIR_SHARE * highest + chance for edge in edges)


def back_projected(
    sinograms: NDArray[np.float32],
    theta_deg: NDArray[np.floating],
    weights: NDArray[np.floating],
    axis_px: AxisPx,
    threads: int,
) -> NDArray[np.float32]:
    """A^T W b: sinograms (rows, n, columns) -> (rows, columns, columns), in pixels, zeros beyond the detector."""
    columns = sinograms.shape[2]
    axis = np.reshape(axis_px, (-1, 1))
    length = transform_length(columns + 2 * math.ceil(np.ptp(axis)), columns)
    shift = np.exp(2j * np.pi * np.fft.fftfreq(length) * axis) / length
    response = (np.asarray(weights)[:, None] * shift).astype(np.complex64)
    return polar_sums(sinograms, theta_deg, response, columns, accuracy=_ACCURACY, threads=threads)


def conjugate_gradients(
    gram: Gram,
    target: NDArray[np.float32],
    iterations: int,
    tolerance: NDArray[np.floating],
    threads: int,
    *,
    start: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """CGLS (Hestenes and Stiefel 1952) on gram(x) = target, from `start` or zero, each slice for itself.

    target (k, size, size); tolerance (k,): a slice is left as it is once `energy` is down to this, or its residual
    to what the operator's own errors make of it, which further rounds would only follow.
    """

    def solve(
        start: NDArray[np.float32], target: NDArray[np.float32], tolerance: NDArray[np.floating]
    ) -> NDArray[np.float32]:
        found = start.copy()
        image = gram(found)
        energies = 0.5 * _dot(found, image) - _dot(found, target)
        residual = np.asarray(target - image, np.float32)
        direction, power = residual, _dot(residual, residual)
        active, least = np.ones(len(found), bool), (_SETTLED / gram.size) ** 2 * _dot(target, target)
        for _ in range(iterations):
            active &= (energies > tolerance) & (power > least)
            if not active.any():
                break
            image = gram(direction)
            step = _ratio(power * active, _dot(direction, image))
            energies -= 0.5 * step[:, 0, 0] * power
            found += step * direction
            residual = np.asarray(residual - step * image, np.float32)
            before, power = power, _dot(residual, residual)
            direction = np.asarray(residual + _ratio(power, before) * direction, np.float32)
        return found

    return _in_blocks(solve, np.zeros_like(target) if start is None else start, target, tolerance, threads)


def simultaneous(
    gram: Gram,
    target: NDArray[np.float32],
    iterations: int,
    tolerance: NDArray[np.floating],
    threads: int,
    *,
    non_negative: bool,
    momentum: bool,
) -> NDArray[np.float32]:
    """As `conjugate_gradients`, by steps as SIRT's: each pixel goes as far as is safe for all together.

    The steps are 1 / gram(1) (Erdogan and Fessler 1999). momentum: each round goes on from where the last two point
    (Nesterov 1983; Kim, Ramani and Fessler 2015), so that 25 rounds do the work of a hundred.
    """
    seen = gram(np.ones((1, gram.size, gram.size), np.float32))
    step = (_SAFE_STEP / np.maximum(seen, 1e-3 * seen.max())).astype(np.float32)

    def solve(
        start: NDArray[np.float32], target: NDArray[np.float32], tolerance: NDArray[np.floating]
    ) -> NDArray[np.float32]:
        found = ahead = start
        step_size = 1.0
        for _ in range(iterations):
            residual = target - gram(ahead)
            active = -0.5 * (_dot(ahead, target) + _dot(ahead, residual)) > tolerance
            if not active.any():
                break
            before, found = found, np.asarray(ahead + step * residual, np.float32)
            if non_negative:
                np.maximum(found, 0, out=found)
            found[~active] = before[~active]
            step_size, previous = (1 + math.sqrt(1 + 4 * step_size * step_size)) / 2, step_size
            extrapolation = np.float32((previous - 1) / step_size if momentum else 0.0)
            ahead = np.asarray(found + extrapolation * (found - before), np.float32)
        return found

    return _in_blocks(solve, np.zeros_like(target), target, tolerance, threads)


def applied(gram: Gram, slices: NDArray[np.float32], threads: int) -> NDArray[np.float32]:
    """gram(slices), block by block."""
    return _in_blocks(lambda block, *_: gram(block), slices, slices, np.zeros(len(slices)), threads)


def energy(gram: Gram, slices: NDArray[np.float32], target: NDArray[np.float32]) -> NDArray[np.float64]:
    """x^T gram(x) / 2 - x^T target, (k,), least where gram(x) = target: half the misfit, but for a constant."""
    parts = [(slices[part], target[part]) for part in blocks(slices)]
    return np.concatenate([0.5 * _dot(x, gram(x)) - _dot(x, b) for x, b in parts])


def blocks(slices: NDArray[np.float32]) -> list[slice]:
    """slices (k, size, size), a few at a time."""
    step = max(1, _BLOCK_PIXELS // slices[0].size)
    return [slice(first, first + step) for first in range(0, len(slices), step)]


def _in_blocks(
    solve: Callable[[NDArray[np.float32], NDArray[np.float32], NDArray[np.floating]], NDArray[np.float32]],
    start: NDArray[np.float32],
    target: NDArray[np.float32],
    tolerance: NDArray[np.floating],
    threads: int,
) -> NDArray[np.float32]:
    out = np.empty_like(start)

    def work(part: slice) -> None:
        out[part] = solve(start[part], target[part], tolerance[part])

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, part) for part in blocks(start)]:
            done.result()
    return out


def _dot(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.einsum("kij,kij->k", one, other, dtype=np.float64)


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float32]:
    """part / whole (k, 1, 1); 0 where there is nothing left to divide."""
    share = np.where(whole > 1e-30, part / np.maximum(whole, 1e-30), 0)
    return share.astype(np.float32)[:, None, None]
