"""Whole runs whose pictures nobody looks at."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module", autouse=True)
def _known(white_figures: None, searched_once: None) -> None:
    """See there."""
