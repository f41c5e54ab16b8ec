"""What an examination found: one thing looked at, in order or not, and what to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """`ok`, what was looked at, what was found, and the remedy if it is not in order."""

    what: str
    ok: bool
    found: str
    remedy: str = ""
