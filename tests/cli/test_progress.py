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
    assert "mosaic: done in 8.0 s" in file.getvalue()


def test_one_bar_is_the_whole_run_s_with_its_remaining_time() -> None:
    file = StringIO()
    console = PlainConsole(file=file, width=200, force_terminal=True, color_system=None)
    with progress.display(console) as listener:
        listener(RunReplanned(20, 600.0, t_s=0.0))
        listener(StateEntered(RunState.MOSAICKING, t_s=0.0))
        for number in range(5):
            listener(FrameKept(FrameId.tile(0, number), FrameKind.TILE, number, 0.0, t_s=10.0 * number))
    last = [line for line in file.getvalue().splitlines() if "run" in line][-1]
    assert "5/20" in last
    assert "40.0 s; 9 min 20 s left" in last


def test_a_stage_in_the_middle_of_another_leaves_it_its_bar() -> None:
    file = StringIO()
    console = PlainConsole(file=file, width=200, force_terminal=True, color_system=None)
    with progress.display(console) as listener:
        listener(StageBegun("roi-01 projections", 7, t_s=1.0))
        listener(StageBegun("again roi-01/proj_0003", 1, t_s=2.0))
        listener(StageEnded("again roi-01/proj_0003", t_s=3.0))
        listener(FrameKept(FRAME, FrameKind.PROJECTION, 3, 12.0, t_s=4.0))
    assert "1/7" in [line for line in file.getvalue().splitlines() if "projections" in line][-1]


def test_elsewhere_a_line_a_minute_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "stopwatch", lambda: lambda: 61.0)
    file = StringIO()
    with progress.display(PlainConsole(file=file, width=200, force_terminal=False)) as listener:
        listener(RunReplanned(20, 600.0, t_s=0.0))
        listener(FrameKept(FRAME, FrameKind.PROJECTION, 3, 12.0, t_s=100.0))
    assert "1 of 20 frames, 9 min 30 s left" in file.getvalue()
