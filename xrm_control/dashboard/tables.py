"""A run's tables with what their columns mean."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal

from xrm_control.contracts.column import Column
from xrm_control.core.errors import DataError
from xrm_control.core.states import RoiState
from xrm_control.dashboard.files import inside
from xrm_control.dashboard.models import Table, TableColumn
from xrm_control.processing.measured import read_measured
from xrm_control.storage.journal_reader import JournalReader
from xrm_control.storage.run_folder import RunFolder

_Stamps = tuple[tuple[int, int], ...]


def table(folder: RunFolder, name: Literal["particles", "voids"], offset: int, limit: int) -> Table:
    """Rows of all regions that have been measured so far. Raises DataError where a table cannot be read."""
    with JournalReader.open(folder.journal) as journal:
        rois = sorted(roi for roi, life in journal.roi_states().items() if life.state is RoiState.REPORTED)
    if not all(inside(folder.roi(roi).path, folder.path) for roi in rois):
        raise DataError("a region lies elsewhere", where=folder.name)
    if not rois:
        return Table(columns=(), rows=(), total=0)
    whole = _table(folder, name, tuple(rois), tuple(_stamp(folder, roi, name) for roi in rois))
    return whole.model_copy(update={"rows": whole.rows[offset : offset + limit]})


@lru_cache(maxsize=2)
def _table(folder: RunFolder, name: Literal["particles", "voids"], rois: tuple[str, ...], stamps: _Stamps) -> Table:
    """Read once for all who look: many regions take seconds. stamps: change with the files."""
    measured = read_measured(folder, rois)
    rows = measured.particles if name == "particles" else measured.voids
    if rows is None:
        raise DataError("nobody looked for voids in this run", where=folder.name)
    texts = {column.name for column in rows.columns if column.is_text}
    return Table(
        columns=tuple(map(_column, rows.columns)),
        rows=tuple(
            tuple(value if name in texts or not math.isnan(float(value)) else None for name, value in row.items())
            for row in rows.records()
        ),
        total=len(rows),
    )


def _stamp(folder: RunFolder, roi: str, name: str) -> tuple[int, int]:
    try:
        about = (folder.roi(roi).path / f"{name}.csv").stat()
    except OSError:
        return 0, 0
    return about.st_mtime_ns, about.st_size


def _column(column: Column) -> TableColumn:
    return TableColumn(name=column.name, heading=column.label, unit=column.unit, meaning=column.meaning)
