"""Whole runs whose readers go away, stall or were never there; and what is said of runs that died."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_cli import xrm
from tests.session.scripted import FRAMES_OF_SMALL, SMALL, Night
from tests.storms.forked_cli import ForkedCli, forked_cli
from tests.system.conftest import SEED, write_recipe
from xrm_control import app
from xrm_control.core.events import ListenerFailed, ListenerLost, RunFolderMade, RunInterrupted, SafeStateVerified
from xrm_control.core.states import Verdict
from xrm_control.storage.journal import Journal, JournalReader
from xrm_control.storage.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("white_figures", "searched_once")

__all__ = ["xrm"]

# Seven projections are too few to see a particle: the region is set aside, whoever looks on.
UNDISTURBED = 5
# Slow enough that a reader of its messages meets the run in its scan.
SPEED = "8"
FULL = Path("/dev/full")


@pytest.fixture(scope="module")
def cli() -> Iterator[ForkedCli]:
    with forked_cli(SEED) as one:
        yield one


@contextmanager
def started(folder: Path, *options: str, **streams: Any) -> Iterator[subprocess.Popen[str]]:
    """`xrm run` of the small recipe in a process of its own."""
    recipe = write_recipe(folder, **SMALL)
    command = [sys.executable, "-m", "xrm_control.cli", "run", str(recipe), "--out", str(folder / "runs"), *options]
    environment = {**os.environ, "NO_COLOR": "1"}
    with subprocess.Popen(command, text=True, env=environment, **streams) as process:
        watchdog = threading.Timer(600, process.kill)
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()
            if process.poll() is None:
                process.kill()


def started_at_once(cli: ForkedCli, folder: Path, out: Path, err: Path, *options: str) -> int:
    """The same in a process that has the program and the powder already; its process id."""
    recipe = write_recipe(folder, **SMALL)
    return cli.start(["run", str(recipe), "--out", str(folder / "runs"), *options], {}, out, err)


def run_in(folder: Path) -> Path:
    (run,) = (folder / "runs").iterdir()
    return run


def kinds_in(run: Path) -> list[str]:
    with JournalReader.open(run / "journal.sqlite") as journal:
        return [event.kind for _, event in journal.events()]


def assert_undisturbed(code: int, folder: Path) -> list[str]:
    """The run has ended like one that somebody looked at; returns the kinds of its events."""
    assert code == UNDISTURBED
    run = run_in(folder)
    assert (run / "report.html").is_file()
    assert json.loads((run / "results.json").read_text())["verdict"]["status"] == Verdict.INCOMPLETE
    with JournalReader.open(run / "journal.sqlite") as journal:
        assert journal.accounting().kept == FRAMES_OF_SMALL
    kinds = kinds_in(run)
    assert SafeStateVerified.kind in kinds
    return kinds


def test_a_reader_who_has_seen_enough(cli: ForkedCli, tmp_path: Path) -> None:
    """`xrm run ... 2>&1 | head -1`."""
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    process = started_at_once(cli, tmp_path, fifo, fifo)
    with fifo.open() as reader:
        assert RunFolderMade.kind in reader.readline()
    kinds = assert_undisturbed(cli.wait(process), tmp_path)
    assert kinds.count(ListenerFailed.kind) == kinds.count(ListenerLost.kind) == 1


@pytest.mark.parametrize("out", [FULL, Path(os.devnull)], ids=["both", "standard error"])
def test_a_full_disk_behind(cli: ForkedCli, tmp_path: Path, out: Path) -> None:
    kinds = assert_undisturbed(cli.wait(started_at_once(cli, tmp_path, out, FULL)), tmp_path)
    assert kinds.count(ListenerFailed.kind) == kinds.count(ListenerLost.kind) == 1


def test_nothing_open_at_all(tmp_path: Path) -> None:
    """`<&- >&- 2>&-`: and no file of the run has got anything that was meant for them."""
    recipe = write_recipe(tmp_path, **SMALL)
    command = f"exec {sys.executable} -m xrm_control.cli run {recipe} --out {tmp_path / 'runs'} <&- >&- 2>&-"
    with subprocess.Popen(["bash", "-c", command], text=True) as process:
        kinds = assert_undisturbed(process.wait(), tmp_path)
    assert ListenerFailed.kind not in kinds


def test_a_reader_who_does_not_read(cli: ForkedCli, tmp_path: Path) -> None:
    """A pipe of one page, full after a few lines, and nobody at its other end who empties it."""
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(fifo, os.O_WRONLY)
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writer, False)
    os.write(writer, b"x" * 4096)
    process = started_at_once(cli, tmp_path, Path(os.devnull), fifo)
    assert_undisturbed(cli.wait(process), tmp_path)
    os.close(writer)
    os.close(reader)


def test_a_terminal_that_is_closed_ends_the_run_in_order(tmp_path: Path) -> None:
    """SIGHUP, and from then on every write to the terminal is an error: exit code 130, safe, and a report."""
    master, slave = pty.openpty()

    def with_terminal() -> None:
        os.setsid()
        fcntl.ioctl(slave, 0x540E, 0)  # TIOCSCTTY

    streams = {"stdin": slave, "stdout": slave, "stderr": slave}
    with started(tmp_path, "--speed", SPEED, preexec_fn=with_terminal, **streams) as process:
        os.close(slave)
        seen = b""
        while b"roi-01 projections" not in seen:
            seen += os.read(master, 4096)
        os.close(master)
        assert process.wait() == 130
    run = run_in(tmp_path)
    kinds = kinds_in(run)
    assert RunInterrupted.kind in kinds
    assert SafeStateVerified.kind in kinds
    assert json.loads((run / "results.json").read_text())["verdict"]["status"] == Verdict.ABORTED
    assert (run / "report.html").is_file()


def test_under_nohup_a_run_outlives_its_terminal(tmp_path: Path) -> None:
    def as_nohup() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with started(tmp_path, "--speed", SPEED, preexec_fn=as_nohup, **streams) as process:
        for line in process.stderr or ():
            if "roi-01 projections" in line:
                process.send_signal(signal.SIGHUP)
        assert_undisturbed(process.wait(), tmp_path)


def test_a_listener_of_the_apis_that_raises_changes_nothing(tmp_path: Path) -> None:
    def listener(event: object) -> None:
        raise RuntimeError("[/x] no terminal")

    outcome = app.run(app.load(write_recipe(tmp_path, **SMALL)), tmp_path / "runs", None, listener)
    assert outcome.exit_code == UNDISTURBED
    log = [json.loads(line) for line in (outcome.folder / "log.jsonl").read_text().splitlines()]
    (failed,) = [line for line in log if line["kind"] == ListenerFailed.kind]
    assert "RuntimeError: [/x] no terminal" in failed["text"]
    (lost,) = [line for line in log if line["kind"] == ListenerLost.kind]
    assert lost["data"]["events"] > 20


@pytest.mark.parametrize("written", ["record_event", "append_log"])
def test_events_that_cannot_be_recorded_end_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    """Both are guests: journal and log tell of each other, and the frames are all there."""

    owner = Journal if written == "record_event" else RunFolder
    whole = getattr(owner, written)

    def full(self: object, kind: object, *arguments: object, **words: object) -> None:
        # The spans of the stages are what the instrument's trace is held against.
        if not str(kind).startswith("stage."):
            raise OSError(28, "No space left on device")
        whole(self, kind, *arguments, **words)

    monkeypatch.setattr(owner, written, full)
    run = Night(tmp_path)
    assert (run.error, run.code) == (None, UNDISTURBED)
    (told,) = run.events(ListenerFailed)
    assert "No space left" in told.text
    with run.journal() as journal:
        assert journal.accounting().kept == FRAMES_OF_SMALL
        recorded = [event.kind for _, event in journal.events()]
    assert (ListenerFailed.kind in recorded) == (written == "append_log")
    assert (run.folder / "log.jsonl").exists() == (written == "record_event")


@pytest.fixture(scope="module")
def killed(cli: ForkedCli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was killed in the middle of its scan; while it lived, that was said."""
    folder = tmp_path_factory.mktemp("killed")
    fifo = folder / "stderr"
    os.mkfifo(fifo)
    process = started_at_once(cli, folder, Path(os.devnull), fifo, "--speed", SPEED)
    with fifo.open() as stderr:
        for line in stderr:
            if "roi-01 projections" in line:
                break
        run = run_in(folder)
        os.kill(process, signal.SIGSTOP)
        for _ in range(3):
            summary = app.status(run)
            assert (summary.alive, summary.process, summary.died) == (True, process, False)
        os.kill(process, signal.SIGKILL)
        assert cli.wait(process) == -signal.SIGKILL
    return run


def test_a_run_that_was_killed_is_known_to_be_dead(xrm: Any, killed: Path) -> None:
    said = xrm("status", killed)
    assert said.code == 8
    summary = app.status(killed)
    assert summary.total.kept >= 6 + 2
    text = " ".join(said.out.split())
    assert f"died in state scanning, last sign of life at {summary.last_sign_utc} (instrument time" in text
    assert f"{summary.total.kept} frames kept" in text
    assert "`xrm resume` goes on with it" in text


def test_a_dead_run_as_json_and_watched(xrm: Any, killed: Path) -> None:
    said = xrm("status", killed, "--json")
    content = json.loads(said.out)
    assert said.code == 8
    assert (content["alive"], content["died"], content["ended"], content["process"]) == (False, True, False, None)
    assert content["last_sign_utc"].endswith("+00:00")
    watched = xrm("status", killed, "--watch")
    assert (watched.code, "died in state scanning" in watched.out) == (8, True)


def test_a_dead_run_on_a_medium_that_cannot_be_written(killed: Path, tmp_path: Path) -> None:
    """A journal that was not closed in order, in a folder where nothing can be made beside it."""
    copy = tmp_path / "run"
    shutil.copytree(killed, copy)
    mount = f"mount --bind {copy} {copy} && mount -o remount,ro,bind {copy}"
    if subprocess.run(["unshare", "-rm", "bash", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("no mount of one's own here")
    status = f"{mount} && {sys.executable} -m xrm_control.cli status {copy} --json"
    done = subprocess.run(["unshare", "-rm", "bash", "-c", status], capture_output=True, text=True, check=False)
    assert done.returncode == 8, done.stderr
    assert json.loads(done.stdout)["died"] is True


def test_a_run_that_has_ended_is_not_dead(xrm: Any, tmp_path: Path) -> None:
    run = Night(tmp_path).folder
    content = json.loads(xrm("status", run, "--json").out)
    assert (content["alive"], content["died"], content["ended"]) == (False, False, True)
    assert xrm("status", run).code == xrm("status", run, "--watch").code == 0
