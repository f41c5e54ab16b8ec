"""What goes wrong over Channel Access: each with its declared reaction, nothing lost, and never called a success."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import epics
import pytest

from tests.ca_relay import relay
from tests.devices.benches import epics_map
from tests.ioc_process import ROOT, IocProcess, free_port, running_ioc
from tests.system.conftest import write_recipe
from tests.system.over_channel_access import FRAMES, SMALL, Run, after
from xrm_control import app
from xrm_control.contracts.commands import Continue, Pause
from xrm_control.core.errors import DeviceError, LimitReached, MotionStalled, SafetyRefusal
from xrm_control.core.events import FrameRetaken, RunHeld, RunReleased, SafeStateVerified, SampleCompared
from xrm_control.core.states import Verdict
from xrm_control.devices.epics import supervision
from xrm_control.storage.durable import sha256_file
from xrm_control.storage.journal import JournalReader

pytestmark = pytest.mark.usefixtures("white_figures")

# Slow enough that a thread hits the middle of a motion or an exposure.
SLOW, FAST = 4.0, 40.0


@pytest.fixture(scope="module")
def fast_ioc() -> Iterator[IocProcess]:
    with running_ioc(speed=FAST, specimen="nmc811") as ioc:
        yield ioc


@pytest.fixture(scope="module")
def slow_ioc() -> Iterator[IocProcess]:
    with running_ioc(speed=SLOW, specimen="nmc811") as ioc:
        yield ioc


@pytest.fixture
def fast(fast_ioc: IocProcess) -> Iterator[IocProcess]:
    """An IOC without a fault; what outlives a test is undone, as making the powder anew takes seconds."""
    with undone(fast_ioc):
        yield fast_ioc


@pytest.fixture
def slow(slow_ioc: IocProcess) -> Iterator[IocProcess]:
    with undone(slow_ioc):
        yield slow_ioc


@contextmanager
def undone(ioc: IocProcess) -> Iterator[None]:
    """No fault before nor afterwards, nobody's instrument, and the motor record as it was."""
    put(ioc, "Sim:Clear", 1)
    before = {name: get(ioc, name) for name in ("Sample:Theta.HLM", "Sample:Theta.RTRY")}
    # Where the test before ended without a verified safe state, the dead-man frees the instrument.
    _wait_for(ioc, "Owner", "", within_s=60)
    yield
    put(ioc, "Sim:Clear", 1)
    for name, value in before.items():
        put(ioc, name, value)


def get(ioc: IocProcess, name: str, *, as_string: bool = False) -> Any:
    """However busy the machine is."""
    epics.ca.use_initial_context()
    return epics.caget(ioc.prefix + name, use_monitor=False, as_string=as_string, timeout=120)


def put(ioc: IocProcess, name: str, value: Any) -> None:
    """Somebody else at the controls."""
    epics.ca.use_initial_context()
    assert epics.caput(ioc.prefix + name, value, wait=True, timeout=120) == 1


def fault(ioc: IocProcess, **words: Any) -> None:
    put(ioc, "Sim:Fault", json.dumps(words))


STOPPED_SHORT_DEG = 0.2


def stop_in_motion(ioc: IocProcess, record: str) -> None:
    """STOP as soon as it moves; without completion, or it would wait until the motion has ended by itself.

    On a busy machine that may be after the motion, which is none: the next one is stopped then.
    """
    epics.ca.use_initial_context()
    names = ("MOVN", "DMOV", "VAL", "RBV", "STOP")
    pvs = {name: epics.get_pv(f"{ioc.prefix}{record}.{name}", connect=True, timeout=10.0) for name in names}

    def now(name: str) -> float:
        found = pvs[name].get(use_monitor=False, timeout=10.0)
        if found is None:
            raise TimeoutError(name)
        return float(found)

    for _ in range(10):
        while not now("MOVN"):
            threading.Event().wait(0.002)
        target = now("VAL")
        pvs["STOP"].put(1, wait=False)
        while not now("DMOV"):
            threading.Event().wait(0.002)
        if abs(now("RBV") - target) > STOPPED_SHORT_DEG:
            return


def jam(ioc: IocProcess) -> None:
    """Every motion stops half way, and the record does not try again by itself."""
    put(ioc, "Sample:Theta.RTRY", 0)
    fault(ioc, kind="stall", axis="theta", times=500)


@pytest.mark.parametrize(
    ("what", "wait_s"),
    [("in mid-move", 0.12), ("in mid-exposure", 0.42)],
)
def test_an_ioc_that_is_killed_and_comes_back_costs_time_only(tmp_path: Path, what: str, wait_s: float) -> None:
    """20 degrees take 1.1 s and an exposure with its read-out 1.1 s: at speed 4 the kill falls where it should."""
    with running_ioc(speed=SLOW, specimen="nmc811") as ioc:
        run = Run(tmp_path, ioc, {"roi-01/proj_0003": after(wait_s, ioc.kill, ioc.restart)})
    assert run.is_whole(), run.error
    assert len(run.holds()) == 1
    assert len(run.texts(RunHeld.kind)) == len(run.texts(RunReleased.kind))
    if what == "in mid-exposure":
        assert run.texts(FrameRetaken.kind), "the frame in flight was not believed"


@pytest.mark.parametrize("seconds", [5.0, pytest.param(10.0, marks=pytest.mark.soak)])
def test_an_ioc_that_hangs_is_noticed_by_its_missing_beat(tmp_path: Path, seconds: float) -> None:
    """A stopped process stays connected for Channel Access."""
    with running_ioc(speed=FAST, specimen="nmc811") as ioc:

        def hang() -> None:
            ioc.stop()
            after(seconds, ioc.cont)()

        run = Run(tmp_path, ioc, {"roi-01/proj_0003": hang})
    assert run.is_whole(), run.error
    assert len(run.holds()) == 1
    assert "beat" in run.holds()[0] or "no answer" in run.holds()[0]


@pytest.mark.parametrize("seconds", [8.0, pytest.param(90.0, marks=pytest.mark.soak)])
def test_a_network_gap_is_waited_out(tmp_path: Path, seconds: float) -> None:
    with running_ioc(speed=FAST, specimen="nmc811", port=free_port()) as ioc, relay(ioc.client_port, ioc.port) as cable:

        def gap() -> None:
            cable.cut()
            after(seconds, cable.mend)()

        run = Run(tmp_path, ioc, {"roi-01/proj_0003": gap})
    assert run.is_whole(), run.error
    assert len(run.texts(RunHeld.kind)) >= 1


FRAME_FAULTS = ["dropped_frame", "repeated_frame", "wrong_shape_frame", "dark_frame", "nan_frame"]


@pytest.mark.parametrize("kind", FRAME_FAULTS)
def test_a_bad_frame_is_taken_again(tmp_path: Path, fast: IocProcess, kind: str) -> None:
    # Integers hold no NaN.
    other = running_ioc(speed=FAST, specimen="nmc811", array_type="float32")
    with other if kind == "nan_frame" else nullcontext(fast) as ioc:
        run = Run(tmp_path, ioc, {"roi-01/proj_0003": lambda: fault(ioc, kind=kind)})
    assert run.is_whole(), run.error
    assert len(run.texts(FrameRetaken.kind)) == 1


def test_a_motion_stopped_by_somebody_else_holds_and_goes_on(tmp_path: Path, slow: IocProcess) -> None:
    run = Run(
        tmp_path,
        slow,
        {"roi-01/proj_0003": lambda: stop_in_motion(slow, "Sample:Theta")},
        retry={"interrupted_wait_s": 2.0},
    )
    assert run.is_whole(), run.error
    assert "somebody else" in run.texts(RunHeld.kind)[0]


ENDINGS = [
    ("soft limit", lambda ioc: put(ioc, "Sample:Theta.HLM", 20.0), (LimitReached, SafetyRefusal), "limit"),
    ("hard limit", lambda ioc: fault(ioc, kind="limit", axis="theta", times=1), LimitReached, "limit switch"),
    ("stall", lambda ioc: jam(ioc), MotionStalled, "stopped short"),
    ("read-only PV", lambda ioc: fault(ioc, kind="read_only", pv="Sample:Theta"), DeviceError, "refused"),
    ("interlock", lambda ioc: fault(ioc, kind="interlock"), DeviceError, "interlock"),
]


@pytest.mark.parametrize(("what", "incident", "error", "text"), ENDINGS, ids=[ending[0] for ending in ENDINGS])
def test_what_cannot_be_mended_ends_safely_and_says_so(
    tmp_path: Path, fast: IocProcess, what: str, incident: Any, error: Any, text: str
) -> None:
    run = Run(tmp_path, fast, {"roi-01/proj_0003": lambda: incident(fast)})
    assert run.code != 0
    assert isinstance(run.error, error), run.error
    assert text in str(run.error)
    assert run.results["verdict"]["status"] == Verdict.FAILED
    assert run.texts(SafeStateVerified.kind) or what == "read-only PV"
    assert get(fast, "Shutter:Fast_RBV", as_string=True) == "Closed"
    assert get(fast, "Owner") == ""
    assert 0 < len(run.kept()) < FRAMES


def test_a_second_session_is_refused_and_touches_nothing(tmp_path: Path, slow: IocProcess) -> None:
    """While a run is under way another one finds the owner alive, and leaves the instrument alone."""
    second: list[subprocess.CompletedProcess[str]] = []

    def intrude() -> None:
        # Else a busy machine starts the second when the first has ended.
        (first,) = (tmp_path / "runs").iterdir()
        app.send(first, Pause(), within_s=120.0)
        folder = tmp_path / "second"
        folder.mkdir()
        instrument = {"backend": "epics", "map": epics_map(slow.prefix).model_dump(mode="json")}
        recipe = write_recipe(folder, **{**SMALL, "instrument": instrument})
        command = [sys.executable, "-m", "xrm_control.cli", "run", str(recipe), "--out", str(folder / "runs")]
        second.append(
            subprocess.run(
                command,
                cwd=ROOT,
                env={**os.environ, **slow.environment},
                capture_output=True,
                text=True,
                timeout=600,
            )
        )
        app.send(first, Continue(), within_s=120.0)

    run = Run(tmp_path, slow, {"mosaic/tile_r00_c01": intrude})
    assert run.is_whole(), run.error
    assert second[0].returncode == 6, second[0].stderr
    assert "in use on this machine by process" in second[0].stderr


def test_a_session_that_dies_leaves_the_shutter_to_the_dead_man(tmp_path: Path, slow: IocProcess) -> None:
    """kill -9 in the middle of the scan: three seconds later the IOC has closed the shutter and freed the owner."""
    recipe = _recipe(tmp_path, slow)
    command = [sys.executable, "-m", "xrm_control.cli", "run", str(recipe), "--out", str(tmp_path / "runs")]
    client = {**os.environ, **slow.environment}
    with subprocess.Popen(command, cwd=ROOT, env=client, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        _wait_for(slow, "Scan:ScanStatus", "scanning")
        _wait_for(slow, "Shutter:Fast_RBV", "Open")
        run.kill()
    assert get(slow, "Owner") != ""
    _wait_for(slow, "Watchdog:Tripped_RBV", "Yes", within_s=60)
    _wait_for(slow, "Shutter:Fast_RBV", "Closed", within_s=60)
    assert get(slow, "Owner") == ""


@pytest.mark.parametrize("dead_man", [False, True], ids=["at once", "after the dead-man"])
def test_a_session_that_dies_is_gone_on_with(tmp_path: Path, slow: IocProcess, dead_man: bool) -> None:
    """kill -9 in the middle of the scan, then `xrm resume`: the IOC has lived on, and its camera has counted on."""
    recipe = _recipe(tmp_path, slow)
    xrm, client = [sys.executable, "-m", "xrm_control.cli"], {**os.environ, **slow.environment}
    begin = [*xrm, "run", str(recipe), "--out", str(tmp_path / "runs")]
    with subprocess.Popen(begin, cwd=ROOT, env=client, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        _wait_for(slow, "Scan:ScanStatus", "scanning")
        _wait_for(slow, "Shutter:Fast_RBV", "Open")
        run.kill()
    (folder,) = (tmp_path / "runs").iterdir()
    with JournalReader.open(folder / "journal.sqlite") as journal:
        kept, stood_s = {plan.frame_id for plan, _ in journal.stored_frames()}, journal.last_t_s()
    if dead_man:
        _wait_for(slow, "Watchdog:Tripped_RBV", "Yes", within_s=60)
    resume = [*xrm, "resume", str(folder)]
    done = subprocess.run(resume, cwd=ROOT, env=client, capture_output=True, text=True, timeout=600)
    # Nine views need not make a volume worth measuring.
    assert done.returncode in (0, 5), done.stderr
    with JournalReader.open(folder / "journal.sqlite") as journal:
        frames, accounting = journal.stored_frames(), journal.accounting()
    assert accounting.complete
    assert (accounting.kept, accounting.retaken <= 1) == (FRAMES, True)
    anew = [frame for plan, frame in frames if plan.frame_id not in kept]
    assert all(frame.exposure.t_start_s > (stood_s or 0.0) for frame in anew)
    assert get(slow, "Shutter:Fast_RBV", as_string=True) == "Closed"


def test_an_operators_abort_ends_the_run_safely(tmp_path: Path, slow: IocProcess) -> None:
    run = Run(tmp_path, slow, {"roi-01/proj_0003": lambda: put(slow, "Scan:AbortScan", 1)})
    assert get(slow, "Shutter:Fast_RBV", as_string=True) == "Closed"
    assert get(slow, "Scan:StartScan", as_string=True) == "Done"
    assert get(slow, "Scan:ScanStatus") == "aborted"
    assert get(slow, "Scan:AbortScan") == 0
    assert run.code == 130
    assert "AbortScan" in str(run.error)
    assert run.texts(SafeStateVerified.kind)
    assert run.results["verdict"]["status"] == Verdict.ABORTED


def test_a_pause_lasts_and_the_dead_man_stays_up(tmp_path: Path, slow: IocProcess) -> None:
    """Paused for several times the dead-man's three seconds, after the sample of a longer pause was looked at again."""
    seen: dict[str, Any] = {}

    def pause() -> None:
        epics.ca.use_initial_context()
        (folder,) = (tmp_path / "runs").iterdir()
        app.send(folder, Pause(), within_s=120.0)
        while get(slow, "Scan:ScanStatus") != "paused":
            threading.Event().wait(0.05)
        for _ in range(5):
            threading.Event().wait(2.0)
            for name in ("Shutter:Fast_RBV", "Watchdog:Tripped_RBV", "Sample:Theta.DMOV", "Owner"):
                seen.setdefault(name, set()).add(get(slow, name))
        app.send(folder, Continue(), within_s=120.0)

    run = Run(tmp_path, slow, {"roi-01/proj_0003": pause})
    assert run.is_whole(), run.error
    assert [len(values) for values in seen.values()] == [1] * 4
    assert (seen["Sample:Theta.DMOV"], seen["Watchdog:Tripped_RBV"]) == ({1}, {0})
    assert seen["Shutter:Fast_RBV"] == {0}
    # Ten seconds of the wall clock are forty of this instrument's: time enough for somebody to touch the sample.
    assert run.texts(SampleCompared.kind)


def test_a_run_that_computes_for_long_raises_no_false_alarm(
    tmp_path: Path, slow: IocProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last frame it asks the instrument for nothing, for longer than a session that hangs is given."""
    watched: dict[str, set[Any]] = {"Watchdog:Tripped_RBV": set(), "Watchdog:Armed_RBV": set(), "Owner": set()}
    hashed_by: set[str] = set()

    def hash_(path: Path) -> str:
        if path.suffix == ".tif" and path.parent.name == "roi-01":
            hashed_by.add(threading.current_thread().name)
        return sha256_file(path)

    def watch() -> None:
        epics.ca.use_initial_context()
        _wait_for(slow, "Scan:ScanStatus", "finishing")
        monkeypatch.setattr(supervision, "_HUNG_AFTER_S", 1.0)
        while get(slow, "Scan:ScanStatus") != "done":
            for name, values in watched.items():
                values.add(get(slow, name))
            threading.Event().wait(0.2)

    monkeypatch.setattr("xrm_control.storage.artifacts.sha256_file", hash_)
    handoff = {"command": [sys.executable, "-c", "import time; time.sleep(6)"]}
    run = Run(tmp_path, slow, {"roi-01/flat_0001": watch}, handoff=handoff)
    assert run.is_whole(), run.error
    assert watched["Watchdog:Tripped_RBV"] == {0}
    assert 0 in watched["Watchdog:Armed_RBV"]
    assert len(watched["Owner"] - {""}) == 1
    assert get(slow, "Owner") == ""
    # Nor does the event loop, which kicks, hash what takes long.
    assert hashed_by
    assert threading.current_thread().name not in hashed_by


def test_the_panel_shows_how_far_a_run_has_come(tmp_path: Path, slow: IocProcess) -> None:
    seen: dict[str, Any] = {}

    def look() -> None:
        epics.ca.use_initial_context()
        for name in ("ImagesCollected", "ImagesTotal", "RemainingTime", "ElapsedTime", "RunName"):
            seen[name] = get(slow, f"Scan:{name}")

    run = Run(tmp_path, slow, {"roi-01/proj_0003": after(0.3, look)})
    assert get(slow, "Scan:ScanStatus") == "done"
    assert run.is_whole(), run.error
    assert FRAMES - 9 <= seen["ImagesCollected"] < FRAMES
    assert seen["ImagesTotal"] == FRAMES
    assert seen["RemainingTime"] > 0
    assert seen["ElapsedTime"] > 10
    assert seen["RunName"] == run.folder.name[:39]


def test_an_instrument_that_is_not_there_is_exit_code_3(tmp_path: Path) -> None:
    """Nothing listens: one line says what was looked for, and no run folder is left behind."""
    with running_ioc(speed=FAST) as ioc:
        recipe = _recipe(tmp_path, ioc)
        client = {**os.environ, **ioc.environment}
    command = [sys.executable, "-m", "xrm_control.cli", "run", str(recipe), "--out", str(tmp_path / "runs")]
    done = subprocess.run(command, cwd=ROOT, env=client, capture_output=True, text=True, timeout=600)
    assert done.returncode == 3
    assert "PVs do not answer" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def _recipe(folder: Path, ioc: IocProcess) -> Path:
    return write_recipe(
        folder, **{**SMALL, "instrument": {"backend": "epics", "map": epics_map(ioc.prefix).model_dump(mode="json")}}
    )


def _wait_for(ioc: IocProcess, name: str, value: str, within_s: float = 60.0) -> None:
    found = epics.PV(ioc.prefix + name)
    for _ in range(int(within_s / 0.02)):
        if found.get(as_string=True, use_monitor=False, timeout=60) == value:
            return
        threading.Event().wait(0.02)
    raise AssertionError(f"{name} never became {value}")
