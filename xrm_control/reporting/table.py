"""The paper's Table 1 beside this run's, in both conventions, never mixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from xrm_control.reporting import paper
from xrm_control.reporting.formatting import MISSING, dig, figure, mapping, number

PAPER_CONVENTION = (
    "the paper's convention: every whole particle counts once, with voxel counts and voxel faces; means of V, SA and "
    "dₑ, sphericity from mean V and mean SA, SA:V a mean of ratios, dead volume mean void V over mean particle V"
)
UNBIASED_CONVENTION = (
    "the unbiased convention: whole particles weighted against the loss of large ones at the border, volumes from "
    "grey levels, areas by Crofton's formula; means of each particle's own values, dead volume over the volume of "
    "voided particles"
)
HEADINGS = ("Quantity", "Unit", "Paper (NMC622)", "This run, paper's convention", "This run, unbiased")

_QUANTITIES = (
    ("volume_um3", "volume V", "µm³"),
    ("surface_area_um2", "surface area SA", "µm²"),
    ("sphericity", "sphericity ψ", MISSING),
    ("surface_to_volume_per_um", "SA:V", "µm⁻¹"),
    ("equivalent_diameter_um", "equivalent diameter dₑ", "µm"),
)
_ROWS = (
    *((f"particle {name}", unit, ("particle", key)) for key, name, unit in _QUANTITIES),
    *((f"void {name}", unit, ("void", key)) for key, name, unit in _QUANTITIES),
    ("dead volume", "%", ("dead_volume_percent",)),
    ("particles with internal voids", "%", ("voided_particles_percent",)),
    ("particles counted", MISSING, ("n_particles",)),
    ("voids counted", MISSING, ("n_voids",)),
)


@dataclass(frozen=True)
class Table1Row:
    """One quantity: the paper's value, this run's in the paper's and in the unbiased convention; None where absent."""

    quantity: str
    unit: str
    paper: float | None
    paper_convention: float | None
    unbiased: float | None

    def cells(self) -> tuple[str, str, str, str, str]:
        """The row as printed, under `HEADINGS`."""
        # The paper's values keep the digits that it prints.
        stated = MISSING if self.paper is None else f"{self.paper:g}"
        return self.quantity, self.unit, stated, self._own(self.paper_convention), self._own(self.unbiased)

    def _own(self, value: float | None) -> str:
        return figure(int(value) if value is not None and self.quantity.endswith("counted") else value)


def table1_rows(results: Mapping[str, Any]) -> tuple[Table1Row, ...]:
    """Table 1 of a run's results.json; the paper's values come with the results, or from the paper when they do not."""
    stated = mapping(results, "table1", "paper_values") or paper.TABLE1
    table = mapping(results, "table1")
    return tuple(
        Table1Row(
            quantity,
            unit,
            number(dig(stated, *path)),
            number(dig(table, "paper", *path)),
            number(dig(table, "unbiased", *path)),
        )
        for quantity, unit, path in _ROWS
    )


def paper_table(results: Mapping[str, Any]) -> Table:
    """Table 1 for a terminal, with both conventions said below it.

    results: the run's results.json; whatever it lacks is a dash.
    """
    sample = dig(results, "sample", "name") or dig(results, "recipe_name")
    table = Table(
        title="Table 1" + (f": {sample}" if isinstance(sample, str) else "") + " beside the paper's",
        caption=f"Paper: {paper.CITATION}. In {PAPER_CONVENTION}. In {UNBIASED_CONVENTION}.",
        caption_justify="left",
    )
    for at, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="right" if at > 1 else "left", no_wrap=at < 2)
    for row in table1_rows(results):
        cells = row.cells()
        table.add_row(*cells, end_section="diameter" in row.quantity)
    return table


def net_dead_volume_percent(results: Mapping[str, Any], convention: str) -> float | None:
    """Per cent of the active material that is empty: dead volume of the voided particles times their share.

    convention: `paper` or `unbiased`.
    """
    dead = number(dig(results, "table1", convention, "dead_volume_percent"))
    voided = number(dig(results, "table1", convention, "voided_particles_percent"))
    return None if dead is None or voided is None else dead * voided / 100
