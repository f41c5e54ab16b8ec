"""What a slice costs the processor, by size: `fourier` beside gridrec, in FFTs, a unit that travels between machines.

The unit is an FFT of 2048 x 2048 complex numbers of single precision by scipy, on one thread. Ratios are to a target of
1.6 of them for 1024 columns and 1571 views, as many more and less as there are points.
"""

from __future__ import annotations

from benchmarks.methods import METHODS
from benchmarks.reconstruction import SIZES, measured
from benchmarks.timing import Row

WHO = ("fourier_by_default", "fourier", "midas")
_TARGET, _AT = 1.6, 1024 * 1571


def rows(sizes: tuple[int, ...] = tuple(SIZES)) -> list[Row]:
    """One line for each size and method."""
    found = []
    for side in sizes:
        target = _TARGET * side * SIZES[side] / _AT
        for name in WHO:
            method = METHODS[name]
            if not method.is_there:
                found.append(Row("not installed", method.about, warn=f"pip install {method.install}"))
                continue
            result = measured(name, side, method.rows[list(SIZES).index(side)])
            ffts = result["cpu_s"] / result["fft_s"]
            figures = {
                "in FFTs": f"{ffts:.3g}",
                "FFT s": f"{result['fft_s']:.3f}",
                "error 1/mm": f"{1e3 * result['error']:.3f}",
                "at SNR 10": f"{1e3 * result['error_noisy']:.3f}",
            }
            what, against = f"{side} x {side} from {SIZES[side]} views", f"its target of {target:.2g} FFTs"
            found.append(Row(what, method.about, result["cpu_s"], target / ffts, against, method.warn, figures))
    return found
