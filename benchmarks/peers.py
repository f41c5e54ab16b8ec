"""How each peer is asked for the slices of a scan: its own conventions of axis, angles, scale, made one.

All but scikit-image are optional, so they are imported by name when they are wanted.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.discs import Reconstruct, Scan, Stack, Volume
from xrm_control.core.cpus import cpus


def iradon(scan: Scan) -> Reconstruct:
    from skimage.transform import iradon

    return _slice_by_slice(lambda sinogram: iradon(sinogram.T, scan.theta_deg, filter_name="cosine") / scan.pixel_um)


def radontea(scan: Scan) -> Reconstruct:
    backproject = import_module("radontea").backproject
    theta = -np.radians(scan.theta_deg)
    return _slice_by_slice(lambda sinogram: backproject(sinogram, theta, filtering="cosine") / scan.pixel_um)


def silx(scan: Scan) -> Reconstruct:
    backprojection = import_module("silx.opencl.backprojection").Backprojection(
        (scan.views, scan.side),
        axis_position=scan.axis_px,
        angles=np.radians(scan.theta_deg),
        filter_name="cosine",
        devicetype="cpu",
    )
    return lambda data: np.stack([backprojection(sinogram).copy() for sinogram in data]) / scan.pixel_um


def algotom_fbp(scan: Scan) -> Reconstruct:
    algotom = import_module("algotom.rec.reconstruction")
    padding = scan.side // 2
    columns = scan.side + 2 * padding
    window = np.cos(np.pi * np.fft.fftshift(np.fft.fftfreq(columns)))
    filtering = algotom.make_2d_ramp_window(scan.views, columns) * window
    return lambda data: (
        np.moveaxis(
            algotom.fbp_reconstruction(
                np.moveaxis(data, 0, 1),
                scan.axis_px,
                np.radians(scan.theta_deg),
                ratio=None,
                ramp_win=filtering,
                pad=padding,
                pad_mode="constant",
                apply_log=False,
                gpu=False,
                ncore=cpus(),
            ),
            1,
            0,
        )
        / scan.pixel_um
    )


def algotom_dfi(scan: Scan) -> Reconstruct:
    algotom = import_module("algotom.rec.reconstruction")
    return lambda data: (
        np.moveaxis(
            algotom.dfi_reconstruction(
                np.moveaxis(data, 0, 1),
                scan.axis_px,
                np.radians(scan.theta_deg),
                ratio=None,
                filter_name="hann",
                pad_rate=0.5,
                pad_mode="constant",
                apply_log=False,
                ncore=cpus(),
            ),
            1,
            0,
        )
        / scan.pixel_um
    )


def midas(scan: Scan) -> Reconstruct:
    """Its slice is turned by a quarter, twice as wide, and has the axis a pixel before the middle."""
    tomo, library = import_module("midas_tomo"), import_module("midas_tomo.backend_lib")

    def reconstruct(data: Stack) -> Volume:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            config = tomo.TomoConfig(
                data_file=place / "unused",
                recon_file=place / "unused",
                are_sinos=True,
                det_xdim=scan.side,
                det_ydim=len(data),
                theta_file=tomo.write_thetas(scan.theta_deg, place / "angles.txt"),
                filter_nr=3,
                do_log=False,
                extra_pad=True,
                auto_centering=False,
            )
            wide = config.recon_xdim
            shape = (config.n_shifts, len(data), wide, wide)
            found = library.run_arrays(config.to_param_file(place / "scan.txt"), data, shape, cpus(), cwd=place)
        first = (wide - scan.side) // 2
        slices = np.rot90(found[0], axes=(1, 2))
        return slices[:, first : first + scan.side, first - 1 : first - 1 + scan.side] / scan.pixel_um

    return reconstruct


def mbirjax(scan: Scan) -> Reconstruct:
    mbirjax = import_module("mbirjax")
    models: dict[int, Any] = {}

    def reconstruct(data: Stack) -> Volume:
        rows = len(data)
        if rows not in models:
            models[rows] = mbirjax.ParallelBeamModel((scan.views, rows, scan.side), np.radians(scan.theta_deg))
        found = models[rows].direct_recon(np.moveaxis(data, 0, 1))
        return np.moveaxis(np.asarray(found), 2, 0) / scan.pixel_um

    return reconstruct


def rtk(scan: Scan) -> Reconstruct:
    """A source without a distance to the detector is a parallel beam; it wants rows beyond the first and last slice."""
    itk = import_module("itk")
    rtk = itk.RTK
    itk.MultiThreaderBase.SetGlobalDefaultNumberOfThreads(cpus())
    geometry = rtk.ThreeDCircularProjectionGeometry.New()
    for angle in scan.theta_deg:
        geometry.AddProjection(1000.0, 0.0, float(angle))

    def image(data: NDArray[np.float32], *origin_px: float) -> Any:
        found = itk.image_from_array(np.ascontiguousarray(data))
        found.SetSpacing([scan.pixel_um, scan.pixel_um, scan.pixel_um])
        found.SetOrigin([at * scan.pixel_um for at in origin_px])
        return found

    def reconstruct(data: Stack) -> Volume:
        rows = len(data)
        views = np.pad(np.moveaxis(data, 0, 1), ((0, 0), (1, 1), (0, 0)), mode="edge")
        middle = -(rows - 1) / 2
        empty = np.zeros((scan.side, rows, scan.side), np.float32)
        filtered = rtk.FDKConeBeamReconstructionFilter[itk.Image[itk.F, 3]].New()
        filtered.SetInput(0, image(empty, -scan.axis_px, middle, -scan.axis_px))
        filtered.SetInput(1, image(views, -scan.axis_px, middle - 1, 0))
        filtered.SetGeometry(geometry)
        filtered.GetRampFilter().SetCosineCutFrequency(1.0)
        filtered.Update()
        return np.moveaxis(itk.array_from_image(filtered.GetOutput()), 1, 0)

    return reconstruct


def torchtomo(scan: Scan) -> Reconstruct:
    """Its picture spans -1 to 1."""
    torch = import_module("torch")
    angles = torch.tensor(np.radians(scan.theta_deg), dtype=torch.float32)
    beam = import_module("torchtomo").ParallelBeam(
        img_size=scan.side, n_angles=scan.views, n_det=scan.side, angles=angles, circle=False
    )

    def reconstruct(data: Stack) -> Volume:
        with torch.no_grad():
            return (
                beam.fbp(torch.from_numpy(data)[:, None], filter_name="cosine")[:, 0].numpy()
                * 2
                / (scan.side * scan.pixel_um)
            )

    return reconstruct


def _slice_by_slice(one: Callable[[NDArray[np.float32]], Volume]) -> Reconstruct:
    def reconstruct(data: Stack) -> Volume:
        with ThreadPoolExecutor(cpus()) as pool:
            return np.stack(list(pool.map(one, data)))

    return reconstruct
