"""Names of events and states are written down once: everybody else uses the class or the enumeration."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from xrm_control.core.events import AnyEvent
from xrm_control.core.states import FrameKind, RoiState, RunState

PACKAGE = Path(__file__).parents[2] / "xrm_control"
DEFINED = ("core/states.py", "core/events/", "core/frame_id.py")
KINDS = frozenset(event.kind for event in get_args(AnyEvent))
STATES = frozenset((*RunState, *RoiState, *FrameKind))
# The same word for another thing: (file, word).
OTHERS = {
    ("cli/progress.py", "reconstructing"),  # labels and headings
    ("cli/tables.py", "done"),
    ("devices/epics/libca.py", "done"),  # Channel Access's own answers
    ("reconstruction/pipeline.py", "dark"),  # the name of an array in a file
}


def literals(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def strays(words: frozenset[str]) -> set[tuple[str, str]]:
    found = set()
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(DEFINED):
            found |= {(name, word) for word in literals(path) if word in words}
    return found


def test_no_event_is_named_beside_its_class() -> None:
    assert strays(KINDS) == set()


def test_no_state_and_no_kind_of_frame_is_named_beside_its_enumeration() -> None:
    assert strays(STATES) == OTHERS


@pytest.mark.parametrize("event", get_args(AnyEvent), ids=lambda event: event.__name__)
def test_each_event_says_what_it_is(event: type) -> None:
    """Its own kind, a docstring, and no field without a type."""
    assert event.__doc__
    assert "kind" in vars(event)
    assert "text" in vars(event)
