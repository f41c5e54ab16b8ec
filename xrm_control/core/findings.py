"""What an examination found: one thing looked at, in order or not, and what to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """`ok`, what was looked at, what was found, and the remedy if it is not in order.

    In order and yet with a remedy it is a note: no run fails of it, and somebody should know.
    """

    what: str
    ok: bool
    found: str
    remedy: str = ""

    @property
    def note(self) -> bool:
        """In order, and worth knowing."""
        return self.ok and bool(self.remedy)
