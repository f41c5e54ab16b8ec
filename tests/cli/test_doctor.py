"""What `xrm doctor` shows: findings as they are, whatever text an instrument brings with it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from xrm_control.cli.doctor import table
from xrm_control.core.findings import Finding


def shown(finding: Finding) -> str:
    console = Console(file=io.StringIO(), width=200, force_terminal=False)
    console.print(table([finding]))
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("finding", "mark", "with_remedy"),
    [
        (Finding("a", True, "found"), "ok", False),
        (Finding("a", True, "found", "worth knowing"), "note", True),
        (Finding("a", False, "found", "mend it"), "bad", True),
    ],
)
def test_a_finding_is_in_order_or_a_note_or_bad(finding: Finding, mark: str, with_remedy: bool) -> None:
    text = shown(finding)
    assert f" {mark} " in text
    assert (finding.remedy in text and bool(finding.remedy)) is with_remedy


@pytest.mark.parametrize("text", ["[/red]", "[bold", "[link=x]y[/link]", "a [0, 1] b", "\\[x]"])
def test_text_from_outside_is_no_markup(text: str) -> None:
    assert shown(Finding(text, False, text, text)).count(text) == 3
