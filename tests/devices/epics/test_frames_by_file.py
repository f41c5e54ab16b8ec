"""Frames by the HDF5 plugin's files: the same promises as by the array PV, and the same pixels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.devices.benches import EpicsBench, Hands
from tests.ioc_process import IocProcess, running_ioc
from xrm_control.core.clock import Clock
from xrm_control.core.errors import DeviceError, FrameLost, FrameUnusable
from xrm_control.devices.protocols import Instrument


@pytest.fixture(scope="module")
def ioc() -> Iterator[IocProcess]:
    with running_ioc(speed=20) as process:
        yield process


def by_file(folder: Path, **more: object) -> dict[str, object]:
    return {"camera__frames": f"{{kind: hdf5, folder: {folder}}}", **more}


@pytest.mark.parametrize("binning", [8, 1])
def test_a_frame_is_what_the_file_holds(ioc: IocProcess, tmp_path: Path, binning: int) -> None:
    async def session(instrument: Instrument, clock: Clock, _: Hands) -> list[tuple[int, np.ndarray]]:
        settings = await instrument.camera.configure(binning, 0.5)
        await instrument.shutter.set(True)
        frames = [await instrument.camera.expose() for _ in range(3)]
        assert all(frame.image.shape == settings.shape for frame in frames)
        return [(frame.unique_id, frame.image) for frame in frames]

    frames = EpicsBench(ioc).run(session, **by_file(tmp_path))
    files = sorted(tmp_path.glob("*.h5"))
    assert len(files) == len(frames)
    for (unique_id, image), path in zip(frames, files, strict=True):
        with h5py.File(path) as file:
            np.testing.assert_array_equal(np.asarray(file["/entry/data/data"]).squeeze(), image)
            ids = np.asarray(file["/entry/instrument/NDAttributes/NDArrayUniqueId"]).ravel()
        assert ids[-1] == unique_id
    assert [number for number, _ in frames] == sorted({number for number, _ in frames})
    assert not np.array_equal(frames[0][1], frames[1][1])


def test_a_dropped_frame_is_lost_and_one_of_another_type_is_unusable(ioc: IocProcess, tmp_path: Path) -> None:
    """A frame with NaN is one of floating-point numbers."""

    async def session(instrument: Instrument, clock: Clock, hands: Hands) -> None:
        await instrument.camera.configure(8, 0.5)
        await instrument.camera.expose()
        await hands.fault("dropped_frame")
        with pytest.raises(FrameLost):
            await instrument.camera.expose()
        await hands.fault("nan_frame")
        with pytest.raises(FrameUnusable, match="another data type"):
            await instrument.camera.expose()
        assert (await instrument.camera.configure(8, 0.5)).shape == (128, 128)
        assert (await instrument.camera.expose()).image.dtype == np.uint16
        await hands.fault("nan_frame")
        with pytest.raises(FrameUnusable):
            await instrument.camera.expose()

    for _ in range(2):
        EpicsBench(ioc).run(session, **by_file(tmp_path))


def test_a_folder_that_is_not_there_is_refused(ioc: IocProcess, tmp_path: Path) -> None:
    async def session(instrument: Instrument, clock: Clock, _: Hands) -> None:
        await instrument.camera.configure(8, 0.5)

    with pytest.raises(DeviceError, match="does not see the folder"):
        EpicsBench(ioc).run(session, **by_file(tmp_path / "nowhere"))
