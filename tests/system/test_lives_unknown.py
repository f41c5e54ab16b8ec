"""A run of which it cannot be told whether somebody carries it out: it is neither dead nor alive, and left alone.

The judge is below the program (tests/storms/failing_disk.c): it kills the run, and lets locks fail as file systems do
that know none.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.session.scripted import SMALL
from tests.storms.failing_disk import HANGS_AFTER_S, Fault, compile_shim
from tests.system.conftest import write_recipe
from xrm_control.core.exit_code import ExitCode
from xrm_control.storage.durable import sha256_file

LOCKED, DIED = int(ExitCode.LOCKED), int(ExitCode.DIED)


class Dead:
    """A run whose process was killed, and commands on it."""

    def __init__(self, folder: Path, shim: Path) -> None:
        self.shim, self.out = shim, folder / "runs"
        self.out.mkdir()
        recipe = write_recipe(folder, **SMALL)
        self.say("run", str(recipe), "--out", str(self.out), **Fault("journal", "SIGKILL", 150).environment(self.out))
        (self.run,) = self.out.iterdir()
        self.lock = self.run / ".lock"
        self.signed = self.lock.read_text()

    def say(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "xrm_control.cli", *words],
            env={**os.environ, "LD_PRELOAD": str(self.shim), "COLUMNS": "4000", "FAIL_AT": "0", **environment},
            capture_output=True,
            text=True,
            timeout=HANGS_AFTER_S,
        )

    def files(self) -> dict[str, str]:
        return {str(path): sha256_file(path) for path in self.run.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def dead(tmp_path_factory: pytest.TempPathFactory) -> Dead:
    folder = tmp_path_factory.mktemp("dead")
    shim = compile_shim(folder)
    if shim is None:
        pytest.skip("no C compiler")
    return Dead(folder, shim)


def test_a_run_of_this_machine_has_died(dead: Dead) -> None:
    said = dead.say("status", str(dead.run))
    assert said.returncode == DIED
    assert "died in state" in said.stdout


@pytest.mark.parametrize("number", [0, errno.ENOLCK, errno.EOPNOTSUPP], ids=["elsewhere", "ENOLCK", "EOPNOTSUPP"])
def test_neither_dead_nor_alive(dead: Dead, number: int) -> None:
    """0: locks are kept from other machines, and the signature is another one's."""
    if not number:
        dead.lock.write_text("4711 nightshift 0-0-0-0 0000\n")
    no_locks = {"FAIL_UNDER": str(dead.out), "FAIL_LOCKS": str(number)}
    who, before = "4711 on nightshift" if not number else dead.signed.split()[0], dead.files()
    try:
        status = dead.say("status", str(dead.run), **no_locks)
        assert status.returncode == LOCKED, status.stderr
        assert "died" not in status.stdout
        assert who in status.stdout
        assert "look on that machine" in status.stdout
        told = json.loads(dead.say("status", str(dead.run), "--json", **no_locks).stdout)
        assert (told["alive"], told["died"], told["stopped"]) == (False, False, False)
        verified = dead.say("verify", str(dead.run), **no_locks)
        assert verified.returncode == ExitCode.PARTLY
        assert "died" not in verified.stdout
        assert who in verified.stdout
        resumed = dead.say("resume", str(dead.run), **no_locks)
        assert resumed.returncode in (LOCKED, ExitCode.FAILURE)
        assert "Traceback" not in resumed.stderr
        assert ("local disk" if number else "nightshift") in resumed.stderr
        assert {name: sha for name, sha in dead.files().items() if "-shm" not in name} == {
            name: sha for name, sha in before.items() if "-shm" not in name
        }
        report = dead.say("report", str(dead.run), **no_locks)
        assert report.returncode == 0, report.stderr
        assert "cannot be told" in (dead.run / "report.html").read_text()
    finally:
        dead.lock.write_text(dead.signed)
        (dead.run / "report.html").unlink(missing_ok=True)
