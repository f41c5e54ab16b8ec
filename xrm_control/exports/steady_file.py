"""A file beneath HDF5 that never fails it: where the disk fails while a file closes, the library crashes.

The first error is kept, nothing is written from then on, and who opened the file looks afterwards.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path


class SteadyFile:
    """What h5py asks of a file object: seek, tell, readinto, write, truncate, flush. failed: the disk's first error."""

    def __init__(self, path: Path) -> None:
        """Raises OSError where the file is there already, or cannot be made."""
        self._file = io.FileIO(path, "x+")
        self._place = self._size = 0
        self.failed: OSError | None = None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As of files."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        """As of files."""
        return self._place

    def read(self, size: int) -> bytes:
        """As of files; its being there tells h5py that this is one."""
        into = bytearray(size)
        self.readinto(into)
        return bytes(into)

    def readinto(self, into: bytearray | memoryview) -> int:
        """What was written; zeros where it was lost."""
        view = memoryview(into).cast("B")
        count = 0
        while count < len(view) and (more := os.preadv(self._file.fileno(), [view[count:]], self._place + count)):
            count += more
        view[count:] = bytes(len(view) - count)
        self._place += len(view)
        return len(view)

    def write(self, data: bytes | memoryview) -> int:
        """All of it, or, after an error, none."""
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view) and self.failed is None:
            try:
                done += os.pwrite(self._file.fileno(), view[done:], self._place + done)
            except OSError as error:
                self.failed = error
        self._place += len(view)
        self._size = max(self._size, self._place)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """As of files."""
        self._size = self._place if size is None else size
        self._try(lambda: self._file.truncate(self._size))
        return self._size

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Raises the first error of the disk's."""
        try:
            self._file.close()
        except OSError as error:
            self.failed = self.failed or error
        if self.failed is not None:
            raise self.failed

    def _try(self, act: Callable[[], object]) -> None:
        if self.failed is not None:
            return
        try:
            act()
        except OSError as error:
            self.failed = error
