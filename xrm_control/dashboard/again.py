"""A run's volumes measured again from the window: by `xrm reanalyze` in a process of its own, as from the shell."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xrm_control.app.queue.process import PROGRAM
from xrm_control.contracts.results import RESULTS, RunResults
from xrm_control.core.clock import pause, stopwatch
from xrm_control.core.errors import CommandRefusal, DataError, RecipeError, ResourceLocked, XrmError
from xrm_control.core.exit_code import ExitCode
from xrm_control.dashboard.files import inside
from xrm_control.dashboard.models_again import Measurement, Measurements, Trial
from xrm_control.dashboard.runs import results_of
from xrm_control.storage.durable import make_folder, storage_error, write_durable
from xrm_control.storage.run_folder import RunFolder

_KEY = re.compile(r"[0-9a-f]{4,64}")
_ANSWERED_WITHIN_S = 15.0
_LOOK_EVERY_S = 0.1
_LONGEST_WORDS = 2000
_MOST_TRIALS = 10
# Beside a run that is carried out a guest waits.
_NICENESS = 10
_GOOD = (int(ExitCode.OK), int(ExitCode.PARTLY))


@dataclass(frozen=True)
class Analyst:
    """For the runs in `root`: what was asked for is on file in ``root/.window``, so that nothing is begun twice."""

    root: Path

    def begin(self, folder: RunFolder, settings: Sequence[str], request: str) -> str:
        """Begin, or tell what became of the same request before; in words.

        settings: ``analysis.threshold.kind=otsu``. Raises RecipeError for one of another part, ResourceLocked while
        somebody has the run, CommandRefusal with what it says where it ends at once.
        """
        for setting in settings:
            if not setting.startswith("analysis."):
                raise RecipeError(
                    "only what is measured can be changed", where=setting.partition("=")[0], limit="analysis.*"
                )
        arguments = ["reanalyze", str(folder.path), *(word for one in settings for word in ("--set", one))]
        note = self.root / ".window" / f"{request}.json"
        if note.exists():
            if _noted(note).get("arguments") != arguments:
                raise CommandRefusal(
                    "this request was for something else", where=request, remedy="give each request a name of its own"
                )
            return _told(_noted(note), _words(note))
        if why := obstacle(folder):
            raise ResourceLocked(why, where=folder.name)
        make_folder(note.parent)
        write_durable(note, json.dumps({"arguments": arguments}).encode() + b"\n")
        self._start(arguments, note)
        waited_s = stopwatch()
        while "exit" not in _noted(note) and waited_s() < _ANSWERED_WITHIN_S:
            pause(_LOOK_EVERY_S)
        return _told(_noted(note), _words(note))

    def _start(self, arguments: Sequence[str], note: Path) -> None:
        try:
            with note.with_suffix(".txt").open("wb") as output:
                process = subprocess.Popen(
                    [*PROGRAM, *arguments, "--json"],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=output,
                    start_new_session=True,
                )
        except OSError as error:
            raise storage_error("no process can be started", note, error) from error
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICENESS)

        known: dict[str, object] = {"arguments": list(arguments), "process": process.pid}
        write_durable(note, json.dumps(known).encode() + b"\n", replace=True)

        def see_out() -> None:
            known["exit"] = process.wait()
            with suppress(XrmError):
                write_durable(note, json.dumps(known).encode() + b"\n", replace=True)

        threading.Thread(target=see_out, daemon=True).start()

    def trials(self, folder: RunFolder) -> Iterator[Trial]:
        """Those of a run that have no result, the newest first."""
        notes = sorted((self.root / ".window").glob("*.json"), key=_age)
        busy = folder.holder() is not None
        for note in notes:
            known = _noted(note)
            arguments = known.get("arguments") or []
            if arguments[:2] != ["reanalyze", str(folder.path)] or known.get("exit") in _GOOD:
                continue
            lives = busy or _lives(known.get("process"))
            state = "failed" if "exit" in known else "under way" if lives else "ended without a word"
            yield Trial(settings=tuple(arguments[3::2]), state=state, words=_words(note))


def obstacle(folder: RunFolder) -> str:
    """Why nothing can be measured again now; "" where it can."""
    if folder.holder() is not None:
        return "a process carries the run out, or measures it again"
    return "" if any(folder.path.glob("*/handoff.json")) else "no volume is there to be measured"


def measurements(analyst: Analyst, folder: RunFolder) -> Measurements:
    """All that was measured of a run."""
    own = results_of(folder)
    found = [] if own is None else [_measured("", own, "files/report.html" if folder.report.is_file() else "")]
    for place in sorted(folder.reanalyses.glob("*/results.json")):
        with suppress(XrmError):
            key = place.parent.name
            there = place.with_name("report.html").is_file()
            found.append(_measured(key, RESULTS.read(place), f"reanalyses/{key}/report.html" if there else ""))
    trials = tuple(trial for trial, _ in zip(analyst.trials(folder), range(_MOST_TRIALS), strict=False))
    return Measurements(measurements=tuple(found), trials=trials, obstacle=obstacle(folder))


def report_of(folder: RunFolder, key: str) -> Path:
    """The report of a re-analysis. Raises DataError."""
    path = folder.reanalyses / key / "report.html"
    if not _KEY.fullmatch(key) or not path.is_file() or not inside(path, folder.path):
        raise DataError("there is no such re-analysis", where=folder.name, value=key[:80])
    return path


def _measured(key: str, results: RunResults, report: str) -> Measurement:
    voided = results.population.voided_fraction
    diameter = results.population.quantities.get("equivalent_diameter_um")
    return Measurement(
        key=key,
        settings={} if results.reanalysis is None else dict(results.reanalysis.settings),
        verdict=str(results.verdict.status),
        whole_particles=results.counts.whole_particles,
        voided_percent=None if voided is None or voided.value is None else 100 * voided.value,
        equivalent_diameter_um=None if diameter is None else diameter.mean,
        report=report,
    )


def _told(known: dict[str, Any], words: str) -> str:
    """Raises CommandRefusal where it ended badly."""
    if "exit" not in known:
        return "the volumes are being measured again; what comes of it will be listed"
    if known["exit"] not in _GOOD:
        raise CommandRefusal(words or "it ended without a word", value=f"exit code {known['exit']}")
    return "the volumes were measured again"


def _noted(note: Path) -> dict[str, Any]:
    try:
        known = json.loads(note.read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _lives(process: object) -> bool:
    try:
        return isinstance(process, int) and Path(f"/proc/{process}").exists()
    except OSError:
        return False


def _words(note: Path) -> str:
    try:
        return note.with_suffix(".txt").read_text("utf-8", "replace")[-_LONGEST_WORDS:].strip()
    except OSError:
        return ""


def _age(note: Path) -> float:
    """So that the newest come first."""
    try:
        return -note.stat().st_mtime
    except OSError:
        return 0.0
