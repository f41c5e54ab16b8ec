"""Clients whose own Channel Access settings do not fit the instrument."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

from tests.devices.benches import epics_map
from tests.ioc_process import ROOT, running_ioc
from tests.system.conftest import SHORT
from tests.system.over_channel_access import SMALL

FAST = 40.0


def test_frames_too_large_for_the_client_are_said_to_be(tmp_path: Path) -> None:
    """A client that was told to take no more than 16 kB meets a frame of 131 kB."""
    with running_ioc(speed=FAST) as ioc:
        instrument = {"backend": "epics", "map": epics_map(ioc.prefix).model_dump(mode="json")}
        content = {**SHORT, **SMALL, "instrument": instrument, "mosaic": {**SMALL["mosaic"], "binning": 4}}
        recipe = tmp_path / "short.yaml"
        recipe.write_text(yaml.safe_dump(content), encoding="utf-8")
        small = {
            **os.environ,
            **ioc.environment,
            "EPICS_CA_AUTO_ARRAY_BYTES": "NO",
            "EPICS_CA_MAX_ARRAY_BYTES": "16384",
        }
        done = subprocess.run(
            [sys.executable, "-m", "xrm_control.cli", "run", str(recipe), "--out", str(tmp_path / "runs")],
            cwd=ROOT,
            env=small,
            capture_output=True,
            text=True,
            timeout=600,
        )
    assert done.returncode == 1
    assert "EPICS_CA_MAX_ARRAY_BYTES" in done.stderr
    assert "Traceback" not in done.stderr
