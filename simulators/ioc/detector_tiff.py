"""NDFileTIFF: every array in a TIFF file of its own, in whatever mode, with the tags that areaDetector gives it.

| tag | what |
|---|---|
| 65000 | s since 1990, float64 |
| 65001 | unique id |
| 65002, 65003 | the time in two parts: s and ns |
"""

from __future__ import annotations

from pathlib import Path

import tifffile

from simulators.ioc.detector_file import File, FilePlugin
from simulators.ioc.detector_plugin import Array

_DOUBLE, _LONG = 12, 4


class TiffPlugin(FilePlugin):
    """Uncompressed."""

    kind = "NDFileTIFF"
    ending = ".tif"
    holds_many = False

    def make(self, path: Path, suffix: str, like: Array, several: bool) -> File:
        """As `FilePlugin.make`."""
        return _TiffFile(path, suffix)


class _TiffFile:
    def __init__(self, path: Path, suffix: str) -> None:
        self._path, self._written_as = path, path.with_name(path.name + suffix)
        self._writer = tifffile.TiffWriter(self._written_as)

    def append(self, array: Array) -> None:
        """The one array."""
        seconds, nanoseconds = array.timestamp
        tags = (
            (65000, _DOUBLE, 1, seconds + nanoseconds * 1e-9, True),
            (65001, _LONG, 1, array.unique_id, True),
            (65002, _LONG, 1, seconds, True),
            (65003, _LONG, 1, nanoseconds, True),
        )
        self._writer.write(
            array.image, photometric="minisblack", software="EPICS areaDetector", metadata=None, extratags=tags
        )

    def close(self) -> None:
        """Finish the file and give it its name."""
        self._writer.close()
        if self._written_as != self._path:
            self._written_as.rename(self._path)
