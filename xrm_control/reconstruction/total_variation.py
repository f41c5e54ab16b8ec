"""Least squares with total variation (Rudin, Osher and Fatemi 1992), slice by slice, at the cost of a few FFTs a step.

The problem is min 1/2 (x - x0)^T G (x - x0) + weight TV(x), with x0 the sharpest filtered back-projection and
G = A^T W A: for data without contradictions that is 1/2 |A x - b|^2, and matter beyond the field of view, which x0 is
already rid of, does not come back in. Split by ADMM (Goldstein and Osher 2009), the linear step taken once a round
with a circulant preconditioner, which converges as long as that exceeds the operator (Deng and Yin 2016). Beck and
Teboulle's FISTA (2009) needs hundreds of rounds for the same, since G's spectrum falls as 1 / frequency.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from xrm_control.reconstruction.gram import Gram
from xrm_control.reconstruction.least_squares import blocks

_COUPLING = 0.5  # of ADMM, per view: about where noise and edges part
_POWER_STEPS = 20
_LEAST, _MOST = 0.5, 2.0  # of a weight's change in one round


@dataclass(frozen=True)
class StoppingRule:
    """When a slice is smooth enough: (x - x0)^T G (x - x0), the part of the data taken for noise, reaches `misfit`.

    misfit (k,): per slice; weight (k,): of the total variation, to begin with; adapt: whether it then follows the
    misfit.
    """

    misfit: NDArray[np.floating]
    weight: NDArray[np.floating]
    adapt: bool


class Smoother:
    """Solves for slices of one size and one set of views."""

    def __init__(self, gram: Gram, views: int, *, non_negative: bool) -> None:
        self.gram = gram
        self.coupling = np.float32(_COUPLING * views)
        self.hold = np.float32(0.25 * views if non_negative else 0.0)
        size = gram.size
        angle = 2 * np.pi * np.fft.fftfreq(size)[:, None], 2 * np.pi * np.fft.rfftfreq(size)[None]
        roughness = 4 - 2 * np.cos(angle[0]) - 2 * np.cos(angle[1])
        self._inverse = (1 / (gram.circulant() + self.coupling * roughness + self.hold)).astype(np.float32)
        self._inverse /= np.float32(1.02 * self._largest())

    def solve(
        self, start: NDArray[np.float32], stopping: StoppingRule, iterations: int, threads: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """start (k, size, size), x0 -> the solution, and the weights (k,) in the end."""
        out = np.empty_like(start)
        weights = np.empty(len(start))

        def work(part: slice) -> None:
            chosen = StoppingRule(stopping.misfit[part], stopping.weight[part], stopping.adapt)
            out[part], weights[part] = self._block(np.ascontiguousarray(start[part]), chosen, iterations)

        with ThreadPoolExecutor(threads) as pool:
            for done in [pool.submit(work, part) for part in blocks(start)]:
                done.result()
        return out, weights

    def _block(
        self, start: NDArray[np.float32], stopping: StoppingRule, iterations: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        found = start.copy()
        weight = np.array(stopping.weight, float)
        split = np.zeros((2, *start.shape), np.float32)  # what the gradients of x should be, minus the multiplier
        multiplier = np.zeros_like(split)
        held, dual = np.maximum(start, 0), np.zeros_like(start)
        force = np.empty_like(start)
        shrink(found, split, multiplier, (weight / self.coupling).astype(np.float32))
        for _ in range(iterations):
            change = found - start
            pull = self.gram(change)
            if stopping.adapt:
                misfit = np.einsum("kij,kij->k", change, pull, dtype=np.float64)
                ratio = np.sqrt(stopping.misfit / np.maximum(misfit, 1e-30))
                weight *= np.clip(ratio, _LEAST, _MOST)
            divergence(found, split, multiplier, force)
            pull += self.coupling * force
            if self.hold:
                pull += self.hold * (found - held + dual)
            found -= self._precondition(pull)
            shrink(found, split, multiplier, (weight / self.coupling).astype(np.float32))
            if self.hold:
                dual += found
                held = np.maximum(dual, 0)
                dual -= held
        return (np.maximum(found, 0) if self.hold else found), weight

    def _precondition(self, slices: NDArray[np.float32]) -> NDArray[np.float32]:
        import scipy.fft

        spectrum = np.asarray(scipy.fft.rfft2(slices, axes=(1, 2)))
        spectrum *= self._inverse
        return np.asarray(scipy.fft.irfft2(spectrum, slices.shape[1:], axes=(1, 2), overwrite_x=True))

    def _largest(self) -> float:
        """The largest eigenvalue of the preconditioned operator, by von Mises' power iteration."""
        size = self.gram.size
        state = np.random.default_rng(0).normal(size=(1, size, size)).astype(np.float32)
        nothing, force, value = np.zeros((2, 1, size, size), np.float32), np.empty_like(state), 1.0
        for _ in range(_POWER_STEPS):
            divergence(state, nothing, nothing, force)
            pull = self.gram(state) + self.coupling * force + self.hold * state
            state = self._precondition(pull.astype(np.float32))
            value = float(np.linalg.norm(state))
            state = (state / value).astype(np.float32)
        return value


@numba.njit(nogil=True, cache=True, fastmath=True)
def shrink(
    slices: NDArray[np.float32],
    split: NDArray[np.float32],
    multiplier: NDArray[np.float32],
    threshold: NDArray[np.float32],
) -> None:
    """Shorten the gradients (differences to the next pixel; none beyond the last) plus multiplier by `threshold` (k,).

    split and multiplier (2, k, n, n), down and across, are replaced.
    """
    count, size, _ = slices.shape
    for k in range(count):
        for i in range(size):
            for j in range(size):
                here = slices[k, i, j]
                down = multiplier[0, k, i, j] + (slices[k, i + 1, j] - here if i + 1 < size else np.float32(0))
                across = multiplier[1, k, i, j] + (slices[k, i, j + 1] - here if j + 1 < size else np.float32(0))
                length = np.sqrt(down * down + across * across)
                keep = max(length - threshold[k], np.float32(0)) / max(length, np.float32(1e-30))
                split[0, k, i, j] = keep * down
                split[1, k, i, j] = keep * across
                multiplier[0, k, i, j] = down - keep * down
                multiplier[1, k, i, j] = across - keep * across


@numba.njit(nogil=True, cache=True, fastmath=True)
def divergence(
    slices: NDArray[np.float32],
    split: NDArray[np.float32],
    multiplier: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """D^T (D slices - split + multiplier) into `out`; shapes as in `shrink`."""
    count, size, _ = slices.shape
    for k in range(count):
        for i in range(size):
            for j in range(size):
                out[k, i, j] = 0
        for i in range(size):
            for j in range(size):
                here = slices[k, i, j]
                if i + 1 < size:
                    down = slices[k, i + 1, j] - here - split[0, k, i, j] + multiplier[0, k, i, j]
                    out[k, i, j] -= down
                    out[k, i + 1, j] += down
                if j + 1 < size:
                    across = slices[k, i, j + 1] - here - split[1, k, i, j] + multiplier[1, k, i, j]
                    out[k, i, j] -= across
                    out[k, i, j + 1] += across
