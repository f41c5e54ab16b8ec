"""What a name in a file is called above a table: the one place that knows, made from the definitions."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel

from xrm_control.contracts.column import Column
from xrm_control.contracts.columns import STANDARD
from xrm_control.contracts.population import Population
from xrm_control.contracts.quality import QualityMetrics
from xrm_control.contracts.truth import TruthMatch
from xrm_control.contracts.units import heading_of, unit_of

_MODELS: tuple[type[BaseModel], ...] = (QualityMetrics, Population, TruthMatch)
_COLUMNS = {column.name: column for column in (*STANDARD.voids, *STANDARD.particles)}


def heading(name: str, columns: Iterable[Column] = ()) -> str:
    """A name as a heading with its unit: ``equivalent_diameter_um`` -> ``equivalent diameter (µm)``.

    columns: definitions that come before the ones that everybody knows, those of metrics and of other cores.
    """
    for column in columns:
        if column.name == name:
            return column.heading
    if name in _COLUMNS:
        return _COLUMNS[name].heading
    for model in _MODELS:
        field = model.model_fields.get(name)
        if field is not None and field.title:
            return f"{field.title} ({unit})" if (unit := unit_of(name)) else field.title
    return heading_of(name)
