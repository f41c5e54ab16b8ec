"""A busy machine: `python -m tests.storms.busy LOOPS COMMAND ...` runs a command beside so many busy loops."""

from __future__ import annotations

import subprocess
import sys

# Ends with whoever started it, however that ends.
_LOOP = """
import os
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""


def main() -> int:
    """The command's exit code; the loops end with it."""
    count, command = int(sys.argv[1]), sys.argv[2:]
    loops = [subprocess.Popen([sys.executable, "-c", _LOOP]) for _ in range(count)]
    try:
        return subprocess.run(command).returncode
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


if __name__ == "__main__":
    sys.exit(main())
