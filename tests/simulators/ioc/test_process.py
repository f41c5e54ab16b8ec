"""The IOC as a process: how it starts, what it says, how it ends, and what it makes of options that cannot be."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from simulators.microscope import Microscope, MicroscopeConfig
from simulators.specimen import SpecimenConfig
from tests.ioc_process import ROOT, IocProcess, environment_for, free_port, running_ioc
from tests.simulators.ioc.client import Client

WRONG = [
    (["--port", "70000"], "--port"),
    (["--port", "x"], "'x' is not a whole number"),
    (["--speed", "0"], "speed"),
    (["--speed", "nan"], "number"),
    (["--specimen", "gold"], "nmc811"),
    (["--seed", "-1"], "whole number"),
    (["--interface", "nowhere"], "IPv4"),
    (["--interface", "203.0.113.7", "--port", "0"], "203.0.113.7"),
    (["--prefix", ""], "prefix"),
    (["--prefix", "X RM:"], "prefix"),
    (["--fault", "{"], "JSON"),
    (["--fault", '{"kind": "gremlin"}'], "gremlin"),
    (["--fault", '{"kind": "exit"}'], "exit"),
    (["--gold"], "--gold"),
    (["--array-type", "int64"], "uint16"),
    (["--trigger-modes", "Off"], "Off|On"),
    (["--trigger-modes", "Off|Off"], "Off|On"),
    (["--specimen", "empty", "--port", "0", "--without", "Sample:W"], "Sample:W"),
    (["--specimen", "empty", "--port", "0", "--truth", "/nowhere/truth.json"], "/nowhere/truth.json"),
]


def ioc(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        [sys.executable, "-m", "simulators.ioc", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=600
    )


@pytest.mark.parametrize(("arguments", "said"), WRONG, ids=[" ".join(arguments) for arguments, _ in WRONG])
def test_what_cannot_be_is_one_line_and_exit_2(arguments: list[str], said: str) -> None:
    ended = ioc(*arguments)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert said in ended.stderr


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_taken_port_is_said(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", free_port()))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        ended = ioc("--port", str(port))
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert f"port {port}" in ended.stderr
    assert "--port" in ended.stderr


@pytest.mark.parametrize("end", ["terminate", "interrupt"])
def test_it_ends_cleanly_when_told(end: str) -> None:
    with running_ioc(speed=2.5) as running:
        client = Client(running)
        assert client.get("IOC:Speed_RBV") == 2.5
        if end == "terminate":
            assert running.terminate() == 0
        else:
            os.kill(running.pid, 2)
            assert running.wait() == 0
        client.until(lambda: not client.connected("IOC:Speed_RBV"))


def test_a_port_of_0_is_one_that_is_free_and_is_told() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "simulators.ioc", "--port", "0", "--prefix", "FREE:", "--specimen", "empty"],
        cwd=ROOT,
        env={**os.environ, **environment_for(free_port())},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        words = dict(word.split("=") for word in process.stdout.readline().split()[1:])
        assert (words["prefix"], words["speed"]) == ("FREE:", "1")
        with socket.create_connection(("127.0.0.1", int(words["port"])), timeout=10.0):
            process.terminate()
        assert process.wait(300.0) == 0
        assert process.stdout.read() == ""
    finally:
        process.kill()
        process.wait(300.0)
        if process.stdout is not None:
            process.stdout.close()


def test_a_crash_loses_the_state_and_the_same_names_come_back() -> None:
    with running_ioc(instant=True) as running:
        client = Client(running)
        client.put("Sample:X", 50.0)
        running.kill()
        client.until(lambda: not client.connected("Sample:X"))
        running.restart()
        client.until(lambda: client.connected("Sample:X"))
        assert client.get("Sample:X.RBV") == 0.0


def test_two_beside_each_other_do_not_meet() -> None:
    with running_ioc(instant=True, speed=3) as one, running_ioc(instant=True, speed=4) as other:
        assert [Client(ioc).get("IOC:Speed_RBV") for ioc in (one, other)] == [3.0, 4.0]
        Client(one).put("Sample:X", 10.0)
        assert [Client(ioc).get("Sample:X.RBV") for ioc in (one, other)] == [pytest.approx(10.0, abs=0.5), 0.0]


def test_the_truth_is_that_of_the_microscope_in_process(tmp_path: Path) -> None:
    file = tmp_path / "truth.json"
    with running_ioc(specimen="nmc811", seed=3, axis_offset_um=1.5, truth=file):
        written = json.loads(file.read_text())
    expected = Microscope(MicroscopeConfig(seed=3, specimen=SpecimenConfig("nmc811"), axis_offset_um=1.5)).truth()
    assert written == json.loads(json.dumps(expected))
    assert len(written["particles"]) > 100
    assert written["rotation_axis"]["offset_um"] == 1.5


@pytest.mark.parametrize(("instant", "speed"), [(True, 1), (False, 20)])
def test_instant_motion_takes_no_instrument_time(instant: bool, speed: float) -> None:
    with running_ioc(instant=instant, speed=speed) as running:
        client = Client(running)
        client.put("Sample:Theta", -90.0)
        begin_s = client.get("Sim:Time_RBV")
        client.put("Sample:Theta", 90.0)
        passed_s = client.get("Sim:Time_RBV") - begin_s
        assert client.get("Sample:Theta.RBV") == pytest.approx(90.0, abs=0.02)
        assert (passed_s < 6.0) == instant  # 180 deg at 30 deg/s


def test_a_stopped_process_is_killed_all_the_same() -> None:
    with running_ioc() as running:
        running.stop()
        hung: IocProcess = running
    assert hung.returncode == -9
