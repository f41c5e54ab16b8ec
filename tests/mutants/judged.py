"""Survivors that change nothing anybody could observe: (path, what) -> why."""

from __future__ import annotations

EQUIVALENT: dict[tuple[str, str], str] = {}
