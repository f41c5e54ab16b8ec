"""The column dictionary as a page: `python -m xrm_control.contracts.dictionary` writes docs/columns.md anew."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel

from xrm_control.contracts.column import Column
from xrm_control.contracts.columns import KNOWN_PARTICLE_COLUMNS, RUN_PARTICLE_COLUMNS, STANDARD
from xrm_control.contracts.mosaic_table import MOSAIC_COLUMNS
from xrm_control.contracts.population import Population
from xrm_control.contracts.quality import NOT_FIGURES, QualityMetrics
from xrm_control.contracts.table1 import Table1Cells, Table1Convention
from xrm_control.contracts.tables import VOID_COLUMNS, quantities
from xrm_control.contracts.units import unit_of

PAGE = Path("docs/columns.md")
_HEAD = """# Columns

What every column and figure in a run's files means. This page is made from the definitions in `xrm_control/contracts`
(`make columns`); the same ones stand beside each run's tables in `columns.json`, with those of metrics that a recipe
adds. Lengths are in µm; a name ends in its unit. `_u`: standard uncertainty, in the unit of its column. An empty cell
was not measured. An analysis core must write the required columns ([how to](how-to/analysis-core.md)); whatever else it
leaves out, the report leaves out, too, and names.
"""


def page() -> str:
    """The page in Markdown."""
    return "\n".join([
        _HEAD,
        "## particles.csv, one particle a row\n",
        *_columns((*STANDARD.particles, *RUN_PARTICLE_COLUMNS)),
        "\n## voids.csv, one void a row\n",
        *_columns(VOID_COLUMNS),
        "\n## mosaic_particles.csv, one particle of the mosaic a row\n",
        *_columns(MOSAIC_COLUMNS),
        "\n## Population statistics in results.json\n",
        "Of each of these columns, by the particles' weights: n, mean, standard deviation, median, D10, D50, D90, σ\n"
        "of the logarithm, each with its 95 % interval.\n",
        *_quantities(),
        "",
        *_fields(Population, [name for name in Population.model_fields if name != "quantities"]),
        "\n## Table 1 in results.json\n",
        "In the unbiased and in the paper's convention, for particles and for voids, beside the paper's values: "
        + ", ".join(_code(name) for name in Table1Cells.model_fields)
        + "; and "
        + ", ".join(_code(name) for name in Table1Convention.model_fields if name not in ("particle", "void"))
        + ".",
        "\n## quality.json, figures of one region\n",
        *_fields(QualityMetrics, [name for name in QualityMetrics.model_fields if name not in NOT_FIGURES]),
        "",
    ])  # fmt: skip


_OVER = {"whole": "whole particles", "voided": "whole particles with voids", "none": ""}


def _quantities() -> Iterable[str]:
    shown = quantities(KNOWN_PARTICLE_COLUMNS)
    return _table(("quantity", "over"), ((_code(column.name), _OVER[column.statistics]) for column in shown))


def _columns(columns: Sequence[Column]) -> Iterable[str]:
    return _table(
        ("column", "unit", "required", "meaning", "from"),
        ((_code(c.name), c.unit, "yes" if c.required else "", c.meaning, c.source) for c in columns),
    )


def _fields(model: type[BaseModel], names: Iterable[str]) -> Iterable[str]:
    rows = ((_code(name), unit_of(name), model.model_fields[name].description or "") for name in names)
    return _table(("figure", "unit", "meaning"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _code(name: str) -> str:
    return f"`{name}`"


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    target.write_text(page(), encoding="utf-8")
