"""Table 1 for the terminal: the paper's numbers, both conventions labelled, dashes for what is missing."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from xrm_control.reporting.table import HEADINGS, net_dead_volume_percent, paper_table, table1_rows

# The paper's Table 1, typed anew from the article.
PAPER = [238, 234, 0.8, 1.7, 6.4, 9, 30, 0.7, 4.1, 2.4, 3.8, 55]


def one(particle_volume: float, dead: float) -> dict[str, Any]:
    return {"particle": {"volume_um3": particle_volume}, "dead_volume_percent": dead, "voided_particles_percent": 50.0}


def printed(results: dict[str, Any]) -> str:
    console = Console(file=io.StringIO(), width=160, color_system=None)
    console.print(paper_table(results))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_paper_s_values_without_any_results() -> None:
    assert [row.paper for row in table1_rows({})][:12] == PAPER


@pytest.mark.parametrize("results", [{}, {"table1": None}, {"table1": {"paper": [], "unbiased": {"particle": 3}}}])
def test_missing_values_are_dashes(results: dict[str, Any]) -> None:
    for row in table1_rows(results):
        assert row.paper_convention is None
        assert row.unbiased is None
        assert row.cells()[3:] == ("–", "–")


def test_conventions_are_never_mixed() -> None:
    row = table1_rows({"table1": {"paper": one(251.0, 4.0), "unbiased": one(197.0, 3.0)}})[0]
    assert (row.paper, row.paper_convention, row.unbiased) == (238, 251, 197)


def test_terminal_table() -> None:
    text = printed({"sample": {"name": "NMC622"}, "table1": {"paper": one(251.0, 4.0), "unbiased": one(197.0, 3.0)}})
    line = next(line for line in text.splitlines() if "particle volume V" in line)
    assert [cell.strip() for cell in line.strip("│").split("│")] == ["particle volume V", "µm³", "238", "251", "197"]
    assert all(heading in text for heading in HEADINGS)
    assert "the paper's convention" in text
    assert "the unbiased convention" in text


def test_net_dead_volume() -> None:
    results = {"table1": {"paper": one(251.0, 4.0), "unbiased": one(197.0, 3.0)}}
    assert net_dead_volume_percent(results, "paper") == pytest.approx(2.0)
    assert net_dead_volume_percent(results, "unbiased") == pytest.approx(1.5)
    assert net_dead_volume_percent({}, "paper") is None
