"""The detector over Channel Access, seen by the clients that beamlines use: pyepics, its devices, and ophyd."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import epics
import h5py
import numpy as np
import pytest
from epics.devices.ad_base import AD_Camera
from epics.devices.ad_fileplugin import AD_FilePlugin
from epics.devices.ad_image import AD_ImagePlugin
from numpy.typing import NDArray

from tests.ioc_process import client_environment, running_ioc
from tests.simulators.ioc.circuit import Channel
from tests.simulators.ioc.client import Client
from tests.simulators.ioc.detector_bench import darks

FACTS = (
    "Manufacturer_RBV",
    "Model_RBV",
    "PortName_RBV",
    "Acquire",
    "AcquireBusy",
    "Acquire_RBV",
    "ImageMode",
    "TriggerMode",
    "TriggerSource",
    "TriggerSoftware",
    "NumImages",
    "NumImagesCounter_RBV",
    "ArrayCounter",
    "ArrayCounter_RBV",
    "ArrayCallbacks",
    "AcquireTime",
    "AcquireTime_RBV",
    "AcquirePeriod",
    "AcquirePeriod_RBV",
    "BinX",
    "BinY",
    "MinX",
    "MinY",
    "SizeX",
    "SizeY",
    "MaxSizeX_RBV",
    "MaxSizeY_RBV",
    "ArraySizeX_RBV",
    "ArraySizeY_RBV",
    "ArraySize_RBV",
    "DataType_RBV",
    "ColorMode_RBV",
    "DetectorState_RBV",
    "StatusMessage_RBV",
    "TimeRemaining_RBV",
    "WaitForPlugins",
    "UniqueIdMode",
)


@pytest.fixture(scope="module")
def beamline() -> Iterator[Client]:
    with running_ioc(speed=20) as ioc:
        client = Client(ioc)
        for name, value in (("BinX", 8), ("AcquireTime", 0.1), ("WaitForPlugins", "Yes")):
            client.put(f"Det:cam1:{name}", value)
        yield client


def image(beamline: Client) -> NDArray[np.uint16]:
    """As a client gets it: int16 over the wire, seen as uint16, in the shape that the plugin tells."""
    shape = beamline.get("Det:image1:ArraySize1_RBV"), beamline.get("Det:image1:ArraySize0_RBV")
    return beamline.get("Det:image1:ArrayData")[: shape[0] * shape[1]].view(np.uint16).reshape(shape)


def acquire(beamline: Client, frames: int = 1) -> int:
    """Take frames; the unique id of the last one."""
    beamline.put("Det:cam1:ImageMode", "Multiple")
    beamline.put("Det:cam1:NumImages", frames)
    beamline.put("Det:cam1:Acquire", 1)
    return beamline.get("Det:image1:UniqueId_RBV")


def test_what_clients_ask_for_is_there(beamline: Client) -> None:
    p = beamline.prefix
    pvs = [epics.get_pv(f"{p}Det:cam1:{name}") for name in FACTS]
    devices: list[Any] = [
        AD_Camera(f"{p}Det:cam1:"),
        AD_ImagePlugin(f"{p}Det:image1:"),
        AD_FilePlugin(f"{p}Det:HDF1:"),
    ]
    for device in devices:
        # `_RBV` of what has none on a real IOC either.
        pvs += [pv for name, pv in device._pvs.items() if name in device.attrs]
    beamline.until(lambda: all(pv.connected for pv in pvs))
    assert not epics.get_pv(f"{p}Det:cam1:ArraySizeX_RBV").write_access


def test_a_frame_and_the_order_of_what_is_told(beamline: Client) -> None:
    """Idle before Acquire_RBV = 0, and the data before their unique id."""
    news: list[tuple[str, int]] = []

    def note(pvname: str, value: int, **_: Any) -> None:
        news.append((pvname.rpartition(":")[2], value))

    names = ("DetectorState_RBV", "Acquire_RBV", "AcquireBusy", "ArrayCounter_RBV")
    pvs = [epics.PV(f"{beamline.prefix}Det:cam1:{name}", callback=note) for name in names]
    beamline.until(lambda: {name for name, _ in news} == set(names))
    news.clear()
    taken = acquire(beamline)
    beamline.until(lambda: news[-1:] == [("AcquireBusy", 0)])
    for pv in pvs:
        pv.disconnect()
    assert news == [
        ("Acquire_RBV", 1),
        ("AcquireBusy", 1),
        ("DetectorState_RBV", 1),
        ("DetectorState_RBV", 2),
        ("ArrayCounter_RBV", taken),
        ("DetectorState_RBV", 0),
        ("Acquire_RBV", 0),
        ("AcquireBusy", 0),
    ]
    assert image(beamline).shape == (128, 128)
    assert image(beamline).mean() == pytest.approx(darks(1)[0].mean(), abs=1.0)


def test_frames_differ_and_are_counted(beamline: Client) -> None:
    first = acquire(beamline)
    before = image(beamline)
    assert acquire(beamline) == first + 1
    assert not np.array_equal(before, image(beamline))
    assert acquire(beamline, 3) == first + 4


def test_a_whole_frame_unbinned(beamline: Client) -> None:
    beamline.put("Det:cam1:BinX", 1)
    acquire(beamline)
    assert image(beamline).shape == (1024, 1024)
    assert beamline.get("Det:cam1:ArraySize_RBV") == 2 * 1024 * 1024
    beamline.put("Det:cam1:BinX", 8)
    acquire(beamline)
    assert image(beamline).shape == (128, 128)


@pytest.mark.parametrize("completion", [False, True])
def test_only_without_completion_an_acquisition_that_somebody_waits_for_is_stopped(
    beamline: Client, completion: bool
) -> None:
    """Each areaDetector PV is a record of its own, with its own line; an exposure of 20 s is one of the wall clock."""
    done = threading.Event()
    beamline.put("Det:cam1:AcquireTime", 20.0)
    before = beamline.get("Det:cam1:ArrayCounter_RBV")
    beamline.pv("Det:cam1:Acquire").put(1, wait=False, callback=lambda **_: done.set())
    beamline.until(lambda: beamline.get("Det:cam1:Acquire_RBV") == "Acquiring")
    beamline.put("Det:cam1:AcquireTime", 0.1)  # another record's put does not wait
    assert not done.is_set()
    # On a channel of its own, so that it waits for its record and not for its channel.
    stop = Channel(f"{beamline.prefix}Det:cam1:Acquire")
    if completion:
        assert stop.put_callback(0).comes()
    else:
        stop.put(0)
    assert done.wait(300.0)
    assert beamline.get("Det:cam1:ArrayCounter_RBV") == before + completion
    stop.clear()


def test_the_file_plugin_of_pyepics(beamline: Client, tmp_path: Path) -> None:
    """As its users write it: text into waveforms of characters, numbers for choices."""
    camera, plugin = (
        device(f"{beamline.prefix}Det:{port}:", *()) for device, port in ((AD_Camera, "cam1"), (AD_FilePlugin, "HDF1"))
    )
    plugin.put("EnableCallbacks", 1, wait=True)
    before = acquire(beamline)
    for name, value in (("AutoSave", 1), ("FileWriteMode", 2), ("NumCapture", 3), ("FileNumber", 17)):
        plugin.put(name, value, wait=True)
    for name, value in (("FilePath", str(tmp_path)), ("FileName", "scan"), ("FileTemplate", "%s%s_%4.4d.h5")):
        plugin.put(name, value, wait=True)
    assert plugin.getPath() == f"{tmp_path}/"
    assert plugin.get("FilePathExists_RBV") == 1
    plugin.CaptureOn()
    beamline.until(lambda: beamline.get("Det:HDF1:Capture_RBV") == "Capturing")
    camera.put("ImageMode", 1, wait=True)
    camera.put("NumImages", 3, wait=True)
    camera.put("Acquire", 1, wait=True)
    beamline.until(lambda: beamline.get("Det:HDF1:Capture_RBV") == "Done")
    assert plugin.getLastFileName() == plugin.getFileNameByIndex(17) == f"{tmp_path}/scan_0017.h5"
    with h5py.File(tmp_path / "scan_0017.h5") as file:
        frames: Any = file["entry/data/data"]
        ids: Any = file["entry/instrument/NDAttributes/NDArrayUniqueId"]
        assert frames.shape == (3, 128, 128)
        assert list(ids) == [before + 1, before + 2, before + 3]
        assert np.array_equal(frames[2], image(beamline))


@pytest.mark.parametrize("array_type", ["int16", "float32"])
def test_a_frame_with_what_is_no_number(array_type: str) -> None:
    with running_ioc(speed=20, array_type=array_type, fault=[{"kind": "nan_frame", "frames": [1]}]) as ioc:
        client = Client(ioc)
        client.put("Det:cam1:BinX", 8)
        acquire(client)
        assert client.get("Det:cam1:DataType_RBV") == "Float32"
        data = client.get("Det:image1:ArrayData")[: 128 * 128]
        lost = np.isnan(data) if array_type == "float32" else data == 0
        assert 0.04 < lost.mean() < 0.06


def test_ophyd(beamline: Client, tmp_path: Path) -> None:
    """In a process of its own: ophyd puts its own classes under pyepics."""
    pytest.importorskip("ophyd")
    script = Path(__file__).with_name("ophyd_detector.py")
    beamline.put("Det:HDF1:FileWriteMode", "Single")
    run = subprocess.run(
        [sys.executable, str(script), f"{beamline.prefix}Det:", str(tmp_path)],
        env={**os.environ, **client_environment()},
        capture_output=True,
        text=True,
        timeout=600.0,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout.splitlines()[-1])
    assert said["primed"] == [0, 128, 128]
    stream, single = said["stream"], said["single"]
    assert (stream["capturing"], stream["capture_after"]) == (1, 0)
    assert stream["ids"][1] - stream["ids"][0] == 3
    assert (stream["pixels"], stream["described"]) == ([128 * 128, 128 * 128], [3, 128, 128])
    with h5py.File(stream["resource"]) as file:
        frames: Any = file["entry/data/data"]
        ids: Any = file["entry/instrument/NDAttributes/NDArrayUniqueId"]
        assert frames.shape == (6, 128, 128)
        assert list(ids) == list(range(stream["ids"][0] - 2, stream["ids"][1] + 1))
    assert single["ids"][0] == stream["ids"][1] + 2
    total, mean = said["stats"]
    assert total == pytest.approx(16 * 128 * mean)
    written = sorted(path for path in tmp_path.iterdir() if path.suffix == ".h5")
    # A stream, and twice two single files.
    assert sum(path.name.endswith(("_000000.h5", "_000001.h5")) for path in written) == len(written) == 5
