"""The file plugin, against NDPluginFile's documentation; files are read back with h5py and compared with a twin."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from simulators.faults import Fault
from tests.simulators.ioc.detector_bench import Bench, darks, running

Check = Callable[[Bench], Awaitable[None]]


STAMPS = ("UniqueId", "TimeStamp")


def on_a_detector(check: Check, folder: Path, *faults: Fault, **settings: object) -> None:
    """With the file plugin enabled, writing to a folder."""

    async def go() -> None:
        async with running(*faults) as bench:
            await bench.file(EnableCallbacks="Enable", FilePath=str(folder), FileName="scan", **settings)
            await check(bench)

    asyncio.run(go())


def read(path: Path) -> tuple[NDArray[np.generic], list[int]]:
    """The frames and their unique ids; by both names of the data."""
    names = ("data/data", "instrument/detector/data", *(f"instrument/NDAttributes/NDArray{what}" for what in STAMPS))
    with h5py.File(path) as file:
        frames, linked, ids, stamps = (np.asarray(file[f"entry/{name}"]) for name in names)
    assert np.array_equal(frames, linked)
    assert np.all(np.diff(stamps) > 0.0)
    return frames, [int(number) for number in ids]


def slow_disk(bench: Bench) -> threading.Event:
    """Nothing is written until it is set, or for a few seconds."""
    released = threading.Event()
    bench.detector._writer.submit(released.wait, 5.0)
    return released


def status(bench: Bench) -> tuple[str, str, int]:
    return bench.get("HDF1:WriteStatus"), bench.get("HDF1:Capture_RBV"), bench.get("HDF1:NumCaptured_RBV")


async def capturing(bench: Bench) -> asyncio.Task[None]:
    """Capture = 1 has been written, and has its effect."""
    capture = await bench.start("HDF1:Capture", 1)
    await bench.until(lambda: bench.get("HDF1:Capture_RBV") == "Capturing")
    return capture


def test_single_writes_a_file_for_each_frame(tmp_path: Path) -> None:
    async def check(bench: Bench) -> None:
        await bench.put(ImageMode="Multiple", NumImages=3, Acquire=1)
        assert bench.get("HDF1:FullFileName_RBV") == f"{tmp_path}/scan_000009.h5"
        assert bench.get("HDF1:FileNumber_RBV") == bench.get("HDF1:FileNumber") == 10
        assert bench.get("HDF1:ArrayCounter_RBV") == 3
        for number, dark in zip((7, 8, 9), darks(3), strict=True):
            frame, ids = read(tmp_path / f"scan_00000{number}.h5")
            assert np.array_equal(frame, dark)
            assert (frame.dtype, ids) == (np.uint16, [number - 6])

    on_a_detector(check, tmp_path, AutoSave="Yes", FileNumber=7)


def test_without_autosave_a_frame_is_written_on_demand(tmp_path: Path) -> None:
    async def check(bench: Bench) -> None:
        await bench.file(WriteFile=1)
        assert bench.alarmed("HDF1:WriteFile")
        assert "collect an array" in bench.get("HDF1:WriteMessage")
        await bench.put(Acquire=1)
        assert bench.get("HDF1:ArrayCounter_RBV") == 0
        assert list(tmp_path.iterdir()) == []
        await bench.file(WriteFile=1, AutoIncrement="No")
        await bench.put(Acquire=1)
        await bench.file(WriteFile=1)
        assert [path.name for path in sorted(tmp_path.iterdir())] == ["scan_000001.h5", "scan_000002.h5"]
        assert bench.get("HDF1:FileNumber_RBV") == 2
        assert np.array_equal(read(tmp_path / "scan_000002.h5")[0], darks(2)[1])
        assert bench.get("HDF1:WriteFile_RBV") == "Done"

    on_a_detector(check, tmp_path)


@pytest.mark.parametrize("mode", ["Capture", "Stream"])
@pytest.mark.parametrize("compression", ["None", "zlib"])
def test_many_frames_in_a_file(tmp_path: Path, mode: str, compression: str) -> None:
    async def check(bench: Bench) -> None:
        await bench.put(Acquire=1)
        capture = await capturing(bench)
        assert status(bench) == ("Write OK", "Capturing", 0)
        await bench.put(ImageMode="Multiple", NumImages=2, Acquire=1)
        assert status(bench) == ("Write OK", "Capturing", 2)
        assert not capture.done()
        await bench.put(NumImages=5, Acquire=1)
        await capture
        assert bench.get("HDF1:Capture") == bench.get("HDF1:Capture_RBV") == "Done"
        assert bench.get("HDF1:FullFileName_RBV") == f"{tmp_path}/scan_000001.h5"
        frames, ids = read(tmp_path / "scan_000001.h5")
        assert ids == [2, 3, 4, 5]
        assert np.array_equal(frames, darks(5)[1:])
        assert bench.get("HDF1:ArrayCounter_RBV") == 4, "frames that come when the capture is over are not its"

    on_a_detector(check, tmp_path, FileWriteMode=mode, NumCapture=4, AutoSave="Yes", Compression=compression)


def test_a_buffer_is_kept_until_it_is_written(tmp_path: Path) -> None:
    async def check(bench: Bench) -> None:
        await bench.put(Acquire=1)
        capture = await capturing(bench)
        await bench.put(ImageMode="Multiple", NumImages=2, Acquire=1)
        await capture
        assert list(tmp_path.iterdir()) == []
        await bench.file(WriteFile=1)
        assert read(tmp_path / "scan_000001.h5")[1] == [2, 3]
        assert bench.get("HDF1:NumCaptured_RBV") == 0
        await bench.file(WriteFile=1)
        assert bench.get("HDF1:WriteStatus") == "Write error"

    on_a_detector(check, tmp_path, FileWriteMode="Capture", NumCapture=2)


def test_a_stream_ends_when_it_is_told_to(tmp_path: Path) -> None:
    """NumCapture 0 has no end; a dropped frame leaves its gap in the file."""

    async def check(bench: Bench) -> None:
        await bench.put(Acquire=1)
        capture = await capturing(bench)
        await bench.put(ImageMode="Multiple", NumImages=4, Acquire=1)
        assert status(bench) == ("Write OK", "Capturing", 3)
        assert bench.get("HDF1:DroppedArrays_RBV") == 1
        await bench.file(Capture=0)
        await capture
        frames, ids = read(tmp_path / "scan_000001.h5")
        assert ids == [2, 4, 5]
        assert np.array_equal(frames, [darks(5)[number - 1] for number in ids])

    on_a_detector(check, tmp_path, Fault("dropped_frame", frames=(3,)), FileWriteMode="Stream", NumCapture=0)


@pytest.mark.parametrize("mode", ["Single", "Capture", "Stream"])
def test_capture_that_cannot_begin(tmp_path: Path, mode: str) -> None:
    """Not at all in Single; not before an array has told the dimensions, as after the boot of an IOC."""

    async def check(bench: Bench) -> None:
        await bench.file(Capture=1)
        assert status(bench)[1:] == ("Done", 0)
        assert bench.alarmed("HDF1:Capture")
        assert bench.get("HDF1:WriteMessage").startswith("ERROR")
        assert list(tmp_path.iterdir()) == []

    on_a_detector(check, tmp_path, FileWriteMode=mode, NumCapture=4)


def test_lazy_open_waits_for_the_first_frame(tmp_path: Path) -> None:
    async def check(bench: Bench) -> None:
        capture = await capturing(bench)
        assert bench.get("HDF1:WriteMessage") == "Lazy Open..."
        assert list(tmp_path.iterdir()) == []
        await bench.put(ImageMode="Multiple", NumImages=2, Acquire=1)
        await capture
        assert np.array_equal(read(tmp_path / "scan_000001.h5")[0], darks(2))

    on_a_detector(check, tmp_path, FileWriteMode="Stream", NumCapture=2, LazyOpen="Yes")


@pytest.mark.parametrize("kind", ["wrong_shape_frame", "nan_frame"])
def test_a_failed_write_does_not_count(tmp_path: Path, kind: str) -> None:
    """So that many frames as were asked for do not end the capture; WriteStatus is that of the last write."""

    async def check(bench: Bench) -> None:
        await bench.put(Acquire=1)
        capture = await capturing(bench)
        await bench.put(ImageMode="Multiple", NumImages=2, Acquire=1)
        assert status(bench) == ("Write error", "Capturing", 1)
        assert bench.get("HDF1:WriteMessage") == "Invalid frame. Ignoring."
        assert not capture.done()
        await bench.put(ImageMode="Single", Acquire=1)
        await capture
        assert bench.get("HDF1:WriteStatus") == "Write OK"
        assert read(tmp_path / "scan_000001.h5")[1] == [2, 4]

    on_a_detector(check, tmp_path, Fault(kind, frames=(3,)), FileWriteMode="Stream", NumCapture=2)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    missing = tmp_path / "a" / "b"

    async def check(bench: Bench) -> None:
        assert bench.get("HDF1:FilePath_RBV") == f"{missing}/"
        assert bench.get("HDF1:FilePathExists_RBV") == "No"
        await bench.put(Acquire=1)
        await bench.file(Capture=1)
        assert status(bench) == ("Write error", "Done", 0)
        assert bench.get("HDF1:WriteMessage").startswith("Error opening file")
        await bench.file(CreateDirectory=-2, FilePath=str(missing))
        assert bench.get("HDF1:FilePathExists_RBV") == "Yes"
        capture = await capturing(bench)
        assert status(bench) == ("Write OK", "Capturing", 0)
        await bench.put(Acquire=1)
        await capture
        assert read(missing / "scan_000002.h5")[1] == [2]

    on_a_detector(check, missing, FileWriteMode="Stream", NumCapture=1)


def test_a_file_has_its_name_when_it_is_whole(tmp_path: Path) -> None:
    async def check(bench: Bench) -> None:
        await bench.put(Acquire=1)
        capture = await capturing(bench)
        assert [path.name for path in tmp_path.iterdir()] == ["scan_000001.h5.part"]
        await bench.put(Acquire=1)
        await capture
        assert [path.name for path in tmp_path.iterdir()] == ["scan_000001.h5"]

    on_a_detector(check, tmp_path, FileWriteMode="Stream", NumCapture=1, TempSuffix=".part")


@pytest.mark.parametrize("waits", [True, False])
def test_acquire_waits_for_the_disk_if_it_is_told_to(tmp_path: Path, waits: bool) -> None:
    async def check(bench: Bench) -> None:
        disk = slow_disk(bench)
        await bench.put(WaitForPlugins="Yes" if waits else "No")
        acquisition = await bench.start("cam1:Acquire", 1)
        await bench.until(lambda: bench.get("cam1:Acquire_RBV") == "Done")
        await asyncio.wait([acquisition], timeout=0.05)
        assert acquisition.done() != waits
        assert bench.get("cam1:AcquireBusy") == ("Acquiring" if waits else "Done")
        assert bench.get("cam1:NumQueuedArrays") == 1
        disk.set()
        await acquisition
        await bench.until(lambda: bench.get("cam1:NumQueuedArrays") == 0)
        assert read(tmp_path / "scan_000001.h5")[1] == [1]

    on_a_detector(check, tmp_path, AutoSave="Yes")


def test_a_disk_that_is_too_slow_costs_arrays(tmp_path: Path) -> None:
    """One is being written, two wait, two of five are lost."""

    async def check(bench: Bench) -> None:
        disk = slow_disk(bench)
        await bench.put(ImageMode="Multiple", NumImages=5, WaitForPlugins="No", Acquire=1)
        assert bench.get("HDF1:DroppedArrays_RBV") == 2
        assert bench.get("image1:DroppedArrays_RBV") == 0
        assert (bench.get("HDF1:QueueSize_RBV"), bench.get("HDF1:QueueFree")) == (2, 0)
        disk.set()
        await bench.until(lambda: bench.get("cam1:NumQueuedArrays") == 0)
        assert bench.get("HDF1:QueueFree") == 2
        assert [read(path)[1] for path in sorted(tmp_path.iterdir())] == [[1], [2], [3]]

    on_a_detector(check, tmp_path, AutoSave="Yes", QueueSize=2)


def test_an_ioc_that_ends_closes_its_file(tmp_path: Path) -> None:
    async def check(bench: Bench) -> None:
        await bench.put(Acquire=1)
        await capturing(bench)
        await bench.put(Acquire=1)

    on_a_detector(check, tmp_path, FileWriteMode="Stream", NumCapture=9)
    assert read(tmp_path / "scan_000001.h5")[1] == [2]
