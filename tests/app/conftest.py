"""What the tests of queues have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.queues import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
