"""What is tried again, how often, and how long is waited: the recipe's `retry` part."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from xrm_control.core.diagnostics import Diagnostic
from xrm_control.core.model import Spec
from xrm_control.core.states import Level

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

    def diagnose(self) -> Iterator[Diagnostic]:
        """Whether a wait is over before anybody has looked again."""
        for what, poll_s, wait_s in (
            ("beam", self.beam_poll_s, self.beam_wait_s),
            ("instrument", self.instrument_poll_s, self.instrument_wait_s),
        ):
            if wait_s < poll_s:
                yield Diagnostic(
                    (f"retry.{what}_wait_s", f"retry.{what}_poll_s"),
                    "the wait is over before anybody looks again",
                    f"{wait_s:g} s",
                    f"above {what}_poll_s, {poll_s:g} s",
                    "seconds, not hours: 14400 are 4 h",
                    Level.WARNING,
                )
