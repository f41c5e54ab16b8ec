"""A simulated IOC as a process of its own, for tests that talk Channel Access to it.

libca reads its environment once per process. `client_environment` therefore fixes, once per test process and before
the first CA call, a pool of ports; each IOC takes one of them and has a prefix of its own. Ports lie below those that
the system gives to outgoing connections, so that none of these can come in between.

A site's own IOC, whose prefix XRM_TEST_IOC_PREFIX tells, is found beside them where EPICS_CA_ADDR_LIST says.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import queue
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
READY_WITHIN_S = 600.0
_ENDED_WITHIN_S = 300.0
_POOL = 6
_FIRST_PORT, _LAST_PORT = 12000, 31000
_numbers = itertools.count(1)


def free_port() -> int:
    """A port that is free for TCP and UDP on the loopback interface, and is no one's outgoing port."""
    for _ in range(200):
        port = _FIRST_PORT + secrets.randbelow(_LAST_PORT - _FIRST_PORT)
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return port
    raise RuntimeError("no free port")


@functools.cache
def _pool() -> tuple[int, ...]:
    """The ports of this test process: those of its IOCs, then that of its repeater."""
    found: set[int] = set()
    while len(found) < _POOL + 1:
        found.add(free_port())
    return tuple(found)


@functools.cache
def _in_use() -> set[int]:
    return set()


def environment_for(*ports: int) -> dict[str, str]:
    """The variables of a client that shall find IOCs on these ports and nothing else."""
    return {
        "EPICS_CA_ADDR_LIST": " ".join(f"127.0.0.1:{port}" for port in ports),
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_CA_SERVER_PORT": str(ports[0]),
        "EPICS_CA_REPEATER_PORT": str(_pool()[-1]),
        "EPICS_CA_MAX_ARRAY_BYTES": "20000000",
    }


@functools.cache
def client_environment() -> Mapping[str, str]:
    """Make this process a client of its own IOCs; call it before its first CA call, any number of times."""
    found = environment_for(*_pool()[:-1])
    found["EPICS_CA_ADDR_LIST"] = " ".join([found["EPICS_CA_ADDR_LIST"], *_site_addresses()])
    os.environ.update(found)
    return found


def _site_addresses() -> list[str]:
    """Where a site's own IOC is looked for, each with its port."""
    if "XRM_TEST_IOC_PREFIX" not in os.environ:
        return []
    port = os.environ.get("EPICS_CA_SERVER_PORT", "5064")
    listed = os.environ.get("EPICS_CA_ADDR_LIST", "").split()
    return [address if ":" in address else f"{address}:{port}" for address in listed]


class IocProcess:
    """One IOC; `prefix` and `port` stay through `restart`; clients of the pool look for it at `client_port`."""

    def __init__(self, prefix: str, port: int, options: Mapping[str, Any], *, client_port: int | None = None) -> None:
        self.prefix = prefix
        self.port = port
        self.client_port = port if client_port is None else client_port
        self.options = {"speed": 20, "specimen": "empty", **options}
        self.environment = environment_for(port)
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False

    @property
    def pid(self) -> int:
        """Process id."""
        return self._running().pid

    @property
    def returncode(self) -> int | None:
        """Exit code once it has ended."""
        return self._running().poll()

    def start(self) -> None:
        """Start, and wait until it serves. RuntimeError, with what it said, when it does not."""
        said: queue.Queue[str] = queue.Queue()
        with tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen(
                self._command(),
                cwd=ROOT,
                env={**os.environ, **self.environment, "OMP_NUM_THREADS": "1"},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
            self._process = process
            threading.Thread(target=_read, args=(process, said), daemon=True).start()
            try:
                line = said.get(timeout=READY_WITHIN_S)
            except queue.Empty:
                line = ""
            if line != self._ready():
                self.end()
                errors.seek(0)
                raise RuntimeError(f"the IOC did not start; it said {line!r} and {errors.read()[-4000:]!r}")

    def kill(self) -> None:
        """SIGKILL: a crash."""
        self._running().kill()
        self._running().wait(_ENDED_WITHIN_S)

    def stop(self) -> None:
        """SIGSTOP: it hangs, and its connections stay."""
        self._running().send_signal(signal.SIGSTOP)
        self._stopped = True

    def cont(self) -> None:
        """SIGCONT."""
        self._running().send_signal(signal.SIGCONT)
        self._stopped = False

    def terminate(self) -> int:
        """SIGTERM: an orderly end; returns the exit code."""
        self._running().terminate()
        return self.wait()

    def wait(self) -> int:
        """Wait for its end by itself; returns the exit code."""
        return self._running().wait(_ENDED_WITHIN_S)

    def restart(self) -> None:
        """Start again with the same port, prefix and options; whatever still runs is killed first."""
        self.end()
        self.start()

    def end(self) -> None:
        """Whatever it does, it does not run afterwards."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            if self._stopped:
                self.cont()
            process.kill()
            process.wait(_ENDED_WITHIN_S)
        if process.stdout is not None:
            process.stdout.close()

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "tests.known_ioc", *command_line(self.prefix, self.port, self.options)]

    def _ready(self) -> str:
        """What it says when it serves."""
        return f"ready prefix={self.prefix} port={self.port} speed={self.options['speed']:g}\n"

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise RuntimeError("the IOC has not been started")
        return self._process


class SoftIocProcess(IocProcess):
    """EPICS base itself, with the records of a script; on the loopback interface alone."""

    def __init__(self, script: Path, prefix: str, port: int, **environment: str) -> None:
        super().__init__(prefix, port, {})
        self._script = script
        self.environment |= {
            "EPICS_CAS_INTF_ADDR_LIST": "127.0.0.1",
            "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
            "EPICS_CAS_BEACON_ADDR_LIST": "127.0.0.1",
            **environment,
        }

    def _command(self) -> list[str]:
        return [sys.executable, str(self._script), self.prefix]

    def _ready(self) -> str:
        return f"ready prefix={self.prefix}\n"


@contextmanager
def running_ioc(**options: Any) -> Iterator[IocProcess]:
    """An IOC that serves; options are those of its command line, e.g. speed=50, instant=True, fault=[{...}].

    The environment of this process makes it a client; `environment` of what is yielded is for other processes.
    With `port`, a port outside the pool, it is out of this process' reach but through a relay on its `client_port`.
    """
    with _port_of_the_pool() as port:
        prefix = options.pop("prefix", None) or _new_prefix()
        with _running(IocProcess(prefix, options.pop("port", port), options, client_port=port)) as ioc:
            yield ioc


@contextmanager
def running_soft_ioc(script: Path, **environment: str) -> Iterator[IocProcess]:
    """EPICS base serving the records of a script, which is given a prefix and says `ready prefix=...` when it does."""
    with _port_of_the_pool() as port, _running(SoftIocProcess(script, _new_prefix(), port, **environment)) as ioc:
        yield ioc


@contextmanager
def _port_of_the_pool() -> Iterator[int]:
    client_environment()
    port = next(port for port in _pool()[:-1] if port not in _in_use())
    _in_use().add(port)
    try:
        yield port
    finally:
        _in_use().discard(port)


@contextmanager
def _running(ioc: IocProcess) -> Iterator[IocProcess]:
    try:
        ioc.start()
        yield ioc
    finally:
        ioc.end()


def _new_prefix() -> str:
    return f"T{os.getpid()}-{next(_numbers)}:"


def command_line(prefix: str, port: int, options: Mapping[str, Any]) -> list[str]:
    """Options as arguments: True is a flag, False and None nothing, a list repeats, a dictionary is JSON."""
    found = ["--prefix", prefix, "--port", str(port)]
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        for one in value if isinstance(value, list | tuple) else [value]:
            if one is True:
                found.append(flag)
            elif one is not None and one is not False:
                found.append(f"{flag}={json.dumps(one) if isinstance(one, dict) else one}")
    return found


def _read(process: subprocess.Popen[str], said: queue.Queue[str]) -> None:
    """The first line that is no part of a banner such as EPICS base prints."""
    if process.stdout is not None:
        said.put(next((line for line in process.stdout if line.strip() and not line.startswith("#")), ""))
