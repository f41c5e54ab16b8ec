"""What was tried of one frame."""

from __future__ import annotations

from dataclasses import dataclass

from xrm_control.core.states import FrameKind


@dataclass
class Tally:
    """How often a frame was tried, how often that was its own failure, and what came of it.

    last: it does not come again; given_up: it comes again at the end; against: which references it failed against.
    """

    last: bool = False
    tries: int = 0
    failures: int = 0
    given_up: bool = False
    against: FrameKind | None = None
