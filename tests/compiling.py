"""Compiled functions are compiled once: who wants one that another process compiles waits for it, and reads it.

In a fresh checkout all workers of pytest-xdist begin at once, and each would compile the same.
"""

from __future__ import annotations

import fcntl
import hashlib
import threading
from pathlib import Path
from typing import Any

import pytest
from numba.core.caching import NullCache
from numba.core.dispatcher import Dispatcher


def compile_once(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """From here on in this process; folder: of all processes that do likewise."""
    compiles = Dispatcher.compile
    # Numba compiles in one thread at a time. A function's lock is held while those that it calls are compiled, which
    # never call it back: no two processes wait for each other.
    one_thread = threading.RLock()
    held: set[str] = set()

    def compile_(self: Any, signature: Any) -> Any:
        with one_thread:
            name = hashlib.sha256(
                f"{self.py_func.__code__.co_filename} {self.py_func.__qualname__}".encode()
            ).hexdigest()
            # What is not kept on the disk is for nobody else, as numba's own.
            if isinstance(self._cache, NullCache) or name in held:
                return compiles(self, signature)
            held.add(name)
            try:
                with (folder / f"{name}.compiling").open("w") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX)
                    return compiles(self, signature)
            finally:
                held.discard(name)

    patch.setattr(Dispatcher, "compile", compile_)
