"""What goes wrong over Channel Access: each with its declared reaction, nothing lost, and never called a success."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import epics
import pytest

from tests.ca_relay import relay
from tests.ioc_process import ROOT, IocProcess, free_port, running_ioc
from tests.system.over_channel_access import FRAMES, Run, after, recipe_for
from tests.system.shared_ioc import FAST, SLOW, get, put
from xrm_control.core.errors import DeviceError, LimitReached, MotionStalled, SafetyRefusal
from xrm_control.core.events import FrameRetaken, RunHeld, RunReleased, SafeStateVerified
from xrm_control.core.states import Verdict

pytestmark = pytest.mark.usefixtures("white_figures", "searched_once")


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


@pytest.mark.parametrize(("speed", "every_s"), [(FAST, 0.6), pytest.param(SLOW, 2.0, marks=pytest.mark.soak)])
def test_connections_that_break_every_few_seconds_cost_time_only(tmp_path: Path, speed: float, every_s: float) -> None:
    """As by a bad switch, ten times one after the other from the middle of the scan on."""
    port = free_port()
    with running_ioc(speed=speed, specimen="nmc811", port=port) as ioc, relay(ioc.client_port, ioc.port) as cable:
        run = Run(tmp_path, ioc, {"roi-01/proj_0003": after(every_s, *[cable.drop] * 10)})
    assert run.is_whole(), run.error
    assert len(run.texts(RunHeld.kind)) >= 1
    assert len(run.texts(RunHeld.kind)) == len(run.texts(RunReleased.kind))


@pytest.mark.parametrize("pv", ["Sample:Theta.RBV", "Det:cam1:AcquireTime_RBV"])
@pytest.mark.parametrize("value", ["nan", pytest.param("inf", marks=pytest.mark.soak)])
def test_a_reading_that_is_no_number_for_a_while_is_waited_out(
    tmp_path: Path, fast: IocProcess, pv: str, value: str
) -> None:
    """A controller that is being started anew: nothing stands in the way of the axis, and the camera is not broken."""

    def glitch() -> None:
        fault(fast, kind="shows", pv=pv, value=value)
        after(2.0, lambda: put(fast, "Sim:Clear", 1))()

    run = Run(tmp_path, fast, {"roi-01/proj_0003": glitch})
    assert run.is_whole(), run.error
    assert any("no number" in text for text in run.texts(RunHeld.kind))


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


def test_an_instrument_that_is_not_there_is_exit_code_3(tmp_path: Path) -> None:
    """Nothing listens: one line says what was looked for, and no run folder is left behind."""
    with running_ioc(speed=FAST) as ioc:
        recipe = recipe_for(tmp_path, ioc)
        client = {**os.environ, **ioc.environment}
    command = [sys.executable, "-m", "xrm_control.cli", "run", str(recipe), "--out", str(tmp_path / "runs")]
    done = subprocess.run(command, cwd=ROOT, env=client, capture_output=True, text=True, timeout=600)
    assert done.returncode == 3
    assert "PVs do not answer" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()
