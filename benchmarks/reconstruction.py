"""Filtered back-projection of whole volumes, side^3, from the same line integrals of discs: time, memory, errors.

Each method runs in a process of its own on some rows; the time is scaled to all rows of the volume. Errors are root
mean squares against the analytic discs in the field of view, without noise and with as much as gives a signal-to-noise
ratio of ten. A peer that is not installed, or fails, has a line that says so.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.methods import METHODS, Method
from benchmarks.timing import Row

ROOT = Path(__file__).parents[1]
# Views: pi/2 times the side; fewer at 128, as in the screening recipe.
SIZES = {128: 141, 256: 402, 512: 804, 1024: 1571}


def rows(sizes: tuple[int, ...] = tuple(SIZES)) -> list[Row]:
    """One line for each size and method; ratios to ASTRA's own FBP, which comes first."""
    there = {name: method for name, method in METHODS.items() if method.is_there}
    found = []
    for side in sizes:
        reference_s = None
        for name, method in there.items():
            count = method.rows[list(SIZES).index(side)]
            what = f"{side}^3 from {SIZES[side]} views"
            try:
                result = measured(name, side, count)
            except RuntimeError as error:
                if not method.needs:
                    raise
                found.append(Row(what, method.about, warn=str(error)))
                continue
            reference_s = reference_s or result["seconds"] * side / count
            found.append(_row(what, method, result, count, side, reference_s))
    return found + [
        Row("not installed", method.about, warn=f"pip install {method.install}")
        for name, method in METHODS.items()
        if name not in there
    ]


def _row(what: str, method: Method, result: dict[str, float], count: int, side: int, reference_s: float) -> Row:
    seconds = result["seconds"] * side / count
    figures = {
        "rows": str(count),
        "CPU ms a slice": f"{1e3 * result['cpu_s']:.3g}",
        "in FFTs": f"{result['cpu_s'] / result['fft_s']:.3g}",
        "MB": f"{result['memory_mb']:.0f}",
        "error 1/mm": f"{1e3 * result['error']:.2f}",
        "at SNR 10": f"{1e3 * result['error_noisy']:.2f}",
    }
    return Row(what, method.about, seconds, reference_s / seconds, "ASTRA FBP", method.warn, figures)


def measured(name: str, side: int, count: int) -> dict[str, float]:
    arguments = [name, str(side), str(SIZES[side]), str(count)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.reconstruction_one", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = [f"exit code {done.returncode}", *done.stderr.strip().splitlines()][-1]
        raise RuntimeError(f"{name} failed: {last}")
    return json.loads(done.stdout)
