"""The peer of `control`: a Bluesky step scan over ophyd devices, on the same IOC."""

from __future__ import annotations

import json
import sys
import tempfile
from typing import Any

import numpy as np
from bluesky import RunEngine
from bluesky.plans import scan
from ophyd import Component, Device, EpicsMotor, EpicsSignal, EpicsSignalRO, EpicsSignalWithRBV, PVPositionerPC
from ophyd.areadetector import DetectorBase, HDF5Plugin, SimDetectorCam, SingleTrigger
from ophyd.areadetector.filestore_mixins import FileStoreHDF5IterativeWrite

from benchmarks.control import PREFIX, PROJECTIONS, SOFTIOC
from xrm_control.core.clock import stopwatch


class _Hdf5(HDF5Plugin, FileStoreHDF5IterativeWrite):
    """The IOC's HDF5 plugin in stream mode."""


class _Piezo(PVPositionerPC):
    """An axis of two PVs, whose put-completion says that it has arrived."""

    setpoint = Component(EpicsSignal, "")
    readback = Component(EpicsSignalRO, "_RBV")


class _Cam(Device):
    """What SingleTrigger asks of an areaDetector camera."""

    acquire = Component(EpicsSignalWithRBV, "Acquire")
    acquire_time = Component(EpicsSignalWithRBV, "AcquireTime")
    image_mode = Component(EpicsSignalWithRBV, "ImageMode")
    num_images = Component(EpicsSignalWithRBV, "NumImages")
    array_counter = Component(EpicsSignalWithRBV, "ArrayCounter")
    bin_x = Component(EpicsSignalWithRBV, "BinX")
    bin_y = Component(EpicsSignalWithRBV, "BinY")


class _ArrayDetector(SingleTrigger, DetectorBase):  # type: ignore[misc]
    """A frame is read over Channel Access, with the event."""

    cam = Component(_Cam, "Det:cam1:")
    image = Component(EpicsSignalRO, "Det:image1:ArrayData", kind="normal")

    def trigger(self) -> Any:
        """As SingleTrigger's, which loses the status of an exposure that ends before this returns."""
        status = self._status = self._status_type(self)
        self._acquisition_signal.put(1, wait=False)
        return status


def _devices(kind: str) -> tuple[Any, Any]:
    if kind == SOFTIOC:
        return _ArrayDetector(PREFIX, name="detector"), _Piezo(f"{PREFIX}Sample:Theta", name="theta")
    folder = tempfile.mkdtemp()

    class Detector(SingleTrigger, DetectorBase):  # type: ignore[misc]
        cam = Component(SimDetectorCam, "Det:cam1:")
        hdf1 = Component(_Hdf5, "Det:HDF1:", write_path_template=folder, root=folder)

    return Detector(PREFIX, name="detector"), EpicsMotor(f"{PREFIX}Sample:Theta", name="theta")


def main() -> None:
    """One scan; prints the median seconds per projection as JSON."""
    kind = sys.argv[1]
    detector, theta = _devices(kind)
    shutter = EpicsSignal(f"{PREFIX}Shutter:Fast", name="shutter", string=True)
    for device in (detector, theta, shutter):
        device.wait_for_connection(timeout=30)
    shutter.put("Open", wait=True)
    detector.cam.stage_sigs.update({"acquire_time": 1e-6, "bin_x": 8, "bin_y": 8, "num_images": 1})
    if kind != SOFTIOC:
        detector.hdf1.warmup()
    passed_s = stopwatch()
    moments_s: list[float] = []
    engine = RunEngine({})
    engine.subscribe(lambda name, document: moments_s.append(passed_s()), "event")
    engine(scan([detector], theta, -90, 90, PROJECTIONS))  # type: ignore[arg-type]
    print(json.dumps({"median_s": float(np.median(np.diff(moments_s)))}))


if __name__ == "__main__":
    main()
