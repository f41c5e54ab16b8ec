"""What a newcomer finds: runs of two batches, a night by the queue, and runs that are held, dead, and going on."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.dashboard.conftest import listening
from xrm_control.core.errors import DataError
from xrm_control.core.states import RunState
from xrm_control.storage.journal_reader import JournalReader

PROGRAM = (sys.executable, "-m", "xrm_control.cli")
SCAN: dict[str, Any] = {
    "projections": 61, "useful_diameter_um": 30, "references": {"kind": "both", "count": 1}, "darks": 1,
}  # fmt: skip
RECIPE: dict[str, Any] = {
    "mosaic": {"columns": 3, "rows": 2, "flats": 1, "darks": 1},
    "roi": {"kind": "manual", "positions": [{"x_um": 66, "y_um": 10}]},
    "scan": SCAN,
    "reconstruction": {"rows": [40, 88]},
    "compute": {"kind": "inline"},
    "output": {"keep_free_gb": 0},
}
LONG_S = 300.0


@dataclass
class Town:
    """Folders, and who lives in them. Names of runs: by their recipe's."""

    place: Path
    url: str = ""
    living: list[subprocess.Popen[bytes]] = field(default_factory=list[subprocess.Popen[bytes]])

    @property
    def runs(self) -> Path:
        return self.place / "runs"

    def run(self, recipe: str) -> Path:
        """The folder of a recipe's newest run."""
        found = [*self.runs.glob(f"*_{recipe}_*"), *self.place.glob(f"queue/items/*/runs/*_{recipe}_*")]
        return max(found, key=lambda path: path.name)

    def particles(self, recipe: str) -> list[dict[str, str]]:
        """particles.csv of the whole run."""
        return list(csv.DictReader((self.run(recipe) / "particles.csv").read_text().splitlines()))

    def results(self, recipe: str) -> dict[str, Any]:
        return json.loads((self.run(recipe) / "results.json").read_text())

    def recipe(self, name: str, specimen: str = "nmc811", seed: int = 3, **changes: Any) -> Path:
        path = self.place / "recipes" / f"{name}.yaml"
        instrument = {"backend": "simulated", "specimen": specimen, "seed": seed, **changes.pop("instrument", {})}
        sample = {"name": name, "formula": "LiNi0.8Mn0.1Co0.1O2", "density_g_cm3": 4.7}
        path.write_text(yaml.safe_dump({"name": name, "sample": sample, **RECIPE, "instrument": instrument, **changes}))
        return path

    def carry_out(self, *words: object) -> None:
        subprocess.run([*PROGRAM, *map(str, words)], check=False, capture_output=True, timeout=LONG_S)

    def begin(self, recipe: Path, speed: str, until: RunState) -> subprocess.Popen[bytes]:
        """A run in a process of its own, once it is in a state."""
        command = [*PROGRAM, "run", str(recipe), "--out", str(self.runs), "--speed", speed]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.living.append(process)
        until_true(lambda: self.state(recipe.stem) is until or process.poll() is not None)
        return process

    def state(self, recipe: str) -> RunState | None:
        found = list(self.runs.glob(f"*_{recipe}_*/journal.sqlite"))
        if not found:
            return None
        try:
            with JournalReader.open(found[0]) as journal:
                state = journal.state()
        except DataError:  # it is being made
            return None
        return None if state is None else state.state


def until_true(holds: Callable[[], bool], tries: int = int(LONG_S / 0.05)) -> None:
    for _ in range(tries):
        if holds():
            return
        threading.Event().wait(0.05)
    raise AssertionError("never came true")


@contextmanager
def inhabited(place: Path) -> Iterator[Town]:
    """All of it, with the window before it."""
    town = Town(place)
    for folder in (town.runs, place / "recipes"):
        folder.mkdir()
    queue = place / "queue"
    try:
        town.carry_out("run", town.recipe("batch-a"), "--out", town.runs, "--speed", "virtual")
        town.carry_out("run", town.recipe("batch-b", "nmc622"), "--out", town.runs, "--speed", "virtual")
        stuck = [{"kind": "stall", "axis": "x", "move": 4, "times": 40}]
        for recipe in (
            town.recipe("night-good", "nmc622"),
            town.recipe("night-bad", seed=6, instrument={"faults": stuck}),
        ):
            town.carry_out("queue", "add", recipe, "--queue", queue)
        town.carry_out("queue", "run", "--queue", queue, "--speed", "virtual")
        town.begin(town.recipe("killed", seed=8), "4", RunState.MOSAICKING).send_signal(signal.SIGKILL)
        lost = [{"kind": "beam_loss", "at_s": 30}]
        town.begin(town.recipe("evening", seed=7, instrument={"faults": lost}), "20", RunState.HELD)
        # Nothing is asked of its pictures; long enough for whoever acts on it.
        long = {**SCAN, "projections": 2000}
        today = town.recipe("today", seed=9, instrument={"rendering": False}, scan=long)
        town.begin(today, "8", RunState.SCANNING)
        with listening(town.runs, place / "recipes", queue=queue) as town.url:
            yield town
    finally:
        for process in town.living:
            process.kill()
            process.wait()
