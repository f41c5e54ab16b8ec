"""One method on one size, in a process of its own: seconds, also of the processor, memory and errors as JSON.

`python -m benchmarks.reconstruction_one METHOD SIDE VIEWS ROWS`. The first call, on noisy line integrals, is not timed:
some compile then. Memory is what the process takes beyond its arrays and the method's library.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.discs import Scan
from benchmarks.methods import METHODS
from xrm_control.core.clock import stopwatch

SNR = 10.0


def main() -> None:
    """Measure what the command line names; prints JSON, and nothing else: what libraries print goes to stderr."""
    with os.fdopen(os.dup(1), "w") as answer:
        os.dup2(2, 1)
        json.dump(measure(sys.argv[1], *map(int, sys.argv[2:5])), answer)


def measure(name: str, side: int, views: int, rows: int) -> dict[str, float]:
    """Seconds for `rows` rows, MB, and errors in 1/um of a method's name in `METHODS`.

    cpu_s: of the processor for a row, the least of several; fft_s: of an FFT of 2048 x 2048, measured in between, which
    makes it a number that travels between machines.
    """
    method = METHODS[name]
    scan = Scan(side, views, side / 2 if method.axis_on_pixel else (side - 1) / 2)
    clean = np.ascontiguousarray(np.broadcast_to(scan.sinogram(), (rows, views, side)))
    noisy = np.random.default_rng(1).standard_normal(clean.shape, np.float32)
    noisy *= scan.noise_of(SNR)
    noisy += clean
    picture, inside = scan.truth(), scan.inside()
    reconstruct = method.prepare(scan)

    before_mb = _memory_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # Forget the highest so far.
    error_noisy = _rms(reconstruct(noisy), picture, inside)
    times_s, cpu_s, fft_s, errors = [], [], [], []
    for _ in range(3 if side <= 256 or method.rows[-1] > 4 else 1):
        fft_s.append(_fft_s())
        passed_s, began_s = stopwatch(), time.process_time()
        volume = reconstruct(clean)
        times_s.append(passed_s())
        cpu_s.append(time.process_time() - began_s)
        errors.append(_rms(volume, picture, inside))
        del volume
    return {
        "seconds": statistics.median(times_s),
        "cpu_s": min(cpu_s) / rows,
        "fft_s": min(fft_s),
        "memory_mb": _memory_mb("VmHWM") - before_mb,
        "error": max(errors),
        "error_noisy": error_noisy,
    }


def _fft_s() -> float:
    """Seconds of the processor for an FFT of 2048 x 2048 complex numbers of single precision, the least of five."""
    from scipy.fft import fft2

    image, times_s = np.ones((2048, 2048), np.complex64), []
    for _ in range(5):
        began_s = time.process_time()
        fft2(image)
        times_s.append(time.process_time() - began_s)
    return min(times_s)


def _rms(volume: NDArray[np.floating], picture: NDArray[np.floating], inside: NDArray[np.bool_]) -> float:
    """Root mean square against the truth, of all rows, in 1/um."""
    squares = [np.mean((np.asarray(slice_)[inside] - picture[inside]) ** 2) for slice_ in volume]
    return float(np.sqrt(np.mean(squares)))


def _memory_mb(which: str) -> float:
    """Resident memory now (VmRSS) or its highest (VmHWM); Linux has them in a file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(which)) / 1024


if __name__ == "__main__":
    main()
