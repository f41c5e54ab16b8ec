"""Small scans and volumes of known truth as files: a ball of 4 um radius and 0.05/um, voxels of 0.5 um."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tifffile

from tests.reconstruction.phantoms import Ball, coordinates_um, line_integrals, scan_of
from xrm_control.reconstruction.scan import ScanData

PIXEL_UM, MU, RADIUS_UM = 0.5, 0.05, 4.0
ROWS, COLUMNS, AXIS_PX = 21, 41, 19.6
BALL = Ball(1.5, -1.0, 0.0, RADIUS_UM, MU)
THETA = np.linspace(-90, 90, 61)


@lru_cache(maxsize=4)
def ball_scan(noise_seed: int | None = 1) -> ScanData:
    """61 views of the ball, five flats before and five after, five darks."""
    integrals = line_integrals([BALL], THETA, columns=COLUMNS, rows=ROWS, axis_px=AXIS_PX, pixel_um=PIXEL_UM)
    return scan_of(integrals, THETA, PIXEL_UM, noise_seed=noise_seed)


@dataclass(frozen=True)
class Quantity:
    """A number with the unit that is written beside it; None: none is."""

    value: Any
    unit: str | None = None


Content = Mapping[str, Any]


def write_hdf5(path: Path, content: Content) -> Path:
    """Datasets by path; a Quantity brings its unit, None leaves the dataset out."""
    with h5py.File(path, "w") as file:
        for name, item in content.items():
            if item is None:
                continue
            file[name] = item.value if isinstance(item, Quantity) else item
            if isinstance(item, Quantity) and item.unit is not None:
                file[name].attrs["units"] = item.unit
    return path


def data_exchange(path: Path, scan: ScanData | None = None, **more: Any) -> Path:
    """more: by path, with __ for each slash, in place of what would be written or besides."""
    scan = scan or ball_scan()
    content: dict[str, Any] = {
        "exchange/data": scan.projections[:],
        "exchange/data_white": scan.flats,
        "exchange/data_dark": scan.darks,
        "exchange/theta": Quantity(scan.theta_deg, "degrees"),
        "measurement/instrument/detection_system/objective/resolution": Quantity(PIXEL_UM, "um"),
    }
    return write_hdf5(path, content | {name.replace("__", "/"): item for name, item in more.items()})


def nxtomo(path: Path, scan: ScanData | None = None, entry: str = "entry", **more: Any) -> Path:
    """Darks, flats, projections, flats, in one stack; more: as in `data_exchange`, below the entry."""
    return write_hdf5(path, nxtomo_content(scan or ball_scan(), entry, **more))


def nxtomo_content(scan: ScanData, entry: str = "entry", **more: Any) -> dict[str, Any]:
    half = len(scan.flats) // 2
    stack = np.concatenate((scan.darks, scan.flats[:half], scan.projections[:], scan.flats[half:]))
    key = np.repeat([2, 1, 0, 1], [len(scan.darks), half, len(scan.projections), len(scan.flats) - half])
    theta = np.zeros(len(stack))
    theta[key == 0] = scan.theta_deg
    content: dict[str, Any] = {
        "instrument/detector/data": stack,
        "instrument/detector/image_key": key,
        "instrument/detector/x_pixel_size": Quantity(PIXEL_UM * 1e-6, "m"),
        "sample/rotation_angle": Quantity(theta, "degree"),
    }
    content |= {name.replace("__", "/"): item for name, item in more.items()}
    return {f"{entry}/{name}": item for name, item in content.items()}


def tiff_folder(folder: Path, scan: ScanData | None = None, dtype: str = "uint16") -> Path:
    """proj_0000.tif ..., flat_0000.tif ..., dark_0000.tif ..."""
    scan = scan or ball_scan()
    folder.mkdir(parents=True)
    for name, frames in (("proj", scan.projections[:]), ("flat", scan.flats), ("dark", scan.darks)):
        for number, frame in enumerate(frames):
            tifffile.imwrite(folder / f"{name}_{number:04d}.tif", frame.astype(dtype), photometric="minisblack")
    return folder


def changed(scan: ScanData, **change: Callable[[np.ndarray], np.ndarray]) -> ScanData:
    """The scan with some of its arrays changed, each a copy; by name of field."""
    return replace(scan, **{name: act(np.array(getattr(scan, name)[:])) for name, act in change.items()})


def measured(volume: np.ndarray, voxel_um: float = PIXEL_UM) -> tuple[float, float]:
    """Attenuation inside the ball in 1/um, and its radius in um from the integral of the grey values."""
    rows, columns = volume.shape[:2]
    x, y = coordinates_um(columns, voxel_um)
    z = ((np.arange(rows) - (rows - 1) / 2) * voxel_um)[:, None, None]
    scale = voxel_um / PIXEL_UM
    away = np.sqrt((x - BALL.x_um * scale) ** 2 + (y - BALL.y_um * scale) ** 2 + (z - BALL.z_um * scale) ** 2) / (
        RADIUS_UM * scale
    )
    mu = float(volume[away < 0.75].mean())
    mass = float(np.where(away < 1.2, volume, 0).sum()) * voxel_um**3 / mu
    return mu, (3 * mass / (4 * np.pi)) ** (1 / 3)
