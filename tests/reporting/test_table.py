"""Table 1 for the terminal: the paper's numbers, both conventions labelled, dashes for what is missing."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from tests.reporting.results import region_results
from xrm_control.contracts.table1 import Table1, Table1Cells, Table1Convention
from xrm_control.reporting.table import HEADINGS, not_measured, paper_table, table1_rows

# The paper's Table 1, typed anew from the article.
PAPER = [238, 234, 0.8, 1.7, 6.4, 9, 30, 0.7, 4.1, 2.4, 3.8, 55]


NAMES = ("volume_um3", "surface_area_um2", "sphericity", "surface_to_volume_per_um", "equivalent_diameter_um")


def cells(start: float | None) -> Table1Cells:
    """Five values that no other cell of a table has; None: none measured."""
    values = {name: None if start is None else start + at for at, name in enumerate(NAMES)}
    return Table1Cells.model_validate(values)


def convention(start: float, **changes: Any) -> Table1Convention:
    full = {
        "particle": cells(start), "void": cells(start + 10), "dead_volume_percent": start + 20,
        "voided_particles_percent": start + 21, "n_particles": 30, "n_voids": 20,
    }  # fmt: skip
    return Table1Convention.model_validate({**full, **changes})


def table(**changes: Any) -> Table1:
    return Table1(paper=convention(100, **changes), unbiased=convention(200, **changes))


def printed(table1: Table1) -> str:
    region = region_results(table1, "NMC622")
    console = Console(file=io.StringIO(), width=160, color_system=None)
    console.print(paper_table(region))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_paper_s_values_without_any_results() -> None:
    rows = table1_rows(None)
    assert [row.paper for row in rows][:12] == PAPER
    assert {row.cells()[3:] for row in rows} == {("–", "–")}
    assert not_measured(rows) == ""


def test_every_cell_is_its_own_and_conventions_are_never_mixed() -> None:
    rows = table1_rows(table())
    own = [*range(5), *range(10, 15), 20, 21]
    assert [row.paper_convention for row in rows] == [*(100 + at for at in own), 30, 20]
    assert [row.unbiased for row in rows] == [*(200 + at for at in own), 30, 20]


def test_what_was_not_measured_is_left_out_by_name() -> None:
    """A core that measures size alone, and looks for no voids."""
    size = {name: value if name in ("volume_um3", "equivalent_diameter_um") else None for name, value in cells(7)}
    alone = table(
        particle=size, void=cells(None), n_voids=None, dead_volume_percent=None, voided_particles_percent=None
    )
    rows = table1_rows(alone)
    assert [row.quantity for row in rows if row.measured] == [
        "particle volume V", "particle equivalent diameter dₑ", "particles counted",
    ]  # fmt: skip
    assert not_measured(rows).startswith("Not measured by this core: particle surface area SA, particle sphericity ψ,")
    assert "void volume V │" not in printed(alone)
    assert "Not measured by this core: particle surface area SA" in " ".join(printed(alone).split())


def test_a_mean_of_no_voids_is_a_dash() -> None:
    rows = table1_rows(table(void=cells(None), n_voids=0))
    assert all(row.measured for row in rows)
    assert rows[5].cells()[3:] == ("–", "–")


def test_terminal_table() -> None:
    text = printed(table())
    line = next(line for line in text.splitlines() if "particle volume V" in line)
    assert [cell.strip() for cell in line.strip("│").split("│")] == ["particle volume V", "µm³", "238", "100", "200"]
    assert all(heading in text for heading in HEADINGS)
    assert "the paper's convention" in text
    assert "the unbiased convention" in text


def test_net_dead_volume() -> None:
    found = convention(0, dead_volume_percent=4.0, voided_particles_percent=50.0)
    assert found.net_dead_volume_percent == pytest.approx(2.0)
    assert convention(0, dead_volume_percent=None).net_dead_volume_percent is None
