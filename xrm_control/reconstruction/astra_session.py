"""The only door to the ASTRA toolbox: its objects live in C++ and are always deleted here.

Geometry (checked by tests): the volume slice is [iy, ix] with the rotation axis in its middle; at theta a point is
seen `x cos(theta) - iy sin(theta)` from the axis, which is ASTRA's own layout. Lengths are in pixels, so volumes
come back in 1/pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from xrm_control.core.cpus import cpus
from xrm_control.core.errors import DataError, RecipeError
from xrm_control.reconstruction.device import Device
from xrm_control.reconstruction.reconstructor import AxisPx
from xrm_control.reconstruction.warnings import warn

try:
    import astra
    from astra.log import AstraError
except ImportError as error:  # also of its CUDA libraries, which somebody may have done without
    raise RecipeError(
        f"ASTRA cannot be loaded: {error}",
        where="reconstruction.method",
        remedy="install astra-toolbox with its CUDA libraries, or choose fourier, tv, or engine: gram",
    ) from error

SliceMaker = Callable[[NDArray[np.float32], float], NDArray[np.float32]]

_GPU_BYTES = 2e9  # of slices and sinograms that are on the GPU together
_IN_THREE_DIMENSIONS = ("BP", "SIRT", "CGLS")
_GPU_TOLERANCE = 0.05  # of a disc: its back-projector interpolates otherwise than the CPU's

# Refusals are raised as errors; ASTRA would print them on stderr besides.
astra.log.disableScreen()


@dataclass(frozen=True)
class Job:
    """What ASTRA is to do with each row: sinogram (n, detector) -> slice (size, size) in 1/pixel."""

    algorithm: str
    theta_deg: NDArray[np.floating]
    detector: int
    size: int
    axis_px: AxisPx
    iterations: int
    options: dict[str, Any]


def gpu_available() -> bool:
    """Whether ASTRA can run on a GPU here; `has_feature('cuda')` only says how it was built."""
    return bool(astra.use_cuda())


def reconstruct_slices(
    sinograms: NDArray[np.float32],
    theta_deg: NDArray[np.floating],
    *,
    algorithm: str,
    size: int,
    axis_px: AxisPx,
    iterations: int = 1,
    options: Mapping[str, Any] | None = None,
    device: Device = "auto",
    threads: int | None = None,
    tolerance: NDArray[np.floating] | None = None,
    gpu: bool | None = None,
) -> NDArray[np.float32]:
    """Reconstruct every row with one ASTRA algorithm.

    sinograms (rows, n, detector) float32 line integrals; axis_px: column of the rotation axis in them, for
    all views or for each; the middle for FBP on a CPU. Returns (rows, size, size) in 1/pixel.
    device: auto takes a GPU when there is one, and the CPU when it refuses, with a warning. threads: None takes those
    this process may use. tolerance (rows,): a row is done once its residual's sum of squares is down to this; on a CPU.
    gpu: whether there is one; None asks. Raises RecipeError where a GPU is asked for that is not there, DataError where
    it refuses.
    """
    data = np.ascontiguousarray(sinograms, np.float32)
    job = Job(algorithm, theta_deg, data.shape[2], size, axis_px, iterations, dict(options or {}))
    if not np.all(np.isfinite(data)):
        row = int(np.flatnonzero(~np.isfinite(data).all(axis=(1, 2)))[0])
        raise DataError("a sinogram holds NaN or infinity", where=f"row {row}")
    if device != "cpu" and tolerance is None and wants_gpu(device, gpu):
        try:
            return way_on_gpu(job)(data, job)
        except AstraError as error:
            if device == "gpu":
                raise DataError(
                    "the GPU refused", where="device", value=error, remedy="choose device: cpu, or free its memory"
                ) from error
            warn(f"the GPU refused ({error}); the CPU did the work")
    return _cpu_volume(data, job, threads or cpus(), tolerance)


def wants_gpu(device: Device, gpu: bool | None = None) -> bool:
    """Whether work goes to a GPU. Raises RecipeError where one is asked for and not there."""
    there = device != "cpu" and (gpu_available() if gpu is None else gpu)
    if device == "gpu" and not there:
        raise RecipeError(
            "no GPU can be used here",
            where="device",
            value=device,
            remedy="choose device: auto or cpu; for a GPU install NVIDIA's driver and see that nvidia-smi lists it",
        )
    return there


def way_on_gpu(job: Job) -> Callable[[NDArray[np.float32], Job], NDArray[np.float32]]:
    """`gpu_volume` or at least `gpu_slices`: what makes of a small disc the same as the CPU does, or AstraError.

    In two dimensions first: where no driver is, that is refused, while three dimensions end the process.
    """
    side, views = 48, 60
    theta_deg = np.arange(views) * 180.0 / views
    theta = np.radians(theta_deg)[:, None]
    axis_px = (side - 1) / 2 if job.algorithm == "FBP" else 24.7
    rounds = min(job.iterations, 5)
    small = replace(job, theta_deg=theta_deg, detector=side, size=side, axis_px=axis_px, iterations=rounds)
    away = np.arange(side) - axis_px - 6 * np.cos(theta) + 4 * np.sin(theta)
    disc = (2 * np.sqrt(np.maximum(10.0**2 - away**2, 0))).astype(np.float32)
    discs = np.stack([disc, 2 * disc])
    expected = _cpu_volume(discs, small, 1, None)
    right = [
        way
        for way in (gpu_slices, gpu_volume)
        if np.linalg.norm(way(discs, small) - expected) <= _GPU_TOLERANCE * np.linalg.norm(expected)
    ]
    if not right:
        raise AstraError(f"{job.algorithm} of a disc differs from the CPU's")
    return right[-1]


def gpu_trouble() -> str | None:
    """Why the GPU that is there cannot be used; None where it finds what the CPU finds."""
    try:
        way_on_gpu(Job("BP", np.zeros(1), 1, 1, 0.0, 1, {}))
    except AstraError as error:
        return str(error)
    return None


def projector_matrix(theta_deg: NDArray[np.floating], detector: int, size: int, axis_px: AxisPx) -> csr_matrix:
    """The linear projector as a float32 matrix (views * detector, size * size), in pixels; rays view by view."""
    with ExitStack() as stack:
        geometry = _geometry(theta_deg, detector, axis_px)
        projector = astra.create_projector("linear", geometry, astra.create_vol_geom(size, size))
        stack.callback(astra.projector.delete, projector)
        handle = astra.projector.matrix(projector)
        stack.callback(astra.matrix.delete, handle)
        return csr_matrix(astra.matrix.get(handle), dtype=np.float32)


def _cpu_volume(
    data: NDArray[np.float32], job: Job, threads: int, tolerance: NDArray[np.floating] | None
) -> NDArray[np.float32]:
    out = np.empty((len(data), job.size, job.size), np.float32)
    limits = np.zeros(len(data)) if tolerance is None else tolerance
    workers = max(1, min(threads, len(data)))

    def work(first: int) -> None:
        with _slice_maker(job, "linear") as make:
            for row in range(first, len(data), workers):
                out[row] = make(data[row], float(limits[row]))

    # algorithm.run releases the GIL; each thread has its own set of objects.
    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(work, first) for first in range(workers)]:
            done.result()
    return out


@contextmanager
def _slice_maker(job: Job, projector_kind: Literal["linear", "cuda"]) -> Iterator[SliceMaker]:
    """One set of ASTRA objects, reused for slice after slice and deleted at the end, come what may."""
    geometry = _geometry(job.theta_deg, job.detector, job.axis_px)
    volume_geometry = astra.create_vol_geom(job.size, job.size)
    with ExitStack() as stack:
        projector = astra.create_projector(projector_kind, geometry, volume_geometry)
        stack.callback(astra.projector.delete, projector)
        sinogram, seen = (astra.data2d.create("-sino", geometry, 0) for _ in range(2))
        stack.callback(astra.data2d.delete, [sinogram, seen])
        volume = astra.data2d.create("-vol", volume_geometry, 0)
        stack.callback(astra.data2d.delete, volume)
        suffix = "_CUDA" if projector_kind == "cuda" else ""
        solving: dict[str, Any] = astra.astra_dict(job.algorithm + suffix)
        solving |= {"ProjectorId": projector, "ProjectionDataId": sinogram, "ReconstructionDataId": volume}
        solving["option"] = job.options
        looking = astra.astra_dict("FP" + suffix)
        looking |= {"ProjectorId": projector, "ProjectionDataId": seen, "VolumeDataId": volume}

        def make(row: NDArray[np.float32], limit: float) -> NDArray[np.float32]:
            """The slice once its residual's sum of squares is down to `limit`; 0: after all rounds."""
            astra.data2d.store(sinogram, row)
            astra.data2d.store(volume, 0)
            # A new algorithm for each slice: CGLS would go on with the directions of the one before.
            with _algorithm(solving) as solve, _algorithm(looking) as look:
                if not limit:
                    astra.algorithm.run(solve, job.iterations)
                    return astra.data2d.get(volume)
                for _ in range(job.iterations):
                    astra.algorithm.run(look)
                    if np.sum((row - astra.data2d.get(seen)) ** 2, dtype=float) <= limit:
                        break
                    astra.algorithm.run(solve, 1)
                return astra.data2d.get(volume)

        yield make


def gpu_slices(data: NDArray[np.float32], job: Job) -> NDArray[np.float32]:
    """Slice by slice, in two dimensions."""
    with _slice_maker(job, "cuda") as make:
        return np.stack([make(row, 0.0) for row in data])


def gpu_volume(data: NDArray[np.float32], job: Job) -> NDArray[np.float32]:
    """Blocks of slices, one call each, for algorithms that ASTRA has in three dimensions.

    Its y points the other way there, so angles change sign.
    """
    if job.algorithm not in _IN_THREE_DIMENSIONS:
        return gpu_slices(data, job)
    theta = -np.radians(np.asarray(job.theta_deg, float))
    cos, sin, zero, one = np.cos(theta), np.sin(theta), np.zeros(len(theta)), np.ones(len(theta))
    offset_px = (job.detector - 1) / 2 - job.axis_px
    vectors = np.column_stack(
        (sin, -cos, zero, offset_px * cos, offset_px * sin, zero, cos, sin, zero, zero, zero, one)
    )
    out = np.empty((len(data), job.size, job.size), np.float32)
    rows = max(1, int(_GPU_BYTES / (12 * (job.size**2 + len(theta) * job.detector))))
    for first in range(0, len(data), rows):
        part = data[first : first + rows]
        with ExitStack() as stack:
            geometry = astra.create_proj_geom("parallel3d_vec", len(part), job.detector, vectors)
            sinograms = astra.data3d.create("-sino", geometry, np.ascontiguousarray(part))
            stack.callback(astra.data3d.delete, sinograms)
            volume = astra.data3d.create("-vol", astra.create_vol_geom(job.size, job.size, len(part)), 0)
            stack.callback(astra.data3d.delete, volume)
            config: dict[str, Any] = astra.astra_dict(f"{job.algorithm}3D_CUDA")
            config |= {"ProjectionDataId": sinograms, "ReconstructionDataId": volume, "option": job.options}
            astra.algorithm.run(stack.enter_context(_algorithm(config)), job.iterations)
            out[first : first + rows] = astra.data3d.get(volume)
    return out


@contextmanager
def _algorithm(config: dict[str, Any]) -> Iterator[int]:
    handle = astra.algorithm.create(config)
    try:
        yield handle
    finally:
        astra.algorithm.delete(handle)


def _geometry(theta_deg: NDArray[np.floating], detector: int, axis_px: AxisPx) -> dict[str, Any]:
    angles = np.radians(np.asarray(theta_deg, float))
    offset_px = (detector - 1) / 2 - axis_px
    if np.all(np.abs(offset_px) < 1e-9):
        return astra.create_proj_geom("parallel", 1.0, detector, angles)
    cos, sin = np.cos(angles), np.sin(angles)
    vectors = np.column_stack((sin, -cos, offset_px * cos, offset_px * sin, cos, sin))
    return astra.create_proj_geom("parallel_vec", detector, vectors)
