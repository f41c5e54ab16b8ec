"""What marks a run as played on the twin."""

from __future__ import annotations

from typing import Final

REHEARSAL_BACKEND: Final = "rehearsal"
"""The backend of the twin: by this name every record of a rehearsed run says what it is."""
