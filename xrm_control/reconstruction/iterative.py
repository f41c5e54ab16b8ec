"""Iterative methods: as a sparse matrix times all slices at once where it fits, otherwise ASTRA slice by slice.

The matrix is ASTRA's own projector, so both ways give the same; the matrix is ten times as fast at 128 columns, but
does not fit into memory at 1024.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from xrm_control.reconstruction.astra_session import gpu_available, projector_matrix, reconstruct_slices
from xrm_control.reconstruction.reconstructor import check_sinograms

_MOST_ENTRIES = 6e7  # about 1 GB with the transpose
_SLICES_AT_A_TIME = 128


def iterate(
    algorithm: Literal["SIRT", "CGLS"],
    sinograms: NDArray[np.float32],
    theta_deg: NDArray[np.floating],
    axis_px: float,
    pixel_size_um: float,
    *,
    iterations: int,
    surround: float,
    non_negative: bool = False,
    threads: int | None = None,
    dense: bool | None = None,
) -> NDArray[np.float32]:
    """Arguments and result as `Reconstructor.reconstruct`.

    surround: slice widths added on each side for matter outside the field of view, cut off again. dense: False takes
    the matrix, True ASTRA's algorithm, None whichever fits.
    """
    check_sinograms(sinograms, theta_deg, axis_px, pixel_size_um)
    rows, views, columns = sinograms.shape
    margin = math.ceil(surround * columns)
    size = columns + 2 * margin
    if dense is None:
        dense = gpu_available() or 1.4 * views * columns * size > _MOST_ENTRIES
    if dense:
        volume = reconstruct_slices(
            sinograms,
            theta_deg,
            algorithm=algorithm,
            size=size,
            axis_px=axis_px,
            iterations=iterations,
            options={"MinConstraint": 0.0} if non_negative else {},
            threads=threads,
        )
    else:
        matrix = projector_matrix(theta_deg, columns, size, axis_px)
        volume = np.empty((rows, size, size), np.float32)
        for start in range(0, rows, _SLICES_AT_A_TIME):
            block = sinograms[start : start + _SLICES_AT_A_TIME]
            measured = np.ascontiguousarray(block.reshape(len(block), -1).T)
            if algorithm == "SIRT":
                solution = sirt(matrix, measured, iterations, non_negative)
            else:
                solution = cgls(matrix, measured, iterations)
            volume[start : start + len(block)] = solution.T.reshape(len(block), size, size)
    inner = volume[:, margin : margin + columns, margin : margin + columns]
    return np.ascontiguousarray(inner) / np.float32(pixel_size_um)


def sirt(matrix: csr_matrix, measured: NDArray[np.float32], iterations: int, non_negative: bool) -> NDArray[np.float32]:
    """matrix (rays, pixels), measured (rays, slices) -> (pixels, slices); weighted by sums. Gilbert 1972."""
    back = matrix.T.tocsr()
    ray_share = _inverse(np.asarray(matrix.sum(axis=1)))
    pixel_share = _inverse(np.asarray(matrix.sum(axis=0)).T)
    found = np.zeros_like(back @ measured)
    for _ in range(iterations):
        residual = measured - matrix @ found
        residual *= ray_share
        found += pixel_share * (back @ residual)
        if non_negative:
            np.maximum(found, 0, out=found)
    return found


def cgls(matrix: csr_matrix, measured: NDArray[np.float32], iterations: int) -> NDArray[np.float32]:
    """As `sirt`, by conjugate gradients on the normal equations, each slice with its own steps. Hestenes 1952."""
    back = matrix.T.tocsr()
    residual = measured.copy()
    gradient = back @ residual
    found = np.zeros_like(gradient)
    direction = gradient.copy()
    power = _squares(gradient)
    for _ in range(iterations):
        image = matrix @ direction
        step = (power / np.maximum(_squares(image), 1e-30)).astype(np.float32)
        found += step * direction
        residual -= step * image
        gradient = back @ residual
        before, power = power, _squares(gradient)
        direction = gradient + (power / np.maximum(before, 1e-30)).astype(np.float32) * direction
    return found


def _squares(values: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.einsum("ij,ij->j", values, values, dtype=np.float64)


def _inverse(sums: NDArray[np.floating]) -> NDArray[np.float32]:
    """1 / sums, (n, 1); 0 where no ray passes."""
    return np.where(sums > 1e-6, 1 / np.maximum(sums, 1e-6), 0).astype(np.float32)
