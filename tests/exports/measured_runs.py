"""A run whose region was measured: a volume that was drawn, analysed and laid down as a run keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.exports.bodies import VOXEL_UM, Body, drawn
from tests.exports.runs import ROI, scanned_run
from xrm_control.analysis.core import AnalysisSpec, analyze_volume
from xrm_control.analysis.handoff import write_labels
from xrm_control.contracts.quality import QUALITY, QualityDocument
from xrm_control.contracts.rows import Rows, write_rows
from xrm_control.contracts.tables import VOID_COLUMNS
from xrm_control.storage.formats.ome_tiff import write_volume
from xrm_control.storage.run_folder import RunFolder


def measured_run(folder: Path, bodies: Sequence[Body], shape: tuple[int, int, int] = (56, 64, 64)) -> RunFolder:
    """One region with what is left of its analysis."""
    run = scanned_run(folder)
    place = run.roi(ROI)
    place.path.mkdir(exist_ok=True)
    volume, spec = drawn(bodies, shape), AnalysisSpec()
    found = analyze_volume(volume, VOXEL_UM, spec, roi=ROI)
    write_volume(place.volume, [volume], VOXEL_UM)
    write_labels(place.path, VOXEL_UM, found.labels, found.phases)
    write_rows(place.particles, Rows.of(found.particles, spec.columns), spec.columns)
    write_rows(place.voids, Rows.of(found.voids, VOID_COLUMNS), VOID_COLUMNS)
    QUALITY.write(place.quality, QualityDocument(**found.quality.stated()))
    return run
