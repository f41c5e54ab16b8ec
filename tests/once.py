"""What pure functions have answered, on the disk: computed once for all the processes of a session of tests.

The first to ask computes it, as the program does; whoever asks for the same meanwhile waits for it.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

Answer = TypeVar("Answer")

FOLDER = "XRM_TEST_ANSWERS"
"""Environment variable: where they lie; the tests' own processes have it too."""


def once(pure: Callable[..., Answer], folder: Path | None = None) -> Callable[..., Answer]:
    """The same answer to the same arguments, arrays among them, and the caller's own; without a folder as it is."""

    @functools.wraps(pure)
    def answer(*arguments: Any, **words: Any) -> Answer:
        there = folder or (Path(os.environ[FOLDER]) if FOLDER in os.environ else None)
        if there is None:
            return pure(*arguments, **words)
        asked = hashlib.sha256(pickle.dumps((pure.__module__, pure.__qualname__, arguments, words))).hexdigest()
        known = there / asked
        if not known.exists():
            with known.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not known.exists():
                    # One that is killed here leaves no half of it.
                    part = known.with_suffix(".part")
                    part.write_bytes(pickle.dumps(pure(*arguments, **words), pickle.HIGHEST_PROTOCOL))
                    part.replace(known)
        return pickle.loads(known.read_bytes())

    return answer


def powders_once() -> None:
    """In this process the powder of a specimen and seed is made once: most of what the start of a microscope costs."""
    from simulators import powder

    setattr(powder, "_powder", once(powder._powder))  # noqa: B010
