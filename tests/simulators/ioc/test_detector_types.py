"""Types of numbers: the camera's (DataType) and the waveform's (TYPE, FTVL), which are set apart; trigger modes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from simulators.ioc.detector_camera import read_out
from simulators.ioc.detector_plugin import cast
from tests.ioc_process import running_ioc
from tests.simulators.ioc.client import Client
from tests.simulators.ioc.detector_bench import Bench, darks, running

Check = Callable[[Bench], Awaitable[None]]


def on_a_detector(check: Check, **options: Any) -> None:
    async def go() -> None:
        async with running(**options) as bench:
            await check(bench)

    asyncio.run(go())


COUNTS = np.array([[0, 1, 255, 256, 300, 32768, 65535]], np.uint16)
READ_OUT = [
    ("UInt16", np.uint16, [0, 1, 255, 256, 300, 32768, 65535]),
    ("UInt8", np.uint8, [0, 0, 0, 1, 1, 128, 255]),
    ("Int8", np.int8, [0, 0, 0, 0, 0, 64, 127]),
    ("Int16", np.int16, [0, 0, 127, 128, 150, 16384, 32767]),
    ("Int32", np.int32, [0, 1, 255, 256, 300, 32768, 65535]),
    ("UInt32", np.uint32, [0, 1, 255, 256, 300, 32768, 65535]),
    ("Float32", np.float32, [0, 1, 255, 256, 300, 32768, 65535]),
    ("Float64", np.float64, [0, 1, 255, 256, 300, 32768, 65535]),
]


@pytest.mark.parametrize(("data_type", "kind", "expected"), READ_OUT, ids=[name for name, *_ in READ_OUT])
def test_what_a_camera_makes_of_its_counts(data_type: str, kind: type, expected: list[int]) -> None:
    image = read_out(COUNTS, data_type)
    assert (image.dtype, image.tolist()) == (kind, [expected])


# As `(epicsInt16)value` in C: modulo, and towards zero; what is not a number has no bits left.
CAST = [
    ("u1", [300.0, 255.9, -1.0, np.nan], [44, 255, 255, 0]),
    ("i2", [40000.0, 65535.0, 32767.9, np.nan], [-25536, -1, 32767, 0]),
    ("u2", [65536.0, 70000.0, -1.0, np.nan], [0, 4464, 65535, 0]),
    ("i4", [3e9, 1.9, -1.9, -3e9], [-1294967296, 1, -1, 1294967296]),
]


@pytest.mark.parametrize(("kind", "values", "expected"), CAST)
def test_a_cast_is_that_of_c(kind: str, values: list[float], expected: list[int]) -> None:
    assert cast(np.array([values]), np.dtype(kind)).tolist() == [expected]


# The option; FTVL; the type a client of Channel Access gets; the largest number that is not changed.
ARRAYS = [
    ("int8", "UCHAR", np.uint8, 255),
    ("int16", "SHORT", np.int16, 32767),
    ("uint16", "USHORT", np.int32, 65535),
    ("int32", "LONG", np.int32, 65535),
    ("float32", "FLOAT", np.float32, 65535),
    ("float64", "DOUBLE", np.float64, 65535),
]


@pytest.mark.parametrize(("array_type", "ftvl", "kind", "largest"), ARRAYS, ids=[name for name, *_ in ARRAYS])
def test_the_waveform_has_a_type_of_its_own(array_type: str, ftvl: str, kind: type, largest: int) -> None:
    """Over Channel Access: the frames of a camera with 16 bits arrive, modulo what the waveform can hold."""
    with running_ioc(speed=20, array_type=array_type) as ioc:
        client = Client(ioc)
        for name, value in (("BinX", 8), ("AcquireTime", 0.1), ("WaitForPlugins", "Yes"), ("Acquire", 1)):
            client.put(f"Det:cam1:{name}", value)
        assert client.get("Det:image1:ArrayData.FTVL") == ftvl
        assert client.get("Det:image1:DataType_RBV") == client.get("Det:cam1:DataType_RBV") == "UInt16"
        data = client.pv("Det:image1:ArrayData").get(use_monitor=False, count=128 * 128, as_string=False, timeout=10.0)
        assert data.dtype == kind
        dark = darks(1)[0].ravel()
        seen = np.isin(data, np.arange(largest + 1)) & (dark <= largest)
        assert np.array_equal(data[seen], dark[seen])
        assert np.array_equal(data.astype(np.int64) % (largest + 1), dark.astype(np.int64) % (largest + 1))


@pytest.mark.parametrize("data_type", ["UInt8", "Float64"])
def test_a_type_that_changes_in_mid_run(data_type: str) -> None:
    """From the next frame on, and `image1:DataType_RBV` says of what type the array was that came."""

    async def check(bench: Bench) -> None:
        await bench.put(ImageMode="Continuous")
        acquisition = await bench.start("cam1:Acquire", 1)
        await bench.until(lambda: bench.get("image1:ArrayCounter_RBV") >= 2)
        assert bench.get("image1:DataType_RBV") == "UInt16"
        await bench.put(DataType=data_type)
        await bench.until(lambda: bench.get("image1:DataType_RBV") == data_type)
        assert bench.get("cam1:DataType_RBV") == data_type
        assert np.asarray(bench.image()).dtype == np.uint16, "the waveform's type stays"
        await bench.put(Acquire=0)
        await acquisition

    on_a_detector(check)


def test_files_have_the_cameras_type(tmp_path: Path) -> None:
    async def check(bench: Bench) -> None:
        await bench.file(EnableCallbacks="Enable", FilePath=str(tmp_path), FileName="f", AutoSave="Yes")
        await bench.put(DataType="Float32", Acquire=1)
        with h5py.File(tmp_path / "f_000001.h5") as file:
            frame = np.asarray(file["entry/data/data"])
        assert frame.dtype == np.float32
        assert np.array_equal(frame, darks(1)[0])

    on_a_detector(check, array_kind="int8")


@pytest.mark.parametrize("modes", [("Internal", "External"), ("Off", "On"), ("Free Run", "Software", "Hardware")])
def test_a_camera_runs_free_in_its_first_trigger_mode_alone(modes: tuple[str, ...]) -> None:
    async def check(bench: Bench) -> None:
        assert bench.get("cam1:TriggerMode_RBV") == modes[0]
        await bench.put(Acquire=1)
        assert bench.get("cam1:ArrayCounter_RBV") == 1
        for taken, mode in enumerate(modes[1:], start=1):
            await bench.put(TriggerMode=mode)
            acquisition = await bench.start("cam1:Acquire", 1)
            await bench.until(lambda: bench.get("cam1:DetectorState_RBV") == "Waiting")
            assert bench.get("cam1:ArrayCounter_RBV") == taken
            await bench.put(TriggerSoftware=1)
            await acquisition

    on_a_detector(check, trigger_modes=modes)


def test_an_ioc_with_other_trigger_modes_and_without_some_pvs() -> None:
    missing = ("Det:cam1:BinX", "Det:cam1:BinX_RBV", "Shutter:Fast_RBV")
    with running_ioc(speed=20, trigger_modes="Off|On", without=missing) as ioc:
        client = Client(ioc)
        assert client.pv("Det:cam1:TriggerMode").enum_strs == ("Off", "On")
        assert client.get("Det:cam1:TriggerMode_RBV") == "Off"
        client.pv("Det:cam1:BinY")
        assert not any(client.connected(name) for name in missing)
