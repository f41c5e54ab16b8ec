"""The kinds of failure that a run may meet, and which of our errors is which."""

from __future__ import annotations

from enum import StrEnum

from xrm_control.core.errors import (
    AxisSlipped,
    BeamLost,
    BlockerStuck,
    ConditionBroken,
    DeviceError,
    FrameLost,
    FrameUnusable,
    InstrumentUnreachable,
    InterlockOpen,
    LimitReached,
    MotionInterrupted,
    MotionStalled,
    NotSafe,
    SampleMoved,
    Saturated,
    ShutterStuck,
    XrmError,
)


class Failure(StrEnum):
    """What may go wrong with instrument, beam and sample; the names are the recipe's."""

    BEAM_LOST = "beam_lost"
    INSTRUMENT_LOST = "instrument_lost"
    AXIS_STALLED = "axis_stalled"
    AXIS_INTERRUPTED = "axis_interrupted"
    AXIS_SLIPPED = "axis_slipped"
    LIMIT_REACHED = "limit_reached"
    SHUTTER_STUCK = "shutter_stuck"
    INTERLOCK_OPEN = "interlock_open"
    FRAME_BAD = "frame_bad"
    SATURATED = "saturated"
    SAMPLE_MOVED = "sample_moved"
    DEVICE_FAILED = "device_failed"


FAILURES: dict[type[XrmError], Failure | None] = {
    BeamLost: Failure.BEAM_LOST,
    InstrumentUnreachable: Failure.INSTRUMENT_LOST,
    MotionStalled: Failure.AXIS_STALLED,
    MotionInterrupted: Failure.AXIS_INTERRUPTED,
    AxisSlipped: Failure.AXIS_SLIPPED,
    LimitReached: Failure.LIMIT_REACHED,
    ShutterStuck: Failure.SHUTTER_STUCK,
    BlockerStuck: Failure.DEVICE_FAILED,
    InterlockOpen: Failure.INTERLOCK_OPEN,
    FrameLost: Failure.FRAME_BAD,
    FrameUnusable: Failure.FRAME_BAD,
    Saturated: Failure.SATURATED,
    SampleMoved: Failure.SAMPLE_MOVED,
    DeviceError: Failure.DEVICE_FAILED,
    # The condition that is broken says itself what follows.
    ConditionBroken: None,
    # Of an instrument that is not safe nobody goes on with anything.
    NotSafe: None,
}
"""Every error of an instrument, by its nearest class; None: no policy is asked."""


def failure_of(error: BaseException) -> Failure | None:
    """Which failure an error is; None for one that no policy speaks of: disk, workers, recipe, program."""
    return next((FAILURES[kind] for kind in type(error).__mro__ if kind in FAILURES), None)
