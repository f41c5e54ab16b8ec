"""A run's volumes measured again from the window: by `xrm reanalyze` in a process of its own, as from the shell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from xrm_control.contracts.results import RESULTS, RunResults
from xrm_control.contracts.tables import Particle
from xrm_control.core.clock import pause, stopwatch
from xrm_control.core.errors import CommandRefusal, DataError, RecipeError, ResourceLocked, XrmError
from xrm_control.core.exit_code import ExitCode
from xrm_control.dashboard.files import inside
from xrm_control.dashboard.guests import Guests, Note, lives
from xrm_control.dashboard.models_again import Measurement, Measurements, Trial
from xrm_control.dashboard.runs import results_of
from xrm_control.storage.run_folder import RunFolder

_KEY = re.compile(r"[0-9a-f]{4,64}")
_ANSWERED_WITHIN_S = 15.0
_LOOK_EVERY_S = 0.1
_MOST_TRIALS = 10
# Beside a run that is carried out a guest waits.
_NICENESS = 10
_GOOD = (int(ExitCode.OK), int(ExitCode.PARTLY))


@dataclass(frozen=True)
class Analyst:
    """Has runs measured again by `guests`, each request once."""

    guests: Guests

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
        arguments = ["reanalyze", str(folder.path), *(word for one in settings for word in ("--set", one)), "--json"]
        note = self.guests.asked(request, arguments)
        if note is None:
            if why := obstacle(folder):
                raise ResourceLocked(why, where=folder.name)
            self.guests.start(request, arguments, _NICENESS)
            waited_s = stopwatch()
            while (note := self.guests.asked(request, arguments)) is not None and note.exit is None:
                if waited_s() > _ANSWERED_WITHIN_S:
                    break
                pause(_LOOK_EVERY_S)
        return _told(note, self.guests.words(request))

    def trials(self, folder: RunFolder) -> Iterator[Trial]:
        """Those of a run that have no result, the newest first."""
        busy = folder.may_be_held()
        for request, note in self.guests.notes():
            if note.arguments[:2] != ("reanalyze", str(folder.path)) or note.exit in _GOOD:
                continue
            under_way = note.exit is None and (busy or lives(note))
            state = "failed" if note.exit is not None else "under way" if under_way else "ended without a word"
            yield Trial(settings=_settings(note), state=state, words=self.guests.words(request))


def obstacle(folder: RunFolder) -> str:
    """Why nothing can be measured again now; "" where it can."""
    if folder.may_be_held():
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
    diameter = results.population.of(Particle.equivalent_diameter_um)
    levels = [one.threshold_per_um for one in results.quality.values() if one.threshold_per_um is not None]
    return Measurement(
        key=key,
        settings={} if results.reanalysis is None else dict(results.reanalysis.settings),
        verdict=str(results.verdict.status),
        whole_particles=results.counts.whole_particles,
        voided_percent=None if voided is None or voided.value is None else 100 * voided.value,
        equivalent_diameter_um=None if diameter is None else diameter.mean,
        levels_per_um=(min(levels), max(levels)) if levels else (),
        report=report,
    )


def _settings(note: Note) -> tuple[str, ...]:
    return tuple(setting for word, setting in pairwise(note.arguments) if word == "--set")


def _told(note: Note | None, words: str) -> str:
    """Raises CommandRefusal where it ended badly."""
    if note is None or note.exit is None:
        return "the volumes are being measured again; what comes of it will be listed"
    if note.exit not in _GOOD:
        raise CommandRefusal(words or "it ended without a word", value=f"exit code {note.exit}")
    return "the volumes were measured again"
