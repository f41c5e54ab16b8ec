"""The composition root: recipe and settings become instrument, run folder, executor and session.

What a run needs is imported where it is used, so that `check` and `plan` answer at once.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xrm_control.contracts.plan import PLAN, Plan, PlanDocument, PlanWarning
from xrm_control.core.clock import VIRTUAL, Clock, utc_now
from xrm_control.core.clock import run as run_on_clock
from xrm_control.core.cpus import memory_bytes
from xrm_control.core.errors import DataError, RecipeError, UnusableData, XrmError
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.findings import Finding
from xrm_control.core.interrupts import signals_restored
from xrm_control.core.lazy import lazy
from xrm_control.core.states import RunState, Verdict
from xrm_control.devices.backend import Backend
from xrm_control.recipe.checking import diagnose, diagnose_memory, place, refuse
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.loading import json_schema, load_document
from xrm_control.recipe.needs import needs_of
from xrm_control.recipe.planning import TradeOff, check_disk, compare, make_plan
from xrm_control.recipe.source import Source
from xrm_control.storage.durable import free_bytes

if TYPE_CHECKING:
    from xrm_control.app.volumes import analyze, reconstruct
    from xrm_control.contracts.results import RunResults
    from xrm_control.core.events import AnyEvent, Listener
    from xrm_control.storage.journal import Journal
    from xrm_control.storage.records import RunSummary
    from xrm_control.storage.run_folder import RunFolder

__all__ = [
    "Loaded",
    "Outcome",
    "analyze",
    "check",
    "diagram",
    "examine",
    "kinds",
    "load",
    "pace",
    "plan",
    "reconstruct",
    "report",
    "resume",
    "run",
    "schema",
    "status",
    "trade_off",
]

_SPEED_AGREES = 0.01

__getattr__ = lazy(__name__, dict.fromkeys(("analyze", "reconstruct"), f"{__name__}.volumes"))


@dataclass(frozen=True)
class Loaded:
    """A recipe that has been read and validated, with the text it came from."""

    recipe: Recipe
    text: str
    path: Path
    source: Source | None = None


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    folder: Path
    exit_code: int
    results: RunResults


def load(path: Path, overrides: Mapping[str, str] | None = None) -> Loaded:
    """Read a recipe. Raises RecipeError with file, line and field of everything that is wrong with it."""
    recipe, source = load_document(path, Recipe, overrides or {})
    # With --set the text is one that gives the same recipe again without it.
    return Loaded(recipe, source.effective_text, path, source)


def check(loaded: Loaded) -> Plan:
    """Everything that can be found wrong before anything moves; what is only doubtful goes with the plan.

    Raises RecipeError or SafetyRefusal with file, line and field of everything that refuses the recipe.
    """
    recipe, instrument = loaded.recipe, loaded.recipe.instrument.describe()
    warnings = refuse(diagnose(recipe, instrument), loaded.source)
    found = make_plan(recipe, instrument)
    told = tuple(
        PlanWarning(where=place(one, loaded.source), what=one.what, value=one.value, limit=one.limit, remedy=one.remedy)
        for one in (*warnings, *diagnose_memory(found, memory_bytes()))
    )
    return found.model_copy(update={"warnings": told})


def plan(loaded: Loaded, out: Path) -> Plan:
    """`check`, and whether the disk under `out` has the room."""
    found = check(loaded)
    place = _place_for_runs(out)
    where = str(out) if place == out.absolute() else f"{out}, to be made in {place}"
    check_disk(found, free_bytes(place), loaded.recipe.output.keep_free_gb, where)
    return found


def trade_off(loaded: Loaded, binnings: tuple[int, ...]) -> tuple[TradeOff, ...]:
    """The recipe's scan at other binnings."""
    instrument = loaded.recipe.instrument.describe()
    refuse(diagnose(loaded.recipe, instrument), loaded.source)
    for binning in binnings:
        if binning not in instrument.camera.readout_s:
            raise RecipeError(
                "the camera does not have this binning",
                where="--compare binning",
                value=binning,
                limit=", ".join(map(str, sorted(instrument.camera.readout_s))),
            )
    return compare(loaded.recipe, instrument, binnings)


def run(loaded: Loaded, out: Path, speed: str | None, listener: Listener | None = None) -> Outcome:
    """Carry a recipe out, at `speed`; see `pace`."""
    from xrm_control.contracts.results import RESULTS
    from xrm_control.core.events import RecipeDoubted
    from xrm_control.storage.journal import Journal
    from xrm_control.storage.records import RunRecord
    from xrm_control.storage.run_folder import RunFolder

    recipe = loaded.recipe
    cost = plan(loaded, out)
    tempo = pace(recipe.instrument, speed)
    started = utc_now()
    folder = RunFolder.create(out, recipe.name, started, secrets.token_hex(2))
    record = RunRecord(
        folder.name, recipe.name, recipe.sha256(), recipe.instrument.tag, recipe.instrument.simulated,
        started.isoformat(timespec="seconds"),
    )  # fmt: skip
    with folder.lock(), _told_with(folder):
        folder.write_text(folder.recipe, loaded.text)
        planned = PlanDocument.model_validate({**cost.as_dict(), "recipe": recipe.model_dump(mode="json")})
        folder.write_text(folder.plan, PLAN.text(planned))
        with Journal.create(folder.journal, record) as journal:
            doubts = tuple(RecipeDoubted(warning.message()) for warning in cost.warnings)
            code = _carry_out(Carried(recipe, folder, journal, cost, started, news=doubts), tempo, listener)
    return Outcome(folder.path, code, RESULTS.read(folder.results))


def resume(path: Path, speed: str | None = None, listener: Listener | None = None) -> Outcome:
    """Go on with a run that died, failed or was ended, where it stood; one that is done is left as it is.

    Raises ResourceLocked while somebody carries it out; DataError when its recipe is not the one it was begun with.
    """
    from xrm_control.contracts.results import RESULTS
    from xrm_control.storage.journal import Journal, JournalReader
    from xrm_control.storage.run_folder import RunFolder

    folder = RunFolder.open(path)
    with folder.lock(), _told_with(folder):
        with JournalReader.open(folder.journal) as reader:
            state = reader.state()
        if state is not None and state.state is RunState.DONE:
            return Outcome(folder.path, _done_with(folder), RESULTS.read(folder.results))
        with Journal.open(folder.journal) as journal:
            code = _go_on(folder, journal, speed, listener)
    return Outcome(folder.path, code, RESULTS.read(folder.results))


def _done_with(folder: RunFolder) -> ExitCode:
    from xrm_control.contracts.results import RESULTS

    complete = RESULTS.read(folder.results).verdict.status is Verdict.COMPLETE
    return ExitCode.OK if complete else ExitCode.PARTLY


def _go_on(folder: RunFolder, journal: Journal, speed: str | None, listener: Listener | None) -> int:
    from xrm_control.storage.settling import settled_news

    recipe, _ = load_document(folder.recipe, Recipe, {})
    record = journal.run()
    if recipe.sha256() != record.recipe_sha256:
        raise DataError(
            "the recipe in the run's folder is not the one that the run was begun with",
            where=str(folder.recipe),
            value=recipe.sha256()[:12],
            limit=record.recipe_sha256[:12],
            remedy="put it back as it was, or start the changed recipe as a run of its own",
        )
    cost = make_plan(recipe, recipe.instrument.describe())
    # What was written already needs no room any more.
    room = free_bytes(folder.path) + sum(frame.bytes for _, frame in journal.stored_frames())
    check_disk(cost, room, recipe.output.keep_free_gb, str(folder.path))
    tempo = pace(recipe.instrument, speed)
    started = datetime.fromisoformat(record.started_utc)
    # A frame that is adopted was exposed after all that the journal tells of.
    news = settled_news(folder, journal)
    stood_s = journal.last_t_s() or 0.0
    # A real instrument has lived on meanwhile; a simulated one stands still while nobody looks.
    passed_s = 0.0 if record.simulated else (utc_now() - started).total_seconds() * float(tempo)
    return _carry_out(Carried(recipe, folder, journal, cost, started, max(stood_s, passed_s), news), tempo, listener)


@dataclass(frozen=True)
class Carried:
    """A run to be carried out by this process. begun_s: instrument time at which it is begun, or gone on with; news:
    what has happened before there was anybody to tell."""

    recipe: Recipe
    folder: RunFolder
    journal: Journal
    cost: Plan
    started: datetime
    begun_s: float = 0.0
    news: tuple[AnyEvent, ...] = ()


def _carry_out(run: Carried, tempo: str | float, listener: Listener | None) -> int:
    """The run in an event loop of its own, at `tempo`; its exit code."""
    from xrm_control.core.events import EventStream, RunFolderMade, WorkersAway
    from xrm_control.session.context import RunContext
    from xrm_control.session.runner import Runner
    from xrm_control.storage.recorder import EventRecorder

    recipe, folder, journal = run.recipe, run.folder, run.journal

    async def session() -> int:
        clock = Clock(run.started, run.begun_s)
        events = EventStream(clock.now_s)
        EventRecorder(folder, journal, lambda: clock.utc().isoformat()).listen_to(events)
        if listener is not None:
            events.subscribe(listener, "the display")
        events.emit(RunFolderMade(str(folder.path)))
        for event in run.news:
            events.emit(event)
        instrument = recipe.instrument.open(clock)
        with recipe.compute.open(lambda text: events.emit(WorkersAway(text))) as workers:
            context = RunContext(recipe, folder, journal, instrument, clock, events, workers, run.cost)
            try:
                return await Runner(context).run()
            finally:
                context.close()
                events.sum_up()

    try:
        with signals_restored():
            return run_on_clock(session(), tempo)
    except DataError as error:
        # What the night brought could not be used: that is no wrong use of the command.
        raise UnusableData(
            error.what, where=error.where, value=error.value, limit=error.limit, remedy=error.remedy
        ) from error


@contextmanager
def _told_with(folder: RunFolder) -> Iterator[None]:
    """An error that ends the block also says where the run's folder is."""
    try:
        yield
    except XrmError as error:
        error.add_note(f"run folder: {folder.path}")
        raise


def status(path: Path) -> RunSummary:
    """How far a run has come, also while another process carries it out; and whether one still does."""
    from xrm_control.storage.journal import JournalReader
    from xrm_control.storage.run_folder import RunFolder

    folder = RunFolder.open(path)
    # The holder first: a run that ends between the two questions has its end on record before it lets go of the lock.
    holder = folder.holder()
    with JournalReader.open(folder.journal) as journal:
        summary = journal.summary()
    written = folder.last_written()
    return replace(
        summary,
        alive=holder is not None,
        process=int(holder) if holder is not None and holder.isdecimal() else None,
        last_sign_utc=None if written is None else written.isoformat(timespec="seconds"),
    )


def examine(loaded: Loaded, *, expose: bool = False) -> list[Finding]:
    """The recipe's instrument, looked at without moving anything; with `expose` one frame is taken, shutter closed."""
    recipe = loaded.recipe
    return recipe.instrument.examine(needs_of(recipe, recipe.instrument.describe()), expose=expose)


def report(path: Path) -> Path:
    """Write report.html anew from the run folder's files; of a run that died, or could not sum itself up, also that."""
    from xrm_control.processing.results import sum_up_again
    from xrm_control.reporting.report import build_report
    from xrm_control.storage.run_folder import RunFolder

    folder, now = RunFolder.open(path), status(path)
    over = now.died or (now.ended and not now.alive and not folder.results.is_file())
    # Without its recipe nothing can be summed up; the report says what is not there.
    if over and folder.recipe.is_file():
        sum_up_again(folder)
    return folder.write_text(folder.report, build_report(folder.path), replace=True)


def diagram() -> str:
    """The state machine of a run as a Mermaid diagram."""
    from xrm_control.session.states import diagram as draw

    return draw()


def schema() -> dict[str, Any]:
    """The recipe's JSON schema, for editors that complete and check YAML."""
    return json_schema(Recipe)


def kinds(family: str) -> tuple[str, ...]:
    """The kinds of a family by the name of its entry-point group: ``kinds("reconstructors")``."""
    from xrm_control.recipe.families import kinds as kinds_of

    return kinds_of(family)


def pace(instrument: Backend, speed: str | None) -> str | float:
    """The speed of the run's event loop: what was asked for, where the instrument can follow.

    A simulated instrument goes at any speed, in virtual time unless told otherwise. Any other one keeps its own time,
    and is asked for it; a speed that differs from it by more than 1 % is refused. Raises RecipeError.
    """
    asked = None if speed is None else _speed(speed)
    if instrument.simulated:
        return VIRTUAL if asked is None else asked
    if asked == VIRTUAL:
        raise RecipeError("virtual time needs the simulated instrument", where="--speed", value=speed)
    own = instrument.speed()
    if isinstance(asked, float) and abs(asked / own - 1) > _SPEED_AGREES:
        raise RecipeError(
            "the instrument keeps a time of its own and cannot be driven at another speed",
            where="--speed",
            value=speed,
            limit=f"{own:g}, the speed of backend {instrument.tag}",
            remedy=f"leave --speed out, or type --speed {own:g}",
        )
    return own


def _speed(text: str) -> str | float:
    if text == VIRTUAL:
        return VIRTUAL
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not (np.isfinite(factor) and factor > 0):
        raise RecipeError("no such speed", where="--speed", value=text, limit="virtual, 1, or a factor above 0")
    return factor


def _place_for_runs(out: Path) -> Path:
    """`out`, or its nearest parent that exists. Raises RecipeError where no run folder can be made."""
    place = out.absolute()
    try:
        while not _exists(place):
            place = place.parent
        problem = _unwritable(place)
    except (OSError, ValueError) as error:
        problem = f"is no folder that can be made: {getattr(error, 'strerror', None) or error}"
    if problem:
        raise RecipeError(problem, where="--out", value=str(out), limit=str(place), remedy="name a folder on a disk")
    return place


def _exists(place: Path) -> bool:
    """Raises OSError for a name that no file can have."""
    try:
        place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _unwritable(place: Path) -> str:
    """Why nothing can be written below what is there; "" where it can."""
    if not place.is_dir():
        return "is a file, or below one: no folder can be made there"
    if os.statvfs(place).f_blocks == 0:
        return "is no disk: it holds no files of ours"
    return "" if os.access(place, os.W_OK | os.X_OK) else "nothing may be written there"
