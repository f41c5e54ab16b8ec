"""What the window costs those beside it: the server's processor time of a slice of 1024^3, up to the socket, and the
run's own while five viewers look on.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from benchmarks.timing import Row
from tests.session.scripted import SMALL
from tests.system.conftest import SHORT, write_recipe

SIDE, SLICES, SLICES_PER_S = 1024, 60, 30.0
VIEWERS, BLOCKS, BLOCK_S, PROJECTIONS, SPEED, MOST = 5, 80, 1.5, 9000, "20", 1.02
_PORT = 8947
_MEMORY = Path("/dev/shm")


def rows() -> list[Row]:
    """Three planes of a large volume, then a run."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as root:
        return [*_slices(Path(root)), _viewers(Path(root))]


def _slices(root: Path) -> list[Row]:
    folder = _a_run_with_a_volume(root)
    found: list[Row] = []
    with _served(root / "runs") as server:
        for plane in ("xy", "xz", "yz"):
            address = f"/api/runs/{folder.name}/regions/roi-01/planes/{plane}"
            server.get(f"{address}/99")
            before_s = server.cpu_s()
            for index in range(100, 100 + SLICES):
                _check(server.get(f"{address}/{index}"))
            each_s = (server.cpu_s() - before_s) / SLICES
            warn = "" if 1 / each_s >= SLICES_PER_S else "misses its target"
            ratio = 1 / each_s / SLICES_PER_S
            found.append(Row(f"slice {plane} of {SIDE}^3, served", "the window", each_s, ratio, "30 a second", warn))
    return found


def _check(body: bytes) -> None:
    """Raises ValueError for what is no slice."""
    if len(body) != SIDE * SIDE:
        raise ValueError(f"no slice of {SIDE} x {SIDE}: {body[:200]!r}")


def _a_run_with_a_volume(root: Path) -> Path:
    (root / "runs").mkdir()
    recipe = write_recipe(root, **SMALL)
    command = [sys.executable, "-m", "xrm_control.cli", "run", str(recipe), "--out", str(root / "runs")]
    subprocess.run([*command, "--until", "mosaic"], check=False, capture_output=True)
    (folder,) = (root / "runs").iterdir()
    (folder / "roi-01").mkdir(exist_ok=True)
    plane = np.random.default_rng(1).integers(0, 60_000, (SIDE, SIDE), dtype=np.uint16)
    with tifffile.TiffWriter(folder / "roi-01" / "volume.ome.tif", bigtiff=True) as out:
        out.write((plane for _ in range(SIDE)), shape=(SIDE, SIDE, SIDE), dtype=np.uint16, metadata={"axes": "ZYX"})
    return folder


@dataclass
class _Server:
    process: subprocess.Popen[bytes]
    connection: http.client.HTTPConnection

    def get(self, path: str) -> bytes:
        self.connection.request("GET", path)
        return self.connection.getresponse().read()

    def cpu_s(self) -> float:
        return _cpu_s(self.process.pid)


def _cpu_s(process: int) -> float:
    """Processor time of all threads of a process so far, in s."""
    words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def _served(root: Path) -> Iterator[_Server]:
    """The server in a process of its own."""
    command = [sys.executable, "-m", "xrm_control.cli", "serve", str(root), "--port", str(_PORT)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    server = _Server(process, http.client.HTTPConnection("127.0.0.1", _PORT, timeout=120))
    try:
        while True:
            try:
                server.get("/")
                break
            except OSError:
                server.connection.close()
                threading.Event().wait(0.1)
        yield server
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


def _viewers(root: Path) -> Row:
    """One run, and beside it the server with its viewers, which is stopped and let go on in turn: processor time of the
    run's process for each line of its journal, from one block to the next. In one run, so that no two are compared.
    """
    place = root / "watched"
    place.mkdir()
    scan = {**SMALL["scan"], "projections": PROJECTIONS}
    recipe = write_recipe(place, **{**SMALL, "instrument": {**SHORT["instrument"], "rendering": False}, "scan": scan})
    command = [sys.executable, "-m", "xrm_control.cli", "run", str(recipe), "--out", str(place / "runs")]
    quiet = subprocess.DEVNULL
    (place / "runs").mkdir()
    run = subprocess.Popen([*command, "--speed", SPEED], stdout=quiet, stderr=quiet)
    watched: list[float] = []
    alone: list[float] = []
    try:
        while not (found := list((place / "runs").glob("*/frames/roi-01/proj_0001.tif"))):
            threading.Event().wait(0.1)
        frames = found[0].parent
        with _served(place / "runs") as server:
            for _ in range(VIEWERS):
                address = f"/api/runs/{frames.parents[1].name}/stream"
                threading.Thread(target=_look_on, args=(address,), daemon=True).start()
            threading.Event().wait(3.0)
            for _ in range(BLOCKS):
                watched.append(_a_frame_s(run, frames))
                server.process.send_signal(signal.SIGSTOP)
                alone.append(_a_frame_s(run, frames))
                server.process.send_signal(signal.SIGCONT)
                threading.Event().wait(0.3)
    finally:
        run.kill()
        run.wait()
    ratios = [one / other for one, other in zip(watched, alone, strict=True)]
    middle = statistics.median(ratios)
    error = _bootstrap(ratios)
    warn = "" if middle - 2 * error < MOST else "more than 2 %"
    figures = {"standard error": f"{100 * error:.1f} %", "pairs": str(len(ratios))}
    return Row(
        f"a frame of a run with {VIEWERS} viewers",
        "the run",
        statistics.median(watched),
        middle,
        "nobody",
        warn,
        figures,
    )


def _a_frame_s(run: subprocess.Popen[bytes], frames: Path) -> float:
    """Processor time of the run for each frame that it keeps in a block."""
    before_s, before = _cpu_s(run.pid), _count(frames)
    threading.Event().wait(BLOCK_S)
    return (_cpu_s(run.pid) - before_s) / max(1, _count(frames) - before)


def _count(frames: Path) -> int:
    return sum(1 for entry in os.scandir(frames) if entry.name.startswith("proj_"))


def _bootstrap(values: list[float], draws: int = 2000) -> float:
    chosen = np.random.default_rng(0).choice(values, (draws, len(values)))
    return float(np.std(np.median(chosen, axis=1)))


def _look_on(address: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", _PORT)
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", address)
        stream = connection.getresponse()
        while stream.read1(65536):
            pass
