"""A run's tables with what their columns mean."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from xrm_control.contracts.column import Column
from xrm_control.contracts.rows import Rows
from xrm_control.core.errors import DataError
from xrm_control.core.states import RoiState
from xrm_control.dashboard.files import inside
from xrm_control.dashboard.models_table import Table, TableColumn
from xrm_control.processing.measured import Measured, read_measured, weighted
from xrm_control.processing.mosaic_sizes import mosaic_sizes
from xrm_control.storage.journal_reader import JournalReader
from xrm_control.storage.run_folder import RunFolder

_FILES = ("particles.csv", "voids.csv", "columns.json")
_Stamps = tuple[tuple[int, int], ...]


def table(
    folder: RunFolder, name: Literal["particles", "voids"], offset: int, limit: int, columns: Sequence[str] = ()
) -> Table:
    """Rows of all regions that have been measured so far, particles with their weight in the population as the report
    has it. columns: those of these names that there are; none: all.

    Raises DataError where a table cannot be read.
    """
    with JournalReader.open(folder.journal) as journal:
        rois = sorted(roi for roi, life in journal.roi_states().items() if life.state is RoiState.REPORTED)
    if not all(inside(folder.roi(roi).path, folder.path) for roi in rois):
        raise DataError("a region lies elsewhere", where=folder.name)
    if not rois:
        return Table(columns=(), rows=(), total=0)
    paths = [folder.rois, *(folder.roi(roi).path / file for roi in rois for file in _FILES)]
    measured = _measured(folder, tuple(rois), tuple(map(_stamp, paths)))
    found = measured.particles if name == "particles" else measured.voids
    if found is None:
        raise DataError("nobody looked for voids in this run", where=folder.name)
    chosen = tuple(column for column in found.columns if not columns or column.name in columns)
    # A million cells that were held against their columns are not looked at again.
    return Table.model_construct(
        columns=tuple(map(_column, chosen)),
        rows=tuple(zip(*(_cells(found, column, offset, limit) for column in chosen), strict=True)),
        total=len(found),
        others=tuple(_column(column) for column in found.columns if column not in chosen),
    )


@lru_cache(maxsize=2)
def _measured(folder: RunFolder, rois: tuple[str, ...], stamps: _Stamps) -> Measured:
    """Read once for all who look. stamps: change with the files."""
    return weighted(read_measured(folder, rois), mosaic_sizes(folder))


def _cells(rows: Rows, column: Column, offset: int, limit: int) -> Iterable[float | str | None]:
    if column.is_text:
        return rows.texts(column)[offset : offset + limit]
    values = rows.numbers(column)[offset : offset + limit].tolist()
    return (None if math.isnan(value) else value for value in values)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        about = path.stat()
    except OSError:
        return 0, 0
    return about.st_mtime_ns, about.st_size


def _column(column: Column) -> TableColumn:
    return TableColumn(
        name=column.name,
        heading=column.label,
        unit=column.unit,
        meaning=column.meaning,
        numeric=not column.is_text,
    )
