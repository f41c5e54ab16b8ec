"""The ramp filter with its six sound windows, fused with the shift that centres the rotation axis."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

RampWindow = Literal["ram-lak", "shepp-logan", "cosine", "hamming", "hann", "parzen"]


def filtered(
    sinograms: NDArray[np.float32],
    kind: RampWindow,
    weights: NDArray[np.floating],
    axis_px: float | NDArray[np.floating],
    width: int,
) -> NDArray[np.float32]:
    """Filter sinograms (rows, n, columns), weigh the views, and cut out `width` columns centred on `axis_px`,
    one column or one for each view.

    What `width` takes in beyond the sinograms is the filter's own tail. Whole pixels are moved by the choice of
    columns, the rest, at most half a pixel, by a phase, which costs no sharpness. Scaled for back-projection: the sum
    over views of the result, interpolated along the detector, is attenuation in 1/pixel.
    """
    import scipy.fft

    rows, views, columns = sinograms.shape
    start = np.reshape(axis_px, (-1, 1)) - (width - 1) / 2
    first = round(float(start.mean()))
    needed = columns + max(columns, width) + math.ceil(abs(first) + float(np.abs(start - first).max()))
    size = int(scipy.fft.next_fast_len(needed, real=True) or 0)
    frequency = np.fft.rfftfreq(size)
    phase = np.exp(2j * np.pi * frequency * (start - first))
    response = (ramp(size) * window(kind, frequency) * phase * (np.pi / views)).astype(np.complex64)
    shares = np.asarray(weights, np.float32)[:, None]
    # What is cut out goes on at the beginning where it passes the end.
    begin = first % size
    before = min(width, size - begin)
    out = np.empty((rows, views, width), np.float32)
    for target, sinogram in zip(out, sinograms, strict=True):
        spectrum = np.asarray(scipy.fft.rfft(sinogram, size, axis=1))
        spectrum *= response
        whole = np.asarray(scipy.fft.irfft(spectrum, size, axis=1, overwrite_x=True))
        np.multiply(whole[:, begin : begin + before], shares, out=target[:, :before])
        np.multiply(whole[:, : width - before], shares, out=target[:, before:])
    return out


def ramp(size: int) -> NDArray[np.float64]:
    """Response (size // 2 + 1,) of the band-limited ramp, made from its samples in space so that its mean is right.

    Kak and Slaney 1988, chapter 3, equation 61.
    """
    place = np.minimum(np.arange(size), size - np.arange(size))
    kernel = np.zeros(size)
    odd = place % 2 == 1
    kernel[odd] = -1.0 / (np.pi * place[odd]) ** 2
    kernel[0] = 0.25
    return np.fft.rfft(kernel).real


def window(kind: RampWindow, frequency: NDArray[np.floating]) -> NDArray[np.float64]:
    """The window at `frequency` in cycles per pixel, 0 to 0.5; 1 at 0 for every kind."""
    angle = 2 * np.pi * np.asarray(frequency, float)
    share = angle / np.pi
    match kind:
        case "ram-lak":
            return np.ones_like(angle)
        case "shepp-logan":
            return np.sinc(share / 2)
        case "cosine":
            return np.cos(angle / 2)
        case "hamming":
            return 0.54 + 0.46 * np.cos(angle)
        case "hann":
            return 0.5 + 0.5 * np.cos(angle)
        case "parzen":
            return np.where(share <= 0.5, 1 - 6 * share**2 * (1 - share), 2 * (1 - share) ** 3)
