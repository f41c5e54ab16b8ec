"""What a column of a table is: name, type, unit, meaning, and where its number comes from."""

from __future__ import annotations

import math
import re
from typing import Literal, Self

from pydantic import Field, model_validator

from xrm_control.contracts.units import unit_of
from xrm_control.core.model import Spec

Dtype = Literal["id", "flag", "number", "positive", "weight", "text"]
Statistics = Literal["none", "whole", "voided"]

NAME, NAME_LENGTH = r"[a-z][a-z0-9_]*", 80
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"\d{1,18}", re.ASCII)
_WANTED: dict[Dtype, str] = {
    "id": "a whole number above 0",
    "flag": "0 or 1",
    "number": "a finite number",
    "positive": "a finite number above 0",
    "weight": "a finite number, 0 or above",
    "text": "text",
}


def number(cell: str) -> float:
    """The finite decimal number in a cell; NaN for anything else."""
    value = float(cell) if _NUMBER.fullmatch(cell) else math.nan
    return value if math.isfinite(value) else math.nan


class Column(Spec):
    """One column. Its name ends in its unit (`volume_um3`), and `unit` must agree with that.

    dtype: what a cell may hold; choices: the only texts allowed; source: the metric, core or method that gives it;
    required: an analysis core must write it, and its cells may not be empty; statistics: whether the population's
    statistics are made of it, over all whole particles or over those with voids.
    """

    name: str = Field(pattern=f"^{NAME}$", max_length=NAME_LENGTH)
    label: str = Field(min_length=1, max_length=120)
    meaning: str = Field(min_length=1)
    source: str = Field(min_length=1)
    unit: str = ""
    dtype: Dtype = "number"
    choices: tuple[str, ...] = ()
    required: bool = False
    statistics: Statistics = "none"

    @model_validator(mode="after")
    def _unit_is_the_name_s(self) -> Self:
        if self.unit != unit_of(self.name):
            raise ValueError(f"column {self.name}: unit {self.unit!r}, but the name says {unit_of(self.name)!r}")
        return self

    @property
    def describable(self) -> bool:
        """Whether its name is one that columns.json may hold; a table of another core may have any header."""
        return bool(re.fullmatch(NAME, self.name)) and len(self.name) <= NAME_LENGTH

    @property
    def is_text(self) -> bool:
        """Whether its cells are text rather than numbers."""
        return self.dtype == "text"

    @property
    def heading(self) -> str:
        """Label with unit, as over a table: `equivalent diameter (µm)`."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def wanted(self) -> str:
        """In words, what a cell of it must hold."""
        if self.choices:
            return ", ".join(self.choices)
        return _WANTED[self.dtype] if self.required else "a finite number, or nothing"

    def fits(self, cell: str) -> bool:
        """Whether a cell of a file holds what this column may hold."""
        if self.choices:
            return cell in self.choices
        if self.is_text or (not self.required and not cell):
            return True
        value = number(cell)
        match self.dtype if self.required else "number":
            case "id":
                return bool(_WHOLE.fullmatch(cell)) and int(cell) > 0
            case "flag":
                return cell in ("0", "1")
            case "positive":
                return value > 0
            case "weight":
                return value >= 0
            case _:
                return not math.isnan(value)


def uncertainty(of: Column) -> Column:
    """The column of the standard uncertainty of another one: the same name and `_u`."""
    return Column(
        name=f"{of.name}_u",
        label=f"u of {of.label}",
        meaning=f"standard uncertainty of {of.name}",
        source=of.source,
        unit=of.unit,
    )


def unknown(name: str) -> Column:
    """A column that no definition tells of, whatever its name: text, of which nothing is known."""
    return Column.model_construct(
        name=name,
        label=name.replace("_", " "),
        meaning="not described by the core that wrote it",
        source="the analysis core",
        unit=unit_of(name),
        dtype="text",
    )
