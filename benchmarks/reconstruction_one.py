"""One method on one size, in a process of its own: seconds, memory and error as JSON.

`python -m benchmarks.reconstruction_one METHOD SIDE VIEWS ROWS`: line integrals of discs in closed form, so the truth
is known; the same arrays for every method.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.clock import stopwatch

FIELD_UM, MU_PER_UM = 65.536, 0.0458
DISCS_UM = ((-9.0, 4.0, 8.0), (12.0, -10.0, 5.0), (6.0, 14.0, 3.0))
FILTER = "cosine"
SNR = 10.0

Volume = NDArray[np.floating]
Reconstruct = Callable[[NDArray[np.float32]], Volume]


def main() -> None:
    """Measure what the command line names; prints JSON."""
    name, side, views, rows = sys.argv[1], *map(int, sys.argv[2:5])
    theta_deg = np.linspace(-90, 90, views)
    pixel_um = FIELD_UM / side
    sinogram = line_integrals(side, theta_deg, pixel_um)
    clean = np.ascontiguousarray(np.broadcast_to(sinogram, (rows, *sinogram.shape)))
    before_mb = _peak_mb()
    reconstruct = METHODS[name](theta_deg, pixel_um)
    volume = reconstruct(clean)
    times = []
    for _ in range(3 if side <= 256 else 1):
        passed_s = stopwatch()
        volume = reconstruct(clean)
        times.append(passed_s())
    picture = truth(side, pixel_um)
    noise = np.random.default_rng(1).normal(0, 1, clean[:2].shape).astype(np.float32)
    bare = reconstruct(noise)
    inside = _inside(side)
    # As much noise as gives a signal-to-noise ratio of ten in the slice that ASTRA's filter of the same name makes.
    sigma = MU_PER_UM / SNR / noise_gain_of(side, views, pixel_um)
    noisy = reconstruct((clean[:2] + sigma * noise).astype(np.float32))
    print(
        json.dumps(
            {
                "seconds": statistics.median(times),
                "memory_mb": _peak_mb() - before_mb,
                "error": _rms(volume[0] - picture, inside),
                "error_noisy": _rms(noisy[0] - picture, inside),
                "noise_gain": _rms(bare[0], inside),
            }
        )
    )


def noise_gain_of(side: int, views: int, pixel_um: float) -> float:
    """Noise in a slice for unit noise in the line integrals: white noise through the ramp with the cosine window.

    variance = pi^2 / views * integral of (|f| cos(pi f))^2 over -1/2..1/2, in 1/pixel^2.
    """
    frequency = np.linspace(-0.5, 0.5, 4001)
    response = np.abs(frequency) * np.cos(np.pi * frequency)
    return float(np.sqrt(np.pi**2 / views * np.trapezoid(response**2, frequency)) / pixel_um)


def line_integrals(side: int, theta_deg: NDArray[np.floating], pixel_um: float) -> NDArray[np.float32]:
    """(views, side): chords of the discs, the mean of four lines a pixel."""
    fine = 4
    at_um = ((np.arange(side * fine) + 0.5) / fine - 0.5 - (side - 1) / 2) * pixel_um
    theta = np.radians(theta_deg)[:, None]
    total = np.zeros((len(theta_deg), side * fine))
    for x, y, radius in DISCS_UM:
        offset = at_um - (x * np.cos(theta) - y * np.sin(theta))
        total += 2 * MU_PER_UM * np.sqrt(np.clip(radius**2 - offset**2, 0, None))
    return total.reshape(len(theta_deg), side, fine).mean(axis=2).astype(np.float32)


def truth(side: int, pixel_um: float) -> NDArray[np.float64]:
    """The discs, each pixel the mean of 4 x 4 points."""
    fine = 4
    at_um = ((np.arange(side * fine) + 0.5) / fine - 0.5 - (side - 1) / 2) * pixel_um
    picture = np.zeros((side * fine,) * 2)
    for x, y, radius in DISCS_UM:
        picture[np.hypot(at_um - x, at_um[:, None] - y) <= radius] = MU_PER_UM
    return picture.reshape(side, fine, side, fine).mean(axis=(1, 3))


def _inside(side: int) -> NDArray[np.bool_]:
    place = np.arange(side) - (side - 1) / 2
    return np.hypot(place, place[:, None]) < 0.48 * side


def _rms(values: NDArray[np.floating], where: NDArray[np.bool_]) -> float:
    return float(np.sqrt(np.mean(values[where].astype(float) ** 2)))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _fourier(theta_deg: NDArray[np.floating], pixel_um: float) -> Reconstruct:
    from xrm_control.reconstruction.methods.fourier import FourierReconstruction

    method = FourierReconstruction(filter=FILTER, padding=0)
    return lambda data: method.reconstruct(data, theta_deg, (data.shape[2] - 1) / 2, pixel_um)


def _fbp(theta_deg: NDArray[np.floating], pixel_um: float) -> Reconstruct:
    from xrm_control.reconstruction.methods.fbp import FilteredBackProjection

    method = FilteredBackProjection(filter=FILTER, padding=0)
    return lambda data: method.reconstruct(data, theta_deg, (data.shape[2] - 1) / 2, pixel_um)


def _astra(theta_deg: NDArray[np.floating], pixel_um: float) -> Reconstruct:
    """ASTRA's own FBP, linear projector, two slices at a time on two threads."""
    from xrm_control.reconstruction.astra_session import reconstruct_slices

    options = {"FilterType": FILTER}
    return lambda data: (
        reconstruct_slices(
            data,
            theta_deg,
            algorithm="FBP",
            size=data.shape[2],
            axis_px=(data.shape[2] - 1) / 2,
            options=options,
            gpu=False,
        )
        / pixel_um
    )


def _iradon(theta_deg: NDArray[np.floating], pixel_um: float) -> Reconstruct:
    """scikit-image; its axis lies on a pixel, so its picture is half a pixel off for an even width."""
    from skimage.transform import iradon

    # y downwards, as here: the angle the other way round.
    return lambda data: np.stack([iradon(row.T, -theta_deg, filter_name=FILTER)[::-1] / pixel_um for row in data])


METHODS: dict[str, Callable[[NDArray[np.floating], float], Reconstruct]] = {
    "fourier": _fourier,
    "fbp": _fbp,
    "astra": _astra,
    "iradon": _iradon,
}

if __name__ == "__main__":
    main()
