"""A run of two regions that has ended well; whoever changes it takes a copy."""

from __future__ import annotations

import fcntl
import os
import shutil
from typing import Any

import pytest

from tests.session.scripted import SMALL
from tests.system.conftest import SLAB, write_recipe
from xrm_control import app
from xrm_control.core.exit_code import ExitCode
from xrm_control.storage.run_folder import RunFolder

# Two regions with particles in both. From 41 views streaks of less than 2.6 um would be told as such.
TWO: dict[str, Any] = {
    **SMALL,
    **SLAB,
    "analysis": {"min_particle_um": 2.7},
    "roi": {"kind": "manual", "positions": [{"x_um": -33, "y_um": 0}, {"x_um": 33, "y_um": 0}]},
    "scan": {"projections": 41, "useful_diameter_um": 20, "references": {"kind": "both", "count": 1}, "darks": 1},
}


@pytest.fixture(scope="session")
def ended(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Made by whichever worker of pytest-xdist comes first; the others wait for it, and each has a copy of its own."""
    place = tmp_path_factory.getbasetemp()
    runs = (place.parent if "PYTEST_XDIST_WORKER" in os.environ else place) / "ended-runs"
    with runs.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not runs.exists():
            made = tmp_path_factory.mktemp("made")
            outcome = app.run(app.load(write_recipe(made, **TWO)), made / "runs", None)
            assert outcome.exit_code == ExitCode.OK
            (made / "runs").rename(runs)
    (run,) = shutil.copytree(runs, tmp_path_factory.mktemp("ended") / "runs").iterdir()
    return RunFolder.open(run)
