"""The composition root: recipe and settings become instrument, run folder, executor and session.

Session and reporting are imported where they are used, so that `check` and `plan` answer at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xrm_control.app.outcome import Outcome
from xrm_control.contracts.plan import PLAN, Plan, PlanDocument
from xrm_control.contracts.results import RESULTS
from xrm_control.core.clock import VIRTUAL, Clock, utc_now
from xrm_control.core.clock import run as run_on_clock
from xrm_control.core.errors import DataError, RecipeError, UnusableData, XrmError
from xrm_control.core.events import AnyEvent, EventStream, Listener, RunFolderMade, WorkersAway
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.findings import Finding
from xrm_control.core.interrupts import signals_restored
from xrm_control.core.lazy import lazy
from xrm_control.core.states import RunState, Verdict
from xrm_control.devices.backend import Backend
from xrm_control.processing.outcomes import outcomes
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.handoff import find_core
from xrm_control.recipe.loading import json_schema, load_document
from xrm_control.recipe.needs import needs_of
from xrm_control.recipe.planning import TradeOff, check_disk, compare, make_plan
from xrm_control.storage.artifacts import altered, record_file, recorded
from xrm_control.storage.durable import free_bytes
from xrm_control.storage.journal import Journal, JournalReader
from xrm_control.storage.recorder import EventRecorder
from xrm_control.storage.records import ArtifactKind, RunRecord, RunSummary
from xrm_control.storage.run_folder import RunFolder
from xrm_control.storage.settling import settled_news

if TYPE_CHECKING:
    from xrm_control.app.reanalysis import reanalyze
    from xrm_control.app.volumes import analyze, reconstruct
    from xrm_control.processing.soundness import Verification

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
    "reanalyze",
    "reconstruct",
    "report",
    "resume",
    "run",
    "schema",
    "status",
    "trade_off",
    "verify",
]

_SPEED_AGREES = 0.01
# Before a report is written anew, files up to this size are held against their hashes: all that hold numbers.
_LOOKED_AT_BYTES = 64_000_000

_HOMES = {
    **dict.fromkeys(("analyze", "reconstruct"), f"{__name__}.volumes"),
    "reanalyze": f"{__name__}.reanalysis",
}

__getattr__ = lazy(__name__, _HOMES)


@dataclass(frozen=True)
class Loaded:
    """A recipe that has been read and validated, with the text it came from."""

    recipe: Recipe
    text: str
    path: Path


def load(path: Path, overrides: Mapping[str, str] | None = None) -> Loaded:
    """Read a recipe. Raises RecipeError with file, line and field of everything that is wrong with it."""
    recipe, source = load_document(path, Recipe, overrides or {})
    # With --set the text is one that gives the same recipe again without it.
    return Loaded(recipe, source.effective_text, path)


def check(loaded: Loaded) -> Plan:
    """Everything that can be found wrong before anything moves: limits, envelope, material, analysis core."""
    recipe = loaded.recipe
    find_core(recipe.handoff)
    if recipe.compute.here:
        recipe.reconstruction.method.check_machine()
    return make_plan(recipe, recipe.instrument.describe())


def plan(loaded: Loaded, out: Path) -> Plan:
    """`check`, and whether the disk under `out` has the room."""
    found = check(loaded)
    check_disk(found, free_bytes(_existing(out)), loaded.recipe.output.keep_free_gb, str(out))
    return found


def trade_off(loaded: Loaded, binnings: tuple[int, ...]) -> tuple[TradeOff, ...]:
    """The recipe's scan at other binnings."""
    instrument = loaded.recipe.instrument.describe()
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
            _record_beginning(folder, journal)
            code = _carry_out(Carried(recipe, folder, journal, cost, started), tempo, listener)
    return Outcome(folder.path, code, RESULTS.read(folder.results))


def resume(path: Path, speed: str | None = None, listener: Listener | None = None) -> Outcome:
    """Go on with a run that died, failed or was ended, where it stood; one that is done is left as it is.

    Raises ResourceLocked while somebody carries it out; DataError when its recipe is not the one it was begun with.
    """
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
    complete = RESULTS.read(folder.results).verdict.status is Verdict.COMPLETE
    return ExitCode.OK if complete else ExitCode.PARTLY


def _go_on(folder: RunFolder, journal: Journal, speed: str | None, listener: Listener | None) -> int:
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
    _record_beginning(folder, journal)
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


def _record_beginning(folder: RunFolder, journal: Journal) -> None:
    """Recipe and plan, which were there before the journal."""
    known = journal.artifacts()
    for path, kind in ((folder.recipe, ArtifactKind.RECIPE), (folder.plan, ArtifactKind.PLAN)):
        if journal.chained and path.is_file() and path.name not in known:
            record_file(folder, journal, path, kind, t_s=0.0)


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
    from xrm_control.session.context import RunContext
    from xrm_control.session.runner import Runner

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
    folder = RunFolder.open(path)
    # The holder first: a run that ends between the two questions has its end on record before it lets go of the lock.
    holder = folder.holder()
    with JournalReader.open(folder.journal) as journal:
        summary, fates = journal.summary(), outcomes(folder, journal)
    written = folder.last_written()
    return replace(
        summary,
        outcomes=fates,
        alive=holder is not None,
        process=int(holder) if holder is not None and holder.isdecimal() else None,
        last_sign_utc=None if written is None else written.isoformat(timespec="seconds"),
    )


def verify(path: Path, expect: str | None = None) -> Verification:
    """All of a run held against its journal, and the journal against its chain; nothing is written.

    expect: a link of the chain that was noted elsewhere. Raises DataError for what is no run's folder, or no link.
    """
    from xrm_control.processing.verification import verify as hold

    folder = RunFolder.open(path)
    return hold(folder, alive=folder.holder() is not None, expect=expect, typed=str(path))


def examine(loaded: Loaded, *, expose: bool = False) -> list[Finding]:
    """The recipe's instrument, looked at without moving anything; with `expose` one frame is taken, shutter closed."""
    recipe = loaded.recipe
    return recipe.instrument.examine(needs_of(recipe, recipe.instrument.describe()), expose=expose)


def report(path: Path) -> Path:
    """Write report.html anew from the run folder's files; of a run that died, or could not sum itself up, also that."""
    from xrm_control.processing.results import sum_up_again
    from xrm_control.reporting.report import build_report

    folder, now = RunFolder.open(path), status(path)
    with JournalReader.open(folder.journal) as journal:
        known = journal.artifacts().get(folder.results.name)
    summed_up = folder.results.is_file() if known is None else recorded(folder, known)
    # Without its recipe nothing can be summed up; the report says what is not there.
    if (now.died or (now.ended and not now.alive and not summed_up)) and folder.recipe.is_file():
        sum_up_again(folder)
    with JournalReader.open(folder.journal) as journal:
        odd = () if now.alive else altered(folder, journal.artifacts(), _LOOKED_AT_BYTES)
    doubts = [
        f"{name}: is not what was recorded; `xrm verify` says what to do" for name in odd if name != folder.report.name
    ]
    text = build_report(folder.path, doubts=doubts)
    if now.alive:
        # The journal is another's to write; at its end the run writes a report of its own, and records it.
        return folder.write_text(folder.report, text, replace=True)
    with folder.lock(), Journal.open(folder.journal) as journal:
        folder.write_text(folder.report, text, replace=True)
        record_file(folder, journal, folder.report, ArtifactKind.REPORT, journal.last_t_s() or 0.0)
    return folder.report


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


def _existing(path: Path) -> Path:
    """`path`, or its nearest parent that exists."""
    path = path.absolute()
    return next((place for place in (path, *path.parents) if place.exists()), path)
