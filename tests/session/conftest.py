"""Whole runs whose pictures nobody looks at."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module", autouse=True)
def _undrawn(white_figures: None) -> None:
    """See there."""
