"""The peer of `control`: a Bluesky step scan over ophyd's motor record and areaDetector, on the same IOC."""

from __future__ import annotations

import json
import tempfile

import numpy as np
from bluesky import RunEngine
from bluesky.plans import scan
from ophyd import Component, EpicsMotor, EpicsSignal
from ophyd.areadetector import DetectorBase, HDF5Plugin, SimDetectorCam, SingleTrigger
from ophyd.areadetector.filestore_mixins import FileStoreHDF5IterativeWrite

from benchmarks.control import PREFIX, PROJECTIONS
from xrm_control.core.clock import stopwatch


class _Hdf5(HDF5Plugin, FileStoreHDF5IterativeWrite):
    """The IOC's HDF5 plugin in stream mode."""


def main() -> None:
    """One scan; prints the median seconds per projection as JSON."""
    folder = tempfile.mkdtemp()

    class Detector(SingleTrigger, DetectorBase):  # type: ignore[misc]
        cam = Component(SimDetectorCam, "Det:cam1:")
        hdf1 = Component(_Hdf5, "Det:HDF1:", write_path_template=folder, root=folder)

    detector = Detector(PREFIX, name="detector")
    theta = EpicsMotor(f"{PREFIX}Sample:Theta", name="theta")
    shutter = EpicsSignal(f"{PREFIX}Shutter:Fast", name="shutter", string=True)
    for device in (detector, theta, shutter):
        device.wait_for_connection(timeout=30)
    shutter.put("Open", wait=True)
    detector.cam.stage_sigs.update({"acquire_time": 1e-6, "bin_x": 8, "bin_y": 8, "num_images": 1})
    detector.hdf1.warmup()
    passed_s = stopwatch()
    moments_s: list[float] = []
    engine = RunEngine({})
    engine.subscribe(lambda name, document: moments_s.append(passed_s()), "event")
    engine(scan([detector], theta, -90, 90, PROJECTIONS))  # type: ignore[arg-type]
    print(json.dumps({"median_s": float(np.median(np.diff(moments_s)))}))


if __name__ == "__main__":
    main()
