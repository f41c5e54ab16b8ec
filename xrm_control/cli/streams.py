"""Standard output and error as guests of a command: a reader that goes away or stalls changes nothing of what is done.

A closed terminal, `| head`, a full disk behind `>`, `2>&-`: what cannot be written is dropped, and the error is kept
for whoever asks. Standard error is written by a thread of its own, so that one who does not read holds nobody up.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any, TextIO

_MOST_WAITING = 1_000_000  # characters that nobody has read yet
_SETTLE_S = 5.0


class SteadyOutput:
    """A text stream that raises nothing; after the first error it is silent."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.error: Exception | None = None

    def write(self, text: str) -> int:
        """As much as can be written of `text`, which counts as all of it."""
        if self.error is None:
            try:
                self._stream.write(text)
            except (OSError, ValueError) as error:
                self.error = error
        return len(text)

    def flush(self) -> None:
        """Hand on what is in the buffer."""
        if self.error is None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self.error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class AsideOutput(SteadyOutput):
    """The same, and never waited for: a thread writes what is given; what it cannot keep up with is dropped."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._waiting: deque[str] = deque()
        self._size = 0
        self._busy = False
        self._changed = threading.Condition()
        self._descriptor = _descriptor(stream)
        if self._descriptor is not None:
            threading.Thread(target=self._work, args=(self._descriptor,), name="stderr", daemon=True).start()

    def write(self, text: str) -> int:
        """Leave `text` to the thread."""
        if self._descriptor is None:
            return super().write(text)
        with self._changed:
            if self.error is None and self._size + len(text) <= _MOST_WAITING:
                self._waiting.append(text)
                self._size += len(text)
                self._changed.notify_all()
        return len(text)

    def flush(self) -> None:
        """Nothing: it is on its way."""
        if self._descriptor is None:
            super().flush()

    def settle(self, patience_s: float = _SETTLE_S) -> None:
        """Wait until all is written, though not for long."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._waiting or self._busy), patience_s)

    def _work(self, descriptor: int) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting)
                text = "".join(self._waiting)
                self._waiting.clear()
                self._busy = True
            left = memoryview(text.encode(self._stream.encoding or "utf-8", "backslashreplace"))
            try:
                while left:
                    left = left[os.write(descriptor, left) :]
            except OSError as error:
                self.error = error
            with self._changed:
                # What was being written counted until now: a reader who stalls cannot make the queue grow for ever.
                self._size -= len(text)
                if self.error is not None:
                    self._waiting.clear()
                    self._size = 0


@contextlib.contextmanager
def steady() -> Iterator[None]:
    """Standard output and error are steady for the block. Descriptors 0 to 2 are open from here on: what a program
    writes to a closed one would land in the first file that it has opened.
    """
    _open_standard_descriptors()
    before = sys.stdout, sys.stderr
    for stream in before:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    out, err = SteadyOutput(sys.stdout), AsideOutput(sys.stderr)
    sys.stdout, sys.stderr = out, err  # type: ignore[assignment]
    try:
        yield
    finally:
        out.flush()
        err.settle()
        sys.stdout, sys.stderr = before
        for steadied, stream in zip((out, err), before, strict=True):
            if steadied.error is not None:
                _silence(stream)


def trouble(stream: object) -> Exception | None:
    """What has gone wrong with a steady stream; None for one that is well, or only has no reader any more."""
    if not isinstance(stream, SteadyOutput):
        return None
    stream.flush()
    gone = isinstance(stream.error, OSError) and stream.error.errno == errno.EPIPE
    return None if gone else stream.error


def forgive(stream: object) -> None:
    """Whoever needs to know of the trouble does; from here on the stream just has no reader."""
    if isinstance(stream, SteadyOutput):
        stream.error = BrokenPipeError(errno.EPIPE, str(stream.error))


def settle(stream: object) -> None:
    """Let what was said aside appear before what comes next."""
    if isinstance(stream, AsideOutput):
        stream.settle()


def broken(stream: object) -> Exception | None:
    """Why nothing appears on a stream any more."""
    return stream.error if isinstance(stream, SteadyOutput) else None


def _open_standard_descriptors() -> None:
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != descriptor:
                os.dup2(null, descriptor)
                os.close(null)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  for the life of the process


def _silence(stream: TextIO) -> None:
    """Let what is left in the buffer go nowhere: the interpreter would try again at its end, and fail with it."""
    descriptor = _descriptor(stream)
    if descriptor is not None:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, descriptor)
        os.close(null)


def _descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None
