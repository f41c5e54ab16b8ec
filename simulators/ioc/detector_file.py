"""NDPluginFile: writes arrays to files, one a file (Single), many at the end (Capture) or as they come (Stream).

What happens when is that of NDPluginFile: a write that fails in Stream is not counted, so Capture never ends by itself;
WriteStatus is that of the last write only; without LazyOpen a first array must have come before Capture = 1, because
the file is made for its dimensions. Until a file was written, FullFileName_RBV has no value. A format that holds one
array a file makes a file for each in every mode.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Protocol

from simulators.ioc.detector_parameters import LONGEST_TEXT, NO_YES
from simulators.ioc.detector_paths import exists, file_name, make_folders
from simulators.ioc.detector_plugin import Array, Plugin, Source
from simulators.ioc.detector_records import file_records
from simulators.ioc.pacing import IocTime
from simulators.ioc.pv import Refused, long_text, without_value

_NO_ARRAY = "ERROR, must collect an array to get dimensions first"


class File(Protocol):
    """An open file. OSError, RuntimeError, ValueError or TypeError when something cannot be done."""

    def append(self, array: Array) -> None:
        """One array more."""
        ...

    def close(self) -> None:
        """Finish the file and give it its name."""
        ...


class _Failed(Exception):
    """A write did not work; says why."""


class FilePlugin(Plugin):
    """A file plugin; its kind says how `make` a file. Files are written by `workers`, one job after another."""

    kind = ""
    ending = ""
    holds_many = True

    def __init__(self, prefix: str, port: str, source: Source, time: IocTime, workers: Executor) -> None:
        super().__init__(prefix, port, self.kind, source, time)
        self._workers = workers
        self._last: Array | None = None
        self._like: Array | None = None
        self._buffer: list[Array] = []
        self._file: File | None = None
        self._lazy = False
        self._writing = asyncio.Lock()
        self._over = asyncio.Event()
        p = self._p
        file_records(p, self.kind.removeprefix("NDFile"))
        p.long_text("FilePath", apply=self._change_path)
        p.reading("FilePathExists_RBV", "No", NO_YES)
        p.integer("CreateDirectory")
        p.long_text("FileName")
        p.long_text("FileTemplate", f"%s%s_%6.6d{self.ending}")
        p.integer("FileNumber", 1)
        p.add("FullFileName_RBV", without_value(long_text(read_only=True)))
        p.readings(NumCaptured=0)
        p.text("TempSuffix")
        for name, value in (("AutoIncrement", "Yes"), ("AutoSave", "No"), ("LazyOpen", "No")):
            p.choice(name, value, NO_YES)
        p.choice("FileWriteMode", "Single", ("Single", "Capture", "Stream"))
        p.integer("NumCapture", 1)
        p.switch("Capture", "Capture", "Capturing", self._put_capture)
        p.switch("WriteFile", "Write", "Writing", self._put_write)
        p.switch("ReadFile", "Read", "Reading", self._put_read)
        p.control("FreeCapture", "Done", ("Done", "Free")).on_put = self._put_free
        p.reading("WriteStatus", "Write OK", ("Write OK", "Write error"))
        p.reading("WriteMessage", "\0")

    def make(self, path: Path, suffix: str, like: Array, several: bool) -> File:
        """A file at `path`, with a suffix until it is closed, for one array like `like` or for several."""
        raise NotImplementedError

    async def process(self, array: Array) -> None:
        """Keep the array, and write it if it is to be written."""
        self._last = array
        async with self._writing:
            await self._write_by_mode(array)
        await self.announce(array)

    def close(self) -> None:
        """Close the file that is open, if one is; for the end of the IOC."""
        if self._file is not None:
            self._workers.submit(self._file.close)
            self._file = None

    @property
    def _capturing(self) -> bool:
        return self._p.value("Capture") == "Capturing"

    async def _write_by_mode(self, array: Array) -> None:
        p, mode = self._p, self._p.value("FileWriteMode")
        if mode == "Single" and p.value("AutoSave") == "Yes":
            await self.count()
            await self._write(self._single)
        elif mode == "Capture" and self._capturing:
            captured = p.value("NumCaptured")
            if captured < p.value("NumCapture") and self._fits(array):
                self._buffer.append(array)
                captured += 1
                await self.count()
                await p.set("NumCaptured", captured)
            if captured == p.value("NumCapture"):
                if p.value("AutoSave") == "Yes":
                    await self._write(self._flush_buffer)
                await self._end_capture()
        elif mode == "Stream" and self._capturing:
            await self.count()
            if await self._write(self._stream):
                await p.set("NumCaptured", p.value("NumCaptured") + 1)
            if p.value("NumCaptured") == p.value("NumCapture"):
                await self._stop_stream()

    async def _write(self, work: Callable[[], Any]) -> bool:
        """Do it and show in WriteStatus how it went."""
        p = self._p
        await p.show("WriteStatus", "Write OK")
        await p.show("WriteMessage", "")
        try:
            await work()
        except _Failed as problem:
            await p.show("WriteStatus", "Write error")
            await p.show("WriteMessage", str(problem)[:LONGEST_TEXT])
            return False
        return True

    async def _single(self) -> None:
        """The last array in a file of its own."""
        last = self._need(self._last)
        await self._p.turn("WriteFile", True)
        try:
            await self._write_alone(last)
        finally:
            await self._p.turn("WriteFile", False)

    async def _write_alone(self, array: Array) -> None:
        await self._open(array, several=False)
        await self._append(array)
        await self._close()

    async def _flush_buffer(self) -> None:
        """All captured arrays in one file; the buffer is empty afterwards, whatever came of it."""
        if not self._buffer:
            raise _Failed("ERROR, no capture buffer present")
        await self._p.turn("WriteFile", True)
        try:
            if self.holds_many:
                await self._open(self._buffer[0], several=True)
            for array in self._buffer:
                await (self._append(array) if self.holds_many else self._write_alone(array))
            await self._close()
        finally:
            await self._free()
            await self._p.turn("WriteFile", False)

    async def _stream(self) -> None:
        """The last array, behind those that are in the open file."""
        last = self._need(self._last)
        if not self.holds_many:
            await self._write_alone(last)
            return
        if self._lazy and self._p.value("NumCaptured") == 0:
            await self._open(last, several=True)
        if self._file is None or not self._fits(last):
            raise _Failed("Invalid frame. Ignoring.")
        await self._append(last)

    async def _open(self, like: Array, several: bool) -> None:
        p = self._p
        if p.value("NumCapture") < 0:
            raise _Failed("Error opening file: NumCapture is negative")
        await self._show_path(p.value("FilePath"))
        number = p.value("FileNumber")
        try:
            name = file_name(p.value("FileTemplate"), p.value("FilePath"), p.value("FileName"), number)
        except ValueError as problem:
            raise _Failed(f"Error creating full file name: {problem}") from problem
        if p.value("AutoIncrement") == "Yes":
            await p.set_both("FileNumber", number + 1)
        await p.set("FullFileName", name)
        self._like = like
        path, suffix = Path(name), p.value("TempSuffix")
        if self._file is not None:
            await self._close()
        self._file = await self._work(f"Error opening file {name}", lambda: self.make(path, suffix, like, several))

    async def _append(self, array: Array) -> None:
        file = self._file
        if file is None:
            raise _Failed("Error writing file: none is open")
        await self._work("Error writing file", lambda: file.append(array))

    async def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            await self._work("Error closing file", file.close)

    async def _work(self, failure: str, job: Callable[[], Any]) -> Any:
        """Let a worker do it; what the disk has against it becomes _Failed."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._workers, job)
        except (OSError, RuntimeError, ValueError, TypeError) as problem:
            raise _Failed(f"{failure}: {problem}") from problem

    async def _put_capture(self, on: bool) -> bool:
        """Begin or end capturing; the put completes when it is over."""
        if on and not self._capturing:
            async with self._writing:
                begun = await self._begin_capture()
            if not begun:
                await self._p["Capture"].post("Done", invalid=True)
                return False
        elif not on and self._capturing:
            async with self._writing:
                if self._p.value("FileWriteMode") == "Stream":
                    await self._stop_stream()
                else:
                    await self._end_capture()
        if self._capturing:
            await self._over.wait()
        return self._capturing

    async def _begin_capture(self) -> bool:
        p, mode = self._p, self._p.value("FileWriteMode")
        self._lazy = p.value("LazyOpen") == "Yes"
        await p.show("WriteStatus", "Write OK")
        await p.show("WriteMessage", "")
        await p.set("FullFileName", "")
        if mode == "Single":
            await p.show("WriteMessage", "ERROR: capture not supported in Single mode")
            return False
        if self._last is None and not (self._lazy and mode == "Stream"):
            # The real plugin says so on its console alone, and leaves WriteStatus as it is.
            await p.show("WriteMessage", _NO_ARRAY)
            return False
        self._like = self._last
        eager = mode == "Stream" and self.holds_many and not self._lazy
        if eager and not await self._write(lambda: self._open(self._need(self._last), several=True)):
            return False
        await self._free()
        if mode == "Stream":
            await p.turn("WriteFile", True)
            if self._lazy:
                await p.show("WriteMessage", "Lazy Open...")
        self._over.clear()
        await p["Capture"].post("Capture", invalid=False)
        await p.turn("Capture", True)
        return True

    async def _stop_stream(self) -> None:
        await self._write(self._close)
        await self._p.turn("WriteFile", False)
        await self._end_capture()

    async def _end_capture(self) -> None:
        await self._p.turn("Capture", False)
        self._over.set()

    async def _put_write(self, on: bool) -> bool:
        """Write now: the last array, or what was captured."""
        if on:
            work = {"Single": self._single, "Capture": self._flush_buffer, "Stream": self._stream}
            async with self._writing:
                if self._last is None:
                    await self._p.show("WriteMessage", _NO_ARRAY)
                    await self._p["WriteFile"].post("Done", invalid=True)
                else:
                    await self._write(work[self._p.value("FileWriteMode")])
        return self._p.value("WriteFile") == "Writing"

    async def _put_read(self, on: bool) -> bool:
        """This plugin cannot read."""
        if on:
            await self._p.show("WriteStatus", "Write error")
            await self._p.show("WriteMessage", "Error opening file: reading is not supported")
        return False

    async def _put_free(self, value: str) -> str:
        if value == "Free":
            await self._free()
        return "Done"

    async def _free(self) -> None:
        self._buffer = []
        await self._p.set("NumCaptured", 0)

    async def _change_path(self, path: str) -> str:
        """With a slash at its end; folders are made as CreateDirectory says."""
        if len(path) >= LONGEST_TEXT:
            raise Refused(f"a path has at most {LONGEST_TEXT - 1} characters")
        if path and not exists(path):
            make_folders(path, self._p.value("CreateDirectory"))
        return await self._show_path(path)

    async def _show_path(self, path: str) -> str:
        path = path if not path or path.endswith("/") else path + "/"
        await self._p.set("FilePathExists", "Yes" if exists(path) else "No")
        return path

    def _fits(self, array: Array) -> bool:
        """Whether it is like the one that the file was made for."""
        like = self._like
        return like is not None and (array.image.shape, array.image.dtype) == (like.image.shape, like.image.dtype)

    def _need(self, array: Array | None) -> Array:
        if array is None:
            raise _Failed(_NO_ARRAY)
        return array
