"""Element types of frames: what an array PV carries, as EPICS base serves it, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import epics
import numpy as np
import pytest

from tests.ioc_process import IocProcess, running_soft_ioc
from xrm_control.core.clock import Clock, run, utc_now
from xrm_control.core.errors import DeviceError, FrameUnusable
from xrm_control.devices.epics import frames_array, pixels
from xrm_control.devices.epics.frames_array import ArraySource
from xrm_control.devices.epics.pixels import FrameType, as_frame
from xrm_control.devices.epics.pv_map import ChannelAccess
from xrm_control.devices.epics.registry import Registry

ROWS, COLUMNS = 3, 4


@pytest.fixture(scope="module")
def soft() -> Iterator[IocProcess]:
    with running_soft_ioc(Path(__file__).with_name("soft_site.py")) as process:
        yield process


def put(soft: IocProcess, name: str, value: Any) -> None:
    assert epics.caput(soft.prefix + name, value, wait=True, timeout=120) == 1


def with_source(soft: IocProcess, kind: str, session: Any) -> Any:
    """`session(source)` with the array plugin whose waveform holds `kind`."""
    prefix = f"{soft.prefix}Array:{kind}:"
    names = [*frames_array.pvs(prefix).values(), *pixels.pvs(f"{soft.prefix}Cam:").values()]

    async def main() -> Any:
        registry = Registry(names, Clock(utc_now()), ChannelAccess())
        try:
            await registry.connect()
            return await session(ArraySource(prefix, FrameType(f"{soft.prefix}Cam:", registry), registry))
        finally:
            registry.close()

    return run(main(), 1.0)


def serve(soft: IocProcess, kind: str, data_type: str, values: np.ndarray, unique_id: int = 7) -> None:
    put(soft, f"Array:{kind}:ArrayData", values)
    put(soft, f"Array:{kind}:DataType_RBV", data_type)
    put(soft, f"Array:{kind}:UniqueId_RBV", unique_id)


# the camera's type, the waveform's elements (FTVL), and the dtype that the frames are kept as; None: refused
CARRIED = [
    ("UInt16", "int16", "uint16"),
    ("UInt16", "uint16", "uint16"),  # Channel Access sends USHORT as 32 bits
    ("UInt16", "int32", "uint16"),
    ("UInt16", "float32", "uint16"),
    ("UInt16", "float64", "uint16"),
    ("UInt16", "uint8", None),  # modulo 256
    ("UInt8", "uint8", "uint8"),
    ("UInt8", "int16", "uint8"),
    ("UInt8", "int32", "uint8"),
    ("Int16", "int16", "uint16"),
    ("Int16", "uint8", None),
    ("UInt32", "int32", "uint32"),
    ("UInt32", "int16", None),
    ("UInt32", "float32", None),
    ("Float32", "float32", "float32"),
    ("Float32", "float64", "float32"),
    ("Float32", "int16", None),
    ("Float64", "float64", "float64"),
    ("Float64", "float32", None),
    ("Float64", "int32", None),
    ("Int64", "float64", None),
]


@pytest.mark.parametrize(("data_type", "kind", "kept"), CARRIED)
def test_a_waveform_either_carries_the_cameras_pixels_or_is_refused(
    soft: IocProcess, data_type: str, kind: str, kept: str | None
) -> None:
    put(soft, "Cam:DataType", data_type)
    top = {"8": 250, "16": 40_000, "32": 70_000, "64": 70_000}["".join(filter(str.isdigit, data_type))]
    top = min(top, 30_000) if data_type.startswith("Int") else top
    values = np.arange(ROWS * COLUMNS) * (top // (ROWS * COLUMNS))
    # As the driver's interface hands them on: the bits of unsigned numbers in signed elements of the same size.
    bits = values.astype(kept or kind)
    same_size = kept is not None and np.dtype(kept).itemsize == np.dtype(kind).itemsize
    serve(soft, kind, data_type, bits.view(kind) if same_size else bits.astype(kind))

    async def session(source: ArraySource) -> np.ndarray:
        await source.prepare((ROWS, COLUMNS))
        image, unique_id = await source.fetch(6)
        assert unique_id == 7
        return image

    if kept is None:
        with pytest.raises(DeviceError, match=r"cannot hold|cannot be kept"):
            with_source(soft, kind, session)
        return
    image = with_source(soft, kind, session)
    assert image.dtype == kept
    np.testing.assert_array_equal(image, values.reshape(ROWS, COLUMNS))


def test_a_type_that_changes_in_mid_run_is_one_bad_frame_and_set_back(soft: IocProcess) -> None:
    put(soft, "Cam:DataType", "UInt16")
    good = np.arange(ROWS * COLUMNS)

    async def session(source: ArraySource) -> list[Any]:
        found: list[Any] = []
        await source.prepare((ROWS, COLUMNS))
        for data_type in ("UInt16", "Float64", "UInt8", "UInt16"):
            serve(soft, "int16", data_type, good.astype(np.int16), unique_id=len(found) + 7)
            try:
                found.append((await source.fetch(len(found) + 6))[0].dtype)
            except FrameUnusable as error:
                found.append(error)
        put(soft, "Cam:DataType", "Float64")
        await source.prepare((ROWS, COLUMNS))
        found.append(epics.caget(f"{soft.prefix}Cam:DataType", as_string=True, use_monitor=False))
        return found

    first, second, third, fourth, again = with_source(soft, "int16", session)
    assert first == fourth == np.uint16
    assert isinstance(second, FrameUnusable)
    assert "another data type" in str(second)
    assert isinstance(third, FrameUnusable)
    assert again == "UInt16"


# pixels as they arrived, the dtype that is kept, the type that came with them, and a word of why they are no frame
MISFITS = [
    (np.array([0, 70_000], np.int32), "uint16", "UInt16", "70000"),
    (np.array([-1, 5], np.int32), "uint16", "UInt16", "-1"),
    (np.array([-3, 5], np.int16), "uint16", "Int16", "-3"),
    (np.array([0, 300], np.int16), "uint8", "UInt8", "300"),
    (np.array([1, 2], np.int16), "float32", "Float32", "int16 elements"),
    (np.array([1.0, 2.0], np.float32), "uint16", "Float32", "another data type"),
]


@pytest.mark.parametrize(("arrived", "kept", "data_type", "word"), MISFITS)
def test_pixels_that_the_cameras_type_does_not_allow_are_one_bad_frame(
    arrived: np.ndarray, kept: str, data_type: str, word: str
) -> None:
    with pytest.raises(FrameUnusable, match=word):
        as_frame(arrived, np.dtype(kept), data_type, "image1:ArrayData", bits=True)


def test_nan_stays_nan() -> None:
    found = as_frame(np.array([1.0, np.nan], np.float32), np.dtype(np.uint16), "UInt16", "image1", bits=True)
    assert np.isnan(found[1])
