"""The enumerations: what is on file does not change its spelling, and the sets leave nothing out."""

from __future__ import annotations

from xrm_control.core.exit_code import ExitCode
from xrm_control.core.states import (
    ENDING,
    ENDS,
    ROI_ENDS,
    WAITING,
    WORKING,
    FrameKind,
    FrameOutcome,
    RoiState,
    RunState,
)


def test_the_states_of_a_run_fall_into_sets() -> None:
    parts = ((RunState.IDLE,), WORKING, WAITING, ENDING, ENDS)
    assert sorted(state for part in parts for state in part) == sorted(RunState)
    assert set(ROI_ENDS) < set(RoiState)


def test_what_journals_hold_keeps_its_spelling() -> None:
    """Version 1 of the journal, and whoever reads one."""
    assert list(RunState) == [
        "idle",
        "connecting",
        "homing",
        "mosaicking",
        "picking",
        "aligning",
        "referencing",
        "scanning",
        "checking",
        "paused",
        "held",
        "finishing",
        "done",
        "aborting",
        "aborted",
        "failing",
        "failed",
    ]
    assert list(RoiState) == ["scanned", "reconstructing", "analysing", "reported", "quarantined"]
    assert list(FrameKind) == ["tile", "projection", "flat", "dark", "blocker", "repeat"]
    assert list(FrameOutcome) == ["kept", "missing", "open"]


def test_what_scripts_wait_for_keeps_its_number() -> None:
    """docs/how-to and whoever calls `xrm` from a script."""
    assert [int(code) for code in ExitCode] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 75, 130]
