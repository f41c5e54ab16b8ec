"""What is tried again, how often, and how long is waited: the recipe's `retry` part."""

from __future__ import annotations

from pydantic import Field

from xrm_control.core.model import Spec

_MONTH_S = 31 * 86_400.0


class RetryPolicy(Spec):
    """What is tried again, how often, and how long to wait for beam, instrument and people."""

    move_attempts: int = Field(default=3, ge=1, le=20, description="tries of a move that fails, then the run stops")
    frame_attempts: int = Field(default=4, ge=1, le=20, description="tries of a frame, then it is declared missing")
    beam_poll_s: float = Field(
        default=5.0, gt=0, le=3600, description="time between two looks at the source while it is down"
    )
    beam_wait_s: float = Field(
        default=14_400.0, gt=0, le=_MONTH_S, description="the run stops if beam is away longer than this"
    )
    flux_floor: float = Field(default=0.5, gt=0, lt=1, description="relative flux below which beam counts as lost")
    instrument_poll_s: float = Field(
        default=2.0,
        gt=0,
        le=3600,
        description="time of the wall clock between two calls of an instrument that was lost",
    )
    instrument_wait_s: float = Field(
        default=14_400.0,
        gt=0,
        le=_MONTH_S,
        description="the run stops if the instrument is away longer, by the wall clock",
    )
    interrupted_wait_s: float = Field(
        default=30.0,
        ge=0,
        le=86_400,
        description="time left to whoever stopped or moved an axis, before the move is tried again",
    )
