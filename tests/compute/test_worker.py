"""What a worker does to itself before it works."""

from __future__ import annotations

import subprocess
import sys

WORKS = """
import os, signal
from xrm_control.compute.worker import ignore_interrupts
before = os.nice(0)
ignore_interrupts()
os.kill(os.getpid(), signal.SIGINT)
print(os.nice(0) - min(before + 5, 19))
"""


def test_a_worker_outlives_the_terminals_interrupt_and_gives_way_to_the_acquisition() -> None:
    done = subprocess.run([sys.executable, "-c", WORKS], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
