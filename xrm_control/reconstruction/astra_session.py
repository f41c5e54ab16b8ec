"""The only door to the ASTRA toolbox: its objects live in C++ and are always deleted here.

Geometry (checked by tests): the volume slice is [iy, ix] with the rotation axis in its middle; at theta a point is
seen `x cos(theta) - iy sin(theta)` from the axis, which is ASTRA's own layout. Lengths are in pixels, so volumes
come back in 1/pixel.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import astra
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from xrm_control.core.errors import DataError

SliceMaker = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def gpu_available() -> bool:
    """Whether ASTRA can run on a GPU here; `has_feature('cuda')` only says how it was built."""
    return bool(astra.use_cuda())


def reconstruct_slices(
    sinograms: NDArray[np.float32],
    theta_deg: NDArray[np.floating],
    *,
    algorithm: str,
    size: int,
    axis_px: float,
    iterations: int = 1,
    options: Mapping[str, Any] | None = None,
    threads: int | None = None,
    gpu: bool | None = None,
) -> NDArray[np.float32]:
    """Reconstruct every row with one ASTRA algorithm.

    sinograms (rows, n, detector) float32 line integrals; axis_px: column of the rotation axis in them, any
    value for iterative algorithms, the middle for FBP on a CPU. Returns (rows, size, size) in 1/pixel.
    threads: None takes the CPUs this process may use. gpu: None takes one when there is one.
    """
    data = np.ascontiguousarray(sinograms, np.float32)
    if not np.all(np.isfinite(data)):
        row = int(np.flatnonzero(~np.isfinite(data).all(axis=(1, 2)))[0])
        raise DataError("a sinogram holds NaN or infinity", where=f"row {row}")
    use_gpu = gpu_available() if gpu is None else gpu
    build = partial(
        _slice_maker, theta_deg, data.shape[2], size, axis_px, algorithm, iterations, dict(options or {}), use_gpu
    )
    out = np.empty((len(data), size, size), np.float32)
    workers = 1 if use_gpu else max(1, min(threads or _cpus(), len(data)))

    def work(first: int) -> None:
        with build() as make:
            for row in range(first, len(data), workers):
                out[row] = make(data[row])

    # algorithm.run releases the GIL; each thread has its own set of objects.
    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(work, first) for first in range(workers)]:
            done.result()
    return out


def projector_matrix(theta_deg: NDArray[np.floating], detector: int, size: int, axis_px: float) -> csr_matrix:
    """The linear projector as a float32 matrix (views * detector, size * size), in pixels; rays view by view."""
    with ExitStack() as stack:
        geometry = _geometry(theta_deg, detector, axis_px)
        projector = astra.create_projector("linear", geometry, astra.create_vol_geom(size, size))
        stack.callback(astra.projector.delete, projector)
        handle = astra.projector.matrix(projector)
        stack.callback(astra.matrix.delete, handle)
        return csr_matrix(astra.matrix.get(handle), dtype=np.float32)


@contextmanager
def _slice_maker(
    theta_deg: NDArray[np.floating],
    detector: int,
    size: int,
    axis_px: float,
    algorithm: str,
    iterations: int,
    options: dict[str, Any],
    use_gpu: bool,
) -> Iterator[SliceMaker]:
    """One set of ASTRA objects, reused for slice after slice and deleted at the end, come what may."""
    geometry = _geometry(theta_deg, detector, axis_px)
    volume_geometry = astra.create_vol_geom(size, size)
    with ExitStack() as stack:
        projector = astra.create_projector("cuda" if use_gpu else "linear", geometry, volume_geometry)
        stack.callback(astra.projector.delete, projector)
        sinogram = astra.data2d.create("-sino", geometry, 0)
        stack.callback(astra.data2d.delete, sinogram)
        volume = astra.data2d.create("-vol", volume_geometry, 0)
        stack.callback(astra.data2d.delete, volume)
        config: dict[str, Any] = astra.astra_dict(f"{algorithm}_CUDA" if use_gpu else algorithm)
        config |= {"ProjectorId": projector, "ProjectionDataId": sinogram, "ReconstructionDataId": volume}
        config["option"] = options
        handle = astra.algorithm.create(config)
        stack.callback(astra.algorithm.delete, handle)

        def make(row: NDArray[np.float32]) -> NDArray[np.float32]:
            astra.data2d.store(sinogram, row)
            astra.data2d.store(volume, 0)
            astra.algorithm.run(handle, iterations)
            return astra.data2d.get(volume)

        yield make


def _geometry(theta_deg: NDArray[np.floating], detector: int, axis_px: float) -> dict[str, Any]:
    angles = np.radians(np.asarray(theta_deg, float))
    offset_px = (detector - 1) / 2 - axis_px
    if abs(offset_px) < 1e-9:
        return astra.create_proj_geom("parallel", 1.0, detector, angles)
    cos, sin = np.cos(angles), np.sin(angles)
    vectors = np.column_stack((sin, -cos, offset_px * cos, offset_px * sin, cos, sin))
    return astra.create_proj_geom("parallel_vec", detector, vectors)


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
