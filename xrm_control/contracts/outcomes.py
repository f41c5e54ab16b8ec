"""What became of planned frames: each has one outcome, and their sum is the plan."""

from __future__ import annotations

from xrm_control.contracts.document import Record


class FrameOutcomes(Record):
    """kept: at the first attempt; retaken: kept at a later one; missing: given up; not_reached: not decided yet."""

    kept: int = 0
    retaken: int = 0
    missing: int = 0
    not_reached: int = 0

    @property
    def planned(self) -> int:
        """The sum."""
        return self.kept + self.retaken + self.missing + self.not_reached

    def __add__(self, other: FrameOutcomes) -> FrameOutcomes:
        return FrameOutcomes(
            kept=self.kept + other.kept,
            retaken=self.retaken + other.retaken,
            missing=self.missing + other.missing,
            not_reached=self.not_reached + other.not_reached,
        )
