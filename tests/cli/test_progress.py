"""What of a run is shown while it goes on, in a terminal and elsewhere."""

from __future__ import annotations

from io import StringIO

import pytest

from xrm_control.cli import progress
from xrm_control.cli.plain import PlainConsole
from xrm_control.core.events import (
    AnyEvent,
    FrameKept,
    FrameMissing,
    FrameRetaken,
    InstrumentReached,
    RoiStateEntered,
    RunFailed,
    RunFolderMade,
    RunReplanned,
    StageBegun,
    StageEnded,
    StagePlanned,
    StateEntered,
)
from xrm_control.core.frame_id import FrameId
from xrm_control.core.states import FrameKind, RoiState, RunState

FRAME = FrameId.projection("roi-01", 3)

# An event -> whether it has a line of its own in a terminal, and elsewhere.
SHOWN: list[tuple[AnyEvent, bool, bool]] = [
    (RunFolderMade("/runs/one"), True, True),
    (RoiStateEntered("roi-01", RoiState.REPORTED), True, True),
    (FrameRetaken(FRAME, "odd light"), True, True),
    (FrameMissing(FRAME, "never came"), True, True),
    (RunFailed("the disk is full"), True, True),
    (StateEntered(RunState.SCANNING), False, True),
    (StageBegun("roi-01 projections", 61), False, True),
    (StageEnded("roi-01 projections"), False, False),
    (StagePlanned("roi-01", 64), False, False),
    (FrameKept(FRAME, FrameKind.PROJECTION, 3, 12.0), False, False),
    (RunReplanned(70, 100.0), False, False),
    (InstrumentReached("microscope"), False, False),
]


@pytest.mark.parametrize(("event", "terminal", "plain"), SHOWN, ids=[type(case[0]).__name__ for case in SHOWN])
def test_what_has_a_line_of_its_own(event: AnyEvent, terminal: bool, plain: bool) -> None:
    assert progress.headline(event) is terminal
    file = StringIO()
    with progress.display(PlainConsole(file=file, width=200, force_terminal=False)) as listener:
        listener(event)
    assert (event.text in file.getvalue()) is plain


def test_a_bar_grows_with_what_is_kept_or_missing_and_is_full_at_the_end() -> None:
    file = StringIO()
    console = PlainConsole(file=file, width=200, force_terminal=True, color_system=None)
    with progress.display(console) as listener:
        listener(StageBegun("mosaic", 5, t_s=1.0))
        listener(FrameKept(FrameId.tile(0, 0), FrameKind.TILE, 0, 0.0, t_s=2.0))
        listener(FrameMissing(FrameId.tile(0, 1), "lost", t_s=3.0))
    assert "2/5" in file.getvalue()
    file.truncate(0)
    with progress.display(console) as listener:
        listener(StageBegun("mosaic", 5, t_s=1.0))
        listener(StageEnded("mosaic", t_s=9.0))
    assert "5/5" in file.getvalue()
    assert "9.0 s instrument time" in file.getvalue()
