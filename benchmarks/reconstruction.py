"""Filtered back-projection of whole volumes, side^3, on the same line integrals of discs: time, memory, error.

Each method runs in a process of its own on some rows; the time is scaled to all rows of the volume. Memory is what the
process took beyond its input. Errors are root mean squares against the analytic discs within the field of view, without
noise and with as much as gives a signal-to-noise ratio of ten.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.timing import Row

ROOT = Path(__file__).parents[1]
# side, views (pi/2 times the side, less at 128 as in the screening recipe), rows for the fast method and for the others
SIZES = ((128, 141, 128, 32), (256, 402, 64, 8), (512, 804, 32, 4), (1024, 1571, 16, 2))
NAMES = {
    "astra": "ASTRA FBP, two threads",
    "fourier": "fourier",
    "fbp": "fbp (ASTRA's back-projector)",
    "iradon": "scikit-image iradon",
}


def rows() -> list[Row]:
    """One line for each method and size; ratios to ASTRA's own FBP."""
    found = []
    for side, views, many, few in SIZES:
        results = {}
        for name in NAMES:
            count = many if name == "fourier" else max(1, few // 2) if name == "iradon" else few
            results[name] = {"rows": count, **_measured(name, side, views, count)}
        reference_s = results["astra"]["seconds"] * side / results["astra"]["rows"]
        for name, about in NAMES.items():
            result = results[name]
            seconds = result["seconds"] * side / result["rows"]
            remark = (
                f"{result['memory_mb']:.0f} MB for {result['rows']} rows; "
                f"rms error {1e3 * result['error']:.2f}, at SNR 10 {1e3 * result['error_noisy']:.2f} 1/mm"
            )
            found.append(
                Row(f"{side}^3 from {views} views", about, seconds, reference_s / seconds, "ASTRA FBP", remark)
            )
    return found


def _measured(name: str, side: int, views: int, count: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.reconstruction_one", name, str(side), str(views), str(count)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])
