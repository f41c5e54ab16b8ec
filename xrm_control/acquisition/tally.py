"""What was tried of one frame."""

from __future__ import annotations

from dataclasses import dataclass

from xrm_control.core.states import FrameKind


@dataclass
class Tally:
    """How often a frame was tried, how often that was its own failure, and what came of it.

    last: it does not come again, and is missing when its attempts are used up; needed: no other frame can be used
    without it, so that it stays open then, and its error is raised; given_up: it comes again at the end;
    against: which references it failed against.
    """

    last: bool = False
    needed: bool = False
    tries: int = 0
    failures: int = 0
    given_up: bool = False
    against: FrameKind | None = None
