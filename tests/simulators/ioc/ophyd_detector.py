"""What ophyd's areaDetector classes make of the detector: `python ophyd_detector.py PREFIX FOLDER` prints JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

import ophyd
from ophyd import Component, SingleTrigger
from ophyd.areadetector import DetectorBase
from ophyd.areadetector.cam import SimDetectorCam
from ophyd.areadetector.filestore_mixins import FileStoreHDF5IterativeWrite, FileStoreHDF5SingleIterativeWrite
from ophyd.areadetector.plugins import (
    HDF5Plugin_V34,
    ImagePlugin_V34,
    ROIPlugin_V34,
    StatsPlugin_V34,
    TIFFPlugin_V34,
)

_WITHIN_S = 300.0


class StreamPlugin(HDF5Plugin_V34, FileStoreHDF5IterativeWrite):  # type: ignore[misc]
    """One file for all points."""


class SinglePlugin(HDF5Plugin_V34, FileStoreHDF5SingleIterativeWrite):  # type: ignore[misc]
    """A file for each frame."""


class _Detector(SingleTrigger, DetectorBase):  # type: ignore[misc]
    cam: Any = Component(SimDetectorCam, "cam1:")
    image: Any = Component(ImagePlugin_V34, "image1:")


class Views(ophyd.Device):  # type: ignore[misc]
    """The plugins that screens and scans look at."""

    roi1: Any = Component(ROIPlugin_V34, "ROI1:")
    stats1: Any = Component(StatsPlugin_V34, "Stats1:")
    tiff1: Any = Component(TIFFPlugin_V34, "TIFF1:")


class StreamDetector(_Detector):
    hdf1: Any = Component(StreamPlugin, "HDF1:", write_path_template="/")


class SingleDetector(_Detector):
    hdf1: Any = Component(SinglePlugin, "HDF1:", write_path_template="/")


def count(detector: Any, folder: str, frames: int, points: int) -> dict[str, Any]:
    """Stage, trigger and read `points` times, unstage."""
    detector.hdf1.write_path_template = folder
    detector.stage_sigs["cam.num_images"] = frames
    detector.stage()
    detector.read_attrs = ["image", "hdf1"]
    detector.image.read_attrs = ["unique_id"]
    found: dict[str, Any] = {"capturing": detector.hdf1.capture.get(), "ids": []}
    for _ in range(points):
        detector.trigger().wait(_WITHIN_S)
        found["ids"].append(detector.image.unique_id.get(use_monitor=False))
        detector.read()
    found["described"] = list(detector.describe()["det_image"]["shape"])
    # ophyd's own shaping of images takes the missing third dimension, 0 on any IOC, for the first.
    size = detector.image.array_size.get(use_monitor=False)
    found["pixels"] = [len(detector.image.array_data.get(use_monitor=False)), size.height * size.width]
    documents = [document for name, document in detector.collect_asset_docs() if name == "resource"]
    found["resource"] = "/" + documents[0]["resource_path"]
    found["datums"] = points
    detector.unstage()
    found["capture_after"] = detector.hdf1.capture.get(use_monitor=False)
    return found


def main(prefix: str, folder: str) -> dict[str, Any]:
    """All records there; the plugin primed; a stream and single files."""
    ophyd.set_cl("pyepics")
    stream: Any = StreamDetector(prefix, name="det")
    stream.wait_for_connection(all_signals=True, timeout=_WITHIN_S)
    # What the file is made for is the array that came last, so the camera is set before.
    stream.cam.bin_x.set(8).wait(_WITHIN_S)
    stream.cam.acquire_time.set(0.1).wait(_WITHIN_S)
    stream.hdf1.warmup()
    found: dict[str, Any] = {"primed": list(stream.hdf1.array_size.get())}
    found["stream"] = count(stream, folder, frames=3, points=2)
    single: Any = SingleDetector(prefix, name="det")
    single.wait_for_connection(timeout=_WITHIN_S)
    found["single"] = count(single, folder, frames=2, points=1)
    views: Any = Views(prefix, name="views")
    views.wait_for_connection(all_signals=True, timeout=_WITHIN_S)
    views.roi1.enable.set("Enable").wait(_WITHIN_S)
    views.roi1.size.x.set(16).wait(_WITHIN_S)
    views.stats1.nd_array_port.set("ROI1").wait(_WITHIN_S)
    views.stats1.enable.set("Enable").wait(_WITHIN_S)
    single.stage()
    single.trigger().wait(_WITHIN_S)
    single.unstage()
    found["stats"] = [views.stats1.total.get(use_monitor=False), views.stats1.mean_value.get(use_monitor=False)]
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2])))
