"""NDFileHDF5: the arrays of a capture in one HDF5 file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from simulators.ioc.detector_file import File, FilePlugin
from simulators.ioc.detector_hdf5_file import FrameFile
from simulators.ioc.detector_plugin import Array
from simulators.ioc.detector_records import hdf5_records
from simulators.ioc.pv import Refused

_COMPRESSIONS = ("None", "N-bit", "szip", "zlib", "Blosc", "BSLZ4", "LZ4", "JPEG")


class Hdf5Plugin(FilePlugin):
    """Uncompressed, or with zlib."""

    kind = "NDFileHDF5"
    ending = ".h5"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        p = self._p
        hdf5_records(p)
        p.choice("Compression", "None", _COMPRESSIONS, apply=_compression)
        p.integer("ZLevel", 6)
        p.reading("RunTime", 0.0)
        p.reading("IOSpeed", 0.0)

    def make(self, path: Path, suffix: str, like: Array, several: bool) -> File:
        """As `FilePlugin.make`."""
        deflate = self._p.value("ZLevel") if self._p.value("Compression") == "zlib" else None
        return FrameFile(path, suffix, like, several, deflate)


async def _compression(kind: str) -> str:
    if kind not in ("None", "zlib"):
        raise Refused(f"compression {kind} is not in this file plugin; None and zlib are")
    return kind
