"""One item played night after night, each in a folder of its own that nobody takes for a run's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from xrm_control.app import runs
from xrm_control.app.recipes import Loaded
from xrm_control.app.rehearsal.storms import Storm, told
from xrm_control.app.rehearsal.twin import Twin, text_of
from xrm_control.contracts.account import Account
from xrm_control.contracts.plan import Plan
from xrm_control.contracts.rehearsal import Night
from xrm_control.core.clock import stopwatch
from xrm_control.core.errors import Interrupted, NotSafe, XrmError
from xrm_control.core.events import Listener
from xrm_control.devices.scripted_faults import FaultSpec
from xrm_control.processing.account import account
from xrm_control.processing.rehearsing import Samples, samples_of, steps_of
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.loading import load_text
from xrm_control.storage.journal import JournalReader
from xrm_control.storage.rehearsal_folder import RehearsalFolder
from xrm_control.storage.run_folder import RunFolder

Display = Callable[[], AbstractContextManager[Listener | None]]

NOT_SAFE = "not left safe"


@dataclass(frozen=True)
class Wanted:
    """An item to be played; plan: of the real night."""

    name: str
    of: str
    plan: Plan
    twin: Twin
    images: bool


def play(
    wanted: Wanted, times: int, storm: Storm, folder: RehearsalFolder, display: Display
) -> tuple[tuple[Night, ...], Samples]:
    """Every night of an item, and samples of how long one lasts. Of several the first is kept whole."""
    nights: list[Night] = []
    steps_s: dict[str, list[float]] = {}
    for seed in range(wanted.twin.seed, wanted.twin.seed + times):
        faults = storm(seed, wanted.plan.total_s)
        # Stand-ins take a hundredth of what is planned at most; what is rendered and made takes all of it.
        need = wanted.plan.disk_bytes // (1 if wanted.images else 20)
        with folder.stage(need, quickly=not wanted.images) as place, display() as listener:
            passed_s = stopwatch()
            run, error = _carry_out(wanted, seed, faults, place, listener)
            with JournalReader.open(RunFolder.open(run).journal) as journal:
                found, steps = account(RunFolder.open(run), journal), steps_of(journal)
            first = not nights
            steps_s = steps if first else steps_s
            nights.append(
                Night(
                    seed=seed,
                    faults=tuple(told(fault) for fault in faults),
                    error=error,
                    account=found if wanted.images else _by_plan(found, wanted.plan),
                    run=folder.keep(run) if first else None,
                    wall_s=passed_s(),
                )
            )
    return tuple(nights), samples_of([night.account.total_s for night in nights], steps_s)


def _carry_out(
    wanted: Wanted, seed: int, faults: tuple[FaultSpec, ...], place: Path, listener: Listener | None
) -> tuple[Path, str]:
    """The run's folder, and what ended it; "" where it came to its end. Raises what kept it from beginning."""
    text = text_of(wanted.twin.night(seed, faults), wanted.of)
    recipe, source = load_text(text, Recipe, {}, name=wanted.of)
    error = ""
    try:
        runs.run(Loaded(recipe, text, Path(wanted.of), source), place, None, listener)
    except Interrupted:
        raise
    except XrmError as ended:
        if not list(place.glob("*/journal.sqlite")):
            raise
        # Without what to do next, which is for runs that stay.
        error = str(ended.__cause__ if isinstance(ended.__cause__, XrmError) else ended)
        if isinstance(ended, NotSafe):
            error = f"{NOT_SAFE}: {error}"
    return next(place.glob("*/journal.sqlite")).parent, error


def _by_plan(found: Account, plan: Plan) -> Account:
    """With the disk that real frames and volumes take: those of the night were stand-ins."""
    frame_bytes = {stage.name: stage.bytes / stage.frames for stage in plan.stages if stage.frames}
    largest = max(frame_bytes.values(), default=0.0)
    stages = tuple(
        stage.model_copy(update={"bytes": round(frame_bytes.get(stage.name, largest) * stage.exposures)})
        for stage in found.stages
    )
    rest = plan.disk_bytes - sum(stage.bytes for stage in plan.stages)
    scanned = sum(stage.state is not None for stage in stages)
    volumes = round(rest * min(1.0, scanned / max(1, plan.rois)))
    return found.model_copy(update={"stages": stages, "disk_bytes": sum(stage.bytes for stage in stages) + volumes})
