"""NXtomo (HDF5, NeXus), with all that nabu and silx need.

https://manual.nexusformat.org/classes/applications/NXtomo.html
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import h5py
import numpy as np

from xrm_control.exports.exporter import Exporter, ReadBack
from xrm_control.exports.hdf5 import as_read, each, new_file, put, put_images, put_provenance
from xrm_control.exports.region_scan import RegionScan

_PROJECTION, _FLAT, _DARK = 0, 1, 2


class NXtomo(Exporter):
    """All frames in one stack, in the order in which they were taken, told apart by their image_key."""

    kind: Literal["nxtomo"] = "nxtomo"
    suffix: ClassVar[str] = ".nx"

    def write(self, scan: RegionScan, path: Path) -> None:
        """See `Exporter.write`."""
        kinds = zip(scan.stacks, (_PROJECTION, _FLAT, _DARK), strict=True)
        keyed = [(stack.time_s[index], key, (stack, index)) for stack, key in kinds for _, index in each(stack)]
        keyed.sort(key=lambda one: one[0])
        frames = [frame for _, _, frame in keyed]
        keys = [key for _, key, _ in keyed]
        with new_file(path) as file:
            file.attrs["default"] = "entry"
            entry = _group(file, "entry", "NXentry")
            entry.attrs["default"] = "data"
            put(entry, "definition", "NXtomo")
            put(entry, "title", scan.title)
            put(entry, "start_time", scan.started_utc)
            instrument = _group(entry, "instrument", "NXinstrument")
            detector = _group(instrument, "detector", "NXdetector")
            put_images(detector, "data", frames)
            put(detector, "image_key", keys)
            put(detector, "image_key_control", keys)
            put(detector, "count_time", [stack.exposure_s[index] for stack, index in frames], "s")
            # The camera sees an image of the sample: nothing propagates between it and the plane that is imaged.
            put(detector, "distance", 0.0, "m")
            sample = _group(entry, "sample", "NXsample")
            put(sample, "name", scan.sample)
            put(sample, "rotation_angle", np.array([stack.theta_deg[index] for stack, index in frames]), "degree")
            for place in (detector, sample):
                for axis in "xy":
                    put(place, f"{axis}_pixel_size", scan.pixel_size_um * 1e-6, "m")
            beam = _group(instrument, "beam", "NXbeam")
            put(beam, "incident_energy", scan.energy_kev, "keV")
            put(_group(instrument, "source", "NXsource"), "probe", "x-ray")
            entry["beam"] = h5py.SoftLink("/entry/instrument/beam")
            shown = _group(entry, "data", "NXdata")
            shown.attrs["signal"] = "data"
            shown["data"] = h5py.SoftLink("/entry/instrument/detector/data")
            shown["image_key"] = h5py.SoftLink("/entry/instrument/detector/image_key")
            shown["rotation_angle"] = h5py.SoftLink("/entry/sample/rotation_angle")
            put_provenance(_group(entry, "xrm_control", "NXcollection"), scan, frames)

    def read(self, path: Path) -> ReadBack:
        """See `Exporter.read`."""
        return as_read(path)


def _group(above: h5py.Group, name: str, kind: str) -> h5py.Group:
    """A group of a NeXus class."""
    made = above.create_group(name)
    made.attrs["NX_class"] = kind
    return made
