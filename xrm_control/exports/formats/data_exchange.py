"""Data Exchange (HDF5), as tomopy, dxchange and tomocupy read it.

/exchange/{data, data_white, data_dark, theta}: De Carlo et al. 2014, doi 10.1107/S160057751401604X.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from xrm_control.exports.exporter import Exporter, ReadBack
from xrm_control.exports.hdf5 import as_read, each, new_file, put, put_images, put_provenance
from xrm_control.exports.region_scan import RegionScan


class DataExchange(Exporter):
    """Frames by kind, each in the order in which they were taken; theta in degrees, as measured."""

    kind: Literal["data_exchange"] = "data_exchange"
    suffix: ClassVar[str] = ".h5"

    def write(self, scan: RegionScan, path: Path) -> None:
        """See `Exporter.write`."""
        with new_file(path) as file:
            put(file, "implements", "exchange:measurement:process")
            put(file, "exchange/title", scan.title)
            for name, stack in zip(("data", "data_white", "data_dark"), scan.stacks, strict=True):
                put_images(file, f"exchange/{name}", each(stack)).attrs["axes"] = "theta:y:x"
            put(file, "exchange/theta", scan.projections.theta_deg, "deg")
            measurement = file.create_group("measurement")
            put(measurement, "sample/name", scan.sample)
            put(measurement, "sample/experiment/start_date", scan.started_utc)
            put(measurement, "instrument/monochromator/energy", scan.energy_kev, "keV")
            # Where readers of this format look for the pixel at the sample.
            put(measurement, "instrument/detection_system/objective/resolution", scan.pixel_size_um, "um")
            detector = measurement.create_group("instrument/detector")
            for name, stack in zip(
                ("exposure_time", "exposure_time_flat", "exposure_time_dark"), scan.stacks, strict=True
            ):
                put(detector, name, stack.exposure_s, "s")
            put_provenance(
                file.create_group("process/xrm_control"), scan, [one for stack in scan.stacks for one in each(stack)]
            )

    def read(self, path: Path) -> ReadBack:
        """See `Exporter.read`."""
        return as_read(path)
