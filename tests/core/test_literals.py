"""Names of events and states are written down once: everybody else uses the class or the enumeration."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from xrm_control.contracts.column import Column
from xrm_control.contracts.mosaic_table import MosaicParticle
from xrm_control.contracts.tables import Particle, Void
from xrm_control.core.events import AnyEvent, Event
from xrm_control.core.states import FrameKind, RoiState, RunState

PACKAGE = Path(__file__).parents[2] / "xrm_control"
DEFINED = ("core/states.py", "core/queue_states.py", "core/events/", "core/frame_id.py")
KINDS = frozenset(event.kind for event in get_args(AnyEvent))
STATES = frozenset((*RunState, *RoiState, *FrameKind))
# The same word for another thing: (file, word).
OTHERS = {
    ("acquisition/tomography.py", "blocker"),  # the setting, and the device
    ("app/rehearsal/twin.py", "blocker"),
    ("cli/ioc.py", "blocker"),
    ("devices/epics/pv_map.py", "blocker"),
    ("devices/simulated.py", "blocker"),
    ("alerts/messages.py", "failed"),  # occasions of alerts, which recipes name
    ("alerts/messages.py", "held"),
    ("alerts/spec.py", "failed"),
    ("alerts/spec.py", "held"),
    ("cli/progress.py", "reconstructing"),  # labels and headings
    ("cli/tables.py", "done"),
    ("dashboard/again.py", "failed"),  # what became of a measurement, as the page says it
    ("devices/epics/libca.py", "done"),  # Channel Access's own answers
    ("reconstruction/pipeline.py", "dark"),  # the name of an array in a file
    ("reporting/morning.py", "done"),  # headings of the page
    ("reporting/morning.py", "held"),
    ("storage/formats/data_exchange.py", "dark"),  # words in the names that others give to arrays and files
    ("storage/formats/data_exchange.py", "flat"),
    ("storage/formats/tiff_scan.py", "dark"),
    ("storage/formats/tiff_scan.py", "flat"),
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


def columns_of(*tables: type) -> Iterator[Column]:
    for item in (item for table in tables for item in vars(table).values()):
        yield from (one for one in (item.values() if isinstance(item, dict) else [item]) if isinstance(one, Column))


def test_no_column_is_named_beside_its_definition() -> None:
    """But those whose name is that of many other things: a place on the stage, a region, a kind."""
    words = {column.name for column in columns_of(Particle, Void, MosaicParticle)}
    own = frozenset(words - {"x_um", "y_um", "z_um", "roi", "kind", "number", "shape", "weight"})
    assert {"particle_id", "volume_um3", "void_id", "thickness_um"} <= own
    found = {(name, word) for name, word in strays(own) if not name.startswith("contracts/")}
    assert found == {("reporting/sections/population.py", "sphericity")}  # a heading


@pytest.mark.parametrize("event", get_args(AnyEvent), ids=lambda event: event.__name__)
def test_each_event_says_what_it_is(event: type) -> None:
    """Its own kind, a docstring, and no field without a type."""
    assert event.__doc__
    assert "kind" in vars(event)
    assert "text" in vars(event)


def test_the_union_holds_every_event() -> None:
    """A `match` that the type checker calls complete is so."""

    def below(kind: type) -> set[type]:
        return {kind} | {one for sub in kind.__subclasses__() for one in below(sub)}

    concrete = {one for one in below(Event) if one.__module__.startswith("xrm_control.") and "kind" in vars(one)}
    assert concrete == set(get_args(AnyEvent))


def test_what_journals_and_logs_hold_keeps_its_name() -> None:
    """Those of version 1 of the journal, and what later versions added."""
    assert {
        "frame.confirmed",
        "frame.kept",
        "frame.missing",
        "frame.postponed",
        "frame.retaken",
        "frame.withdrawn",
        "reference.doubted",
        "instrument.begun",
        "instrument.awaited",
        "instrument.lost",
        "source.down",
        "move.interrupted",
        "move.stalled",
        "shutter.stuck",
        "safe.failed",
        "safe.left",
        "safe.verified",
        "roi.chosen",
        "roi.moved",
        "roi.place",
        "roi.quarantined",
        "roi.remark",
        "roi.rows",
        "roi.state",
        "preview.begun",
        "preview.ended",
        "preview.skipped",
        "report.begun",
        "report.failed",
        "run.aborted",
        "run.failed",
        "run.folder",
        "run.held",
        "run.interrupted",
        "run.released",
        "run.state",
        "stage.begun",
        "stage.ended",
        "stage.planned",
        "workers.lost",
        "listener.failed",
        "listener.lost",
        "instrument.reached",
        "run.replanned",
        "frame.adopted",
        "attempt.closed",
        "file.quarantined",
        "run.resumed",
        "run.stopped",
        "run.disturbed",
        "command.taken",
        "command.refused",
        "command.done",
        "sample.compared",
        "roi.anew",
        "roi.expectation",
        "roi.doubted",
        "run.recipe_doubted",
        "condition.violated",
        "condition.ended",
        "policy.applied",
        "budget.spent",
        "device.again",
        "alert.sent",
        "mosaic.placed",
        "mosaic.doubted",
        "mosaic.found_again",
        "alignment.look",
        "alignment.held",
        "mosaic.empty",
        "mosaic.left",
        "limits.known",
        "limits.differ",
        "alert.undelivered",
    } == KINDS
