"""From filtered back-projection to the least-squares solution, where the detector has seen the whole sample.

With few, uneven or missing views a filtered back-projection does not project back onto the data; a few conjugate
gradients on the Toeplitz gram operator, with its circulant as preconditioner, see to that (Chan and Ng 1996).
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from xrm_control.reconstruction.gram import Gram
from xrm_control.reconstruction.nufft import polar_sums, transform_length

_ACCURACY = 1e-4
_BLOCK = 8  # slices that stay in the cache together
_FLOOR = 0.1  # per view, of the preconditioner: what views hardly see is left as it is
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
    axis_px: float,
    threads: int,
) -> NDArray[np.float32]:
    """A^T W b: sinograms (rows, n, columns) -> (rows, columns, columns), in pixels, zeros beyond the detector."""
    columns = sinograms.shape[2]
    length = transform_length(columns, columns)
    shift = np.exp(2j * np.pi * np.fft.fftfreq(length) * axis_px) / length
    response = (np.asarray(weights)[:, None] * shift).astype(np.complex64)
    return polar_sums(sinograms, theta_deg, response, columns, accuracy=_ACCURACY, threads=threads)


def refined(
    gram: Gram, start: NDArray[np.float32], target: NDArray[np.float32], views: int, steps: int, threads: int
) -> NDArray[np.float32]:
    """Some steps from `start` towards the solution of gram(x) = target; both (k, size, size), each slice for itself."""
    inverse = (1 / (gram.circulant() + _FLOOR * views)).astype(np.float32)
    out = start.copy()

    def work(first: int) -> None:
        _descend(gram, inverse, out[first : first + _BLOCK], target[first : first + _BLOCK], steps)

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, first) for first in range(0, len(start), _BLOCK)]:
            done.result()
    return out


def _descend(
    gram: Gram, inverse: NDArray[np.float32], found: NDArray[np.float32], target: NDArray[np.float32], steps: int
) -> None:
    residual = target - gram(found)
    gradient = _convolved(residual, inverse)
    direction = gradient
    power = _dot(residual, gradient)
    for _ in range(steps):
        image = gram(direction)
        step = _share(power, _dot(direction, image))
        found += step * direction
        residual -= step * image
        gradient = _convolved(residual, inverse)
        before, power = power, _dot(residual, gradient)
        direction = np.asarray(gradient + _share(power, before) * direction, np.float32)


def _convolved(slices: NDArray[np.float32], response: NDArray[np.float32]) -> NDArray[np.float32]:
    spectrum = np.asarray(scipy.fft.rfft2(slices, axes=(1, 2))) * response
    return np.asarray(scipy.fft.irfft2(spectrum, slices.shape[1:], axes=(1, 2)))


def _dot(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.einsum("kij,kij->k", one, other, dtype=np.float64)


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float32]:
    """part / whole (k, 1, 1); 0 where there is nothing left to divide."""
    share = np.where(whole > 1e-30, part / np.maximum(whole, 1e-30), 0)
    return share.astype(np.float32)[:, None, None]
