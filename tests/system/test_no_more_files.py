"""A process that may open no more files in the middle of a run: safe, told with what to do, and gone on with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.session.scripted import FRAMES_OF_SMALL, SMALL
from tests.system.conftest import write_recipe
from xrm_control import app
from xrm_control.core.exit_code import ExitCode
from xrm_control.storage.durable import sha256_file
from xrm_control.storage.journal import JournalReader

ROOT = Path(__file__).parents[2]
STARVED = """
import os, resource, sys
from pathlib import Path
from xrm_control import app
from xrm_control.core.errors import XrmError
from xrm_control.core.events import FrameKept, SafeStateVerified
recipe, out, after = sys.argv[1:]
kept = 0

def listen(event):
    global kept
    kept += isinstance(event, FrameKept)
    if isinstance(event, SafeStateVerified):
        os.write(1, b"safe\\n")
    if isinstance(event, FrameKept) and kept == int(after):
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))

try:
    app.run(app.load(Path(recipe)), Path(out), None, listen)
except XrmError as error:
    os.write(1, f"{type(error).__name__}: {error}\\n".encode())
"""


@pytest.mark.parametrize("after", [1, 6, FRAMES_OF_SMALL - 1, pytest.param(FRAMES_OF_SMALL, marks=pytest.mark.soak)])
def test_it_ends_safely_and_goes_on_when_there_are_some(tmp_path: Path, after: int) -> None:
    command = [sys.executable, "-c", STARVED, str(write_recipe(tmp_path, **SMALL)), str(tmp_path / "runs"), str(after)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    safe, _, said = done.stdout.partition("\n")
    assert safe == "safe", done.stderr
    assert said.startswith(("OutOfResources: ", "StorageError: ")), done.stderr
    assert "ulimit -n" in said
    assert "xrm resume" in said
    (path,) = (tmp_path / "runs").iterdir()
    with JournalReader.open(path / "journal.sqlite") as journal:
        committed = dict(journal._connection.execute("SELECT path, sha256 FROM committed"))
    assert len(committed) == after
    assert app.resume(path).exit_code == ExitCode.PARTLY
    assert {name: sha256_file(path / name) for name in committed} == committed
