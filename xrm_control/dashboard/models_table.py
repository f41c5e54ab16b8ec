"""Volumes and tables as the server tells of them."""

from __future__ import annotations

from pydantic import Field

from xrm_control.contracts.document import Record


class Planes(Record):
    """What a volume offers: shape (z, y, x), voxel size, and the values (1/um) that grey 0 and 255 stand for."""

    shape: tuple[int, ...] = Field(min_length=3, max_length=3)
    voxel_size_um: float | None
    low_per_um: float
    high_per_um: float
    labels: bool


class Table(Record):
    """A table of a run: its columns with unit and meaning, and its rows; an empty cell is None. others: columns that
    were not asked for.
    """

    columns: tuple[TableColumn, ...]
    rows: tuple[tuple[float | int | str | bool | None, ...], ...]
    total: int
    others: tuple[TableColumn, ...] = ()


class TableColumn(Record):
    name: str
    heading: str
    unit: str
    meaning: str
    numeric: bool = True


Table.model_rebuild()
