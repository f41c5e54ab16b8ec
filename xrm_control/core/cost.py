"""What a piece of work will take, as far as it can be said before: each stage's spec tells its own, planning sums."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """disk_bytes stay in the run folder; memory_bytes: at the peak of one process, without what every process of this
    program takes.
    """

    disk_bytes: int = 0
    memory_bytes: int = 0

    def then(self, other: Cost) -> Cost:
        """Both, one after the other: what stays adds up, what passes does not."""
        return Cost(self.disk_bytes + other.disk_bytes, max(self.memory_bytes, other.memory_bytes))

    def times(self, count: int) -> Cost:
        """The same work `count` times, one after the other."""
        return Cost(self.disk_bytes * count, self.memory_bytes)
