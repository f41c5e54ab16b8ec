"""Carrying a run out: from its recipe, or from where it stood.

Session and reporting are imported where they are used, so that `check` and `plan` answer at once.
"""

from __future__ import annotations

import asyncio
import secrets
import shlex
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xrm_control.app.alerts import alerting
from xrm_control.app.outcome import Outcome
from xrm_control.app.recipes import Loaded, load, plan
from xrm_control.app.service import told_to_manager
from xrm_control.contracts.commands import REGION, STAGES, Add, Letter, Order, Reply, Skip, Until
from xrm_control.contracts.plan import PLAN, Plan, PlanDocument
from xrm_control.contracts.results import RESULTS
from xrm_control.core import numbers, system_limits
from xrm_control.core.clock import VIRTUAL, Clock, utc_now
from xrm_control.core.clock import run as run_on_clock
from xrm_control.core.errors import DataError, OutOfResources, RecipeError, StorageError, UnusableData, XrmError
from xrm_control.core.events import (
    AnyEvent,
    EventStream,
    FileQuarantined,
    Listener,
    RecipeDoubted,
    RunFolderMade,
    RunReplanned,
    WorkersAway,
)
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.interrupts import signals_restored
from xrm_control.core.states import RunState, Verdict
from xrm_control.devices.backend import Backend
from xrm_control.processing.begun_with import recipe_begun_with
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.planning import check_disk, make_plan
from xrm_control.storage.artifacts import record_file, require_recorded
from xrm_control.storage.durable import free_bytes
from xrm_control.storage.in_place import NOT_WHERE_IT_WAS, is_gone
from xrm_control.storage.inbox import Inbox, delivered
from xrm_control.storage.journal import Journal, JournalReader
from xrm_control.storage.recorder import EventRecorder
from xrm_control.storage.records import ArtifactKind, RunRecord
from xrm_control.storage.run_folder import RunFolder
from xrm_control.storage.sealed import is_whole, sealed
from xrm_control.storage.settling import settled_news

if TYPE_CHECKING:
    from xrm_control.session.runner import Hear, Letters

    Operator = Callable[[Clock, Hear], AbstractContextManager[None]]

_SPEED_AGREES = 0.01


def run(
    loaded: Loaded,
    out: Path,
    speed: str | None,
    listener: Listener | None = None,
    until: str | None = None,
    operator: Operator | None = None,
) -> Outcome:
    """Carry a recipe out, at `speed`; see `pace`.

    until: the stage after which it ends, to be gone on with; operator: sends commands in the run's own time.
    """
    system_limits.require_addresses()
    recipe = loaded.recipe
    wanted = _until(until)
    cost = plan(loaded, out)
    tempo = pace(recipe.instrument, speed)
    started = utc_now()
    folder = RunFolder.create(out, recipe.name, started, secrets.token_hex(2))
    with folder.lock(), _told_with(folder):
        folder.write_text(folder.recipe, sealed(loaded.text))
        code = _begin(folder, recipe, cost, started, tempo, listener, wanted, operator)
    return Outcome(folder.path, code, RESULTS.read(folder.results))


def resume(
    path: Path,
    speed: str | None = None,
    listener: Listener | None = None,
    until: str | None = None,
    operator: Operator | None = None,
) -> Outcome:
    """Go on with a run that died, failed or was ended, where it stood; one that is done is left as it is.

    Raises ResourceLocked while somebody carries it out; DataError when its journal was lost; Altered where its recipe
    is not the one it was begun with, or the results of one that is done are not what was recorded.
    """
    system_limits.require_addresses()
    folder, wanted = RunFolder.open(path, unbegun=True), _until(until)
    with folder.lock(), _told_with(folder):
        # From here on whoever sends a command sends it to this process, however long that takes to listen.
        lying = Inbox(folder).waiting()
        if not Journal.was_begun(folder.journal):
            code = _begin_again(folder, speed, listener, wanted, operator)
            return Outcome(folder.path, code, RESULTS.read(folder.results))
        with JournalReader.open(folder.journal) as reader:
            state = reader.state()
            results = reader.artifacts().get(folder.results.name)
        if state is not None and state.state is RunState.DONE:
            require_recorded(folder, [results])
            return Outcome(folder.path, _done_with(folder), RESULTS.read(folder.results))
        with Journal.open(folder.journal) as journal:
            code = _go_on(folder, journal, speed, listener, wanted, operator, lying)
    return Outcome(folder.path, code, RESULTS.read(folder.results))


def _begin(
    folder: RunFolder,
    recipe: Recipe,
    cost: Plan,
    started: datetime,
    tempo: str | float,
    listener: Listener | None,
    until: Until | None,
    operator: Operator | None,
    news: tuple[AnyEvent, ...] = (),
) -> int:
    """From the plan on: the recipe is in the folder."""
    record = RunRecord(
        folder.name, recipe.name, recipe.sha256(), recipe.instrument.tag, recipe.instrument.simulated,
        started.isoformat(timespec="seconds"),
    )  # fmt: skip
    planned = PlanDocument.model_validate({**cost.as_dict(), "recipe": recipe.model_dump(mode="json")})
    folder.write_text(folder.plan, PLAN.text(planned), replace=True)
    with Journal.create(folder.journal, record) as journal:
        _record_beginning(folder, journal)
        doubts = tuple(RecipeDoubted(warning.message()) for warning in cost.warnings)
        carried = Carried(recipe, folder, journal, cost, started, news=(*news, *doubts), until=until, operator=operator)
        return _carry_out(carried, tempo, listener)


def _begin_again(
    folder: RunFolder, speed: str | None, listener: Listener | None, until: Until | None, operator: Operator | None
) -> int:
    """A run that died before anything was in its journal: it has done nothing, and is begun with the recipe it has.

    Raises DataError where frames say that it had done something, and that its journal was lost afterwards; and where
    the recipe is not whole: a part of one may be another one.
    """
    if (lost := folder.journal_lost()) is not None:
        raise lost
    if not is_whole(folder.recipe):
        raise DataError(
            "the run died before anything was in its journal, and its recipe is not whole",
            where=str(folder.recipe),
            remedy="nothing was taken: start the recipe anew with `xrm run`, and take this folder away",
        )
    news = [FileQuarantined(folder.relative(part), "its writing never ended") for part in folder.quarantine_parts()]
    for suffix in ("", "-wal", "-shm"):
        left = folder.journal.with_name(folder.journal.name + suffix)
        if left.exists():
            aside = folder.relative(folder.set_aside(left))
            news.append(FileQuarantined(aside, "the run died before anything was in its journal"))
    loaded = load(folder.recipe)
    cost, tempo = plan(loaded, folder.path.parent), pace(loaded.recipe.instrument, speed)
    return _begin(folder, loaded.recipe, cost, utc_now(), tempo, listener, until, operator, tuple(news))


def _done_with(folder: RunFolder) -> ExitCode:
    complete = RESULTS.read(folder.results).verdict.status is Verdict.COMPLETE
    return ExitCode.OK if complete else ExitCode.PARTLY


def _until(stage: str | None) -> Until | None:
    if stage is None:
        return None
    if stage not in STAGES and not REGION.fullmatch(stage):
        raise RecipeError(
            "no such stage", where="--until", value=stage, limit=f"{', '.join(STAGES)}, roi-01, roi-02 ..."
        )
    return Until(stage=stage)


def _go_on(
    folder: RunFolder,
    journal: Journal,
    speed: str | None,
    listener: Listener | None,
    until: Until | None,
    operator: Operator | None,
    lying: Collection[str],
) -> int:
    if until is not None and until.stage in journal.roi_states():
        raise RecipeError(
            "the run has that behind it", where="--until", value=until.stage, remedy="name a later stage, or none"
        )
    record = journal.run()
    recipe = recipe_begun_with(folder, record)
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
    carried = Carried(recipe, folder, journal, cost, started, max(stood_s, passed_s), news, until, operator, lying)
    return _carry_out(carried, tempo, listener)


def _record_beginning(folder: RunFolder, journal: Journal) -> None:
    """Recipe and plan, which were there before the journal."""
    known = journal.artifacts()
    for path, kind in ((folder.recipe, ArtifactKind.RECIPE), (folder.plan, ArtifactKind.PLAN)):
        if journal.chained and path.is_file() and path.name not in known:
            record_file(folder, journal, path, kind, t_s=0.0)


@dataclass(frozen=True)
class Carried:
    """A run to be carried out by this process.

    begun_s: instrument time at which it is begun, or gone on with; news: what has happened before there was anybody to
    tell; until: the stage after which it ends; operator: sends commands in the run's own time, not through the mailbox;
    lying: letters that had come before this process took the run up.
    """

    recipe: Recipe
    folder: RunFolder
    journal: Journal
    cost: Plan
    started: datetime
    begun_s: float = 0.0
    news: tuple[AnyEvent, ...] = ()
    until: Until | None = None
    operator: Operator | None = None
    lying: Collection[str] = ()


def _carry_out(run: Carried, tempo: str | float, listener: Listener | None) -> int:
    """The run in an event loop of its own, at `tempo`; its exit code."""
    from xrm_control.session.context import RunContext
    from xrm_control.session.runner import Runner

    recipe, folder, journal = run.recipe, run.folder, run.journal

    inbox = Inbox(folder)

    async def session() -> int:
        loop = asyncio.get_running_loop()

        def letters(hear: Hear) -> AbstractContextManager[None]:
            if run.operator is not None:
                return run.operator(clock, hear)
            return delivered(inbox, lambda number, letter: asyncio.run_coroutine_threadsafe(hear(number, letter), loop))

        clock = Clock(run.started, run.begun_s)
        events = EventStream(clock.now_s)
        EventRecorder(folder, journal, lambda: clock.utc().isoformat()).listen_to(events)
        if listener is not None:
            events.subscribe(listener, "the display")
        exposures_s = (recipe.mosaic.exposure_s, recipe.scan.exposure_s)
        with told_to_manager(events, max(exposures_s)):
            return await carried_out(clock, events, letters)

    async def carried_out(clock: Clock, events: EventStream, letters: Letters) -> int:
        events.emit(RunFolderMade(str(folder.path)))
        instrument = recipe.instrument.open(clock)
        with recipe.compute.open(lambda text: events.emit(WorkersAway(text))) as workers:
            context = RunContext(recipe, folder, journal, instrument, clock, events, workers, run.cost)
            frames = sum(stage.frames for stage in run.cost.stages)
            for event in (*run.news, RunReplanned(frames, run.cost.total_s)):
                events.emit(event)
            try:
                begun_with = [
                    *_lying_there(inbox, run.lying),
                    *([] if run.until is None else [inbox.written(run.until)]),
                ]
                async with alerting(folder, recipe.alerts, events):
                    return await Runner(context, letters, begun_with, from_outside=run.operator is None).run()
            finally:
                context.close()
                events.sum_up()

    try:
        with folder.room_kept(), signals_restored():
            return run_on_clock(session(), tempo)
    except (XrmError, MemoryError, OSError, RuntimeError) as error:
        told = error if isinstance(error, XrmError) else system_limits.told(error)
        if told is None:
            raise
        if isinstance(error, DataError):
            # What the night brought could not be used: that is no wrong use of the command.
            told = UnusableData(
                error.what, where=error.where, value=error.value, limit=error.limit, remedy=error.remedy
            )
        path = shlex.quote(str(folder.path))
        onward = f"see to that; `xrm status {path}` says how far it came, `xrm resume {path}` goes on"
        if is_gone(folder):
            # Moved, or taken away: nothing can be gone on with under that name, and what met it first is no matter.
            onward = "look where the run's folder is now; `xrm resume` goes on with it there"
            if isinstance(told, StorageError) and told.what != NOT_WHERE_IT_WAS:
                told = StorageError(NOT_WHERE_IT_WAS, where=str(folder.path), value=told.what, remedy=onward)
        elif isinstance(told, StorageError | OutOfResources) and told.remedy:
            raise told.and_then(f"`xrm resume {path}` goes on") from error
        if (told := told.with_remedy(onward)) is error:
            raise
        raise told from error


def _lying_there(inbox: Inbox, lying: Collection[str]) -> Iterator[tuple[str, Letter]]:
    """What was sent while nobody carried the run out, by number; what makes no sense any more is refused."""
    for number in lying:
        with suppress(DataError):
            letter = inbox.read(number)
            if isinstance(letter.command, Add | Skip | Order | Until):
                yield number, letter
            else:
                inbox.answer(number, Reply(accepted=False, text="it came while nobody carried the run out"))


@contextmanager
def _told_with(folder: RunFolder) -> Iterator[None]:
    """An error that ends the block also says where the run's folder is."""
    try:
        yield
    except XrmError as error:
        error.add_note(f"run folder: {folder.path}")
        raise


def pace(instrument: Backend, speed: str | None) -> str | float:
    """The speed of the run's event loop: what was asked for, where the instrument can follow.

    A simulated instrument goes at any speed, in virtual time unless told otherwise. Any other one keeps its own time,
    and is asked for it; a speed that differs from it by more than 1 % is refused. Raises RecipeError.
    """
    asked = None if speed is None else speed_of(speed)
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


def speed_of(text: str) -> str | float:
    """What `--speed` says. Raises RecipeError for what is no speed."""
    if text == VIRTUAL:
        return VIRTUAL
    factor = numbers.number(text)
    if factor is None or not (np.isfinite(factor) and factor > 0):
        raise RecipeError("no such speed", where="--speed", value=text, limit="virtual, 1, or a factor above 0")
    return factor
