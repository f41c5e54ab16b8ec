"""A process whose user the system knows by a number alone, without a home: as in a container."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ASKED = """
import os, sys
from xrm_control.app import alerts
from xrm_control.app.queue.items import sender
from xrm_control.core.user import user_name
os.setresuid(12345, 12345, 12345)
print(user_name(), sender().partition("@")[0], alerts.find())
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes somebody else")
@pytest.mark.parametrize("home", [{}, {"HOME": "/root"}], ids=["no home", "a home that is another's"])
def test_who_has_no_name_has_a_number_and_no_alerts_of_their_own(home: dict[str, str]) -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **home}
    done = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split() == ["user-12345", "user-12345", "None"]
