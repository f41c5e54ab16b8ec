"""128^3 from 141 views: this project's ASTRA FBP beside scikit-image's iradon, on the same sinograms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.transform import iradon

from benchmarks.timing import Row, median_s
from xrm_control.reconstruction.methods.fbp import FilteredBackProjection

SIDE, VIEWS, MU_PER_UM, PIXEL_UM = 128, 141, 0.0458, 0.512
DISCS_UM = ((-9.0, 4.0, 8.0), (12.0, -10.0, 5.0), (6.0, 14.0, 3.0))


def rows() -> list[Row]:
    """Time and error against the analytic discs."""
    theta_deg = np.linspace(-90, 90, VIEWS)
    sinogram = _sinogram(theta_deg)
    stack = np.ascontiguousarray(np.broadcast_to(sinogram, (SIDE, *sinogram.shape)))
    truth = _truth()
    ours = FilteredBackProjection(filter="hann")
    centre = (SIDE - 1) / 2
    ours_s = median_s(lambda: ours.reconstruct(stack, theta_deg, centre, PIXEL_UM), 3)
    ours_error = _error(ours.reconstruct(stack[:1], theta_deg, centre, PIXEL_UM)[0], truth)

    def peer(count: int) -> NDArray[np.floating]:
        return np.stack([iradon(row.T, theta_deg, filter_name="hann") for row in stack[:count]])

    peer_s = median_s(lambda: peer(8), 1) * SIDE / 8
    return [
        Row("128^3 from 141 views", "scikit-image iradon, hann (8 slices, scaled)", peer_s, 1.0, "itself"),
        Row(
            "128^3 from 141 views",
            "ASTRA FBP, hann",
            ours_s,
            peer_s / ours_s,
            "iradon",
            f"rms error {ours_error:.4f}/um",
        ),
    ]


def _sinogram(theta_deg: NDArray[np.floating]) -> NDArray[np.float32]:
    s_um = (np.arange(SIDE) - (SIDE - 1) / 2) * PIXEL_UM
    total = np.zeros((len(theta_deg), SIDE))
    for x, y, radius in DISCS_UM:
        theta = np.deg2rad(theta_deg)[:, None]
        offset = s_um - (x * np.cos(theta) - y * np.sin(theta))
        total += 2 * MU_PER_UM * np.sqrt(np.clip(radius**2 - offset**2, 0, None))
    return total.astype(np.float32)


def _truth() -> NDArray[np.float64]:
    fine = 4
    at_um = ((np.arange(SIDE * fine) + 0.5) / fine - 0.5 - (SIDE - 1) / 2) * PIXEL_UM
    picture = np.zeros((SIDE * fine,) * 2)
    for x, y, radius in DISCS_UM:
        picture[np.hypot(at_um - x, at_um[:, None] - y) <= radius] = MU_PER_UM
    return picture.reshape(SIDE, fine, SIDE, fine).mean(axis=(1, 3))


def _error(slice_: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean((slice_ - truth) ** 2)))
