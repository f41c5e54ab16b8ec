"""What sections are made of: tables, marks and figures with captions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from xrm_control.reporting.figures.slices import Strip
from xrm_control.reporting.figures.style import Picture
from xrm_control.reporting.formatting import MISSING

# With what a text begins that reads as a number.
_NUMBERS = frozenset("0123456789+-<≤" + MISSING + "\N{MINUS SIGN}")


@dataclass(frozen=True)
class Cell:
    """Text in a table; `status` is `good`, `bad` or empty; `colour` a swatch, `picture` an image in front of it."""

    text: str
    status: str = ""
    colour: str = ""
    picture: Picture | None = None

    @property
    def numeric(self) -> bool:
        """Whether the cell reads as a number and belongs to the right."""
        return self.text[:1] in _NUMBERS


@dataclass(frozen=True)
class Table:
    """A table with its caption; rows of cells as long as the head; sortable: by a click on a heading."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    sortable: bool = False

    @cached_property
    def numeric(self) -> tuple[bool, ...]:
        """By column: whether all of its cells are numbers."""
        return tuple(bool(self.rows) and all(row[at].numeric for row in self.rows) for at in range(len(self.head)))


@dataclass(frozen=True)
class Shown:
    """A picture with its caption; `strip` makes it one to scroll through."""

    picture: Picture
    caption: str = ""
    strip: Strip | None = None


@dataclass(frozen=True)
class Section:
    """A section of the page: heading, sentences, tables, pictures; `body` is the template's own part."""

    key: str
    title: str
    lead: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Shown, ...] = ()
    after: tuple[Table, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


def table(
    head: tuple[str, ...], rows: list[tuple[str | Cell, ...]], caption: str = "", *, sortable: bool = False
) -> Table:
    """A table from rows of text or cells."""
    cells = tuple(tuple(Cell(c) if isinstance(c, str) else c for c in row) for row in rows)
    return Table(head, cells, caption, sortable)


def met(condition: bool | None) -> Cell:
    """Whether a goal is met, as a cell; a dash where it cannot be said."""
    if condition is None:
        return Cell(MISSING)
    return Cell("yes", "good") if condition else Cell("no", "bad")
