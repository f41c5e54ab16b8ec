"""A recipe that has been read: what is wrong with it, and what it will cost."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from xrm_control.app import alerts
from xrm_control.app.aligned import AXIS, CAMERA, findings
from xrm_control.contracts.plan import Plan, PlanWarning
from xrm_control.core.clock import utc_now
from xrm_control.core.cpus import memory_bytes
from xrm_control.core.errors import RecipeError
from xrm_control.processing.earlier import diagnose_earlier
from xrm_control.recipe.checking import diagnose, diagnose_memory, place, refuse
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.loading import load_document
from xrm_control.recipe.planning import TradeOff, check_disk, compare, make_plan
from xrm_control.recipe.source import Source
from xrm_control.storage.durable import free_bytes


@dataclass(frozen=True)
class Loaded:
    """A recipe that has been read and validated, with the text it came from."""

    recipe: Recipe
    text: str
    path: Path
    source: Source | None = None


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
    warnings = refuse((*diagnose(recipe, instrument), *diagnose_earlier(recipe)), loaded.source)
    aligned = tuple(findings(recipe, utc_now()))
    for one in aligned:
        if not one.ok:
            raise RecipeError(f"{one.what} does not fit", where=loaded.path.name, value=one.found, remedy=one.remedy)
    found = make_plan(recipe, instrument)
    told = tuple(
        PlanWarning(where=place(one, loaded.source), what=one.what, value=one.value, limit=one.limit, remedy=one.remedy)
        for one in (*warnings, *diagnose_memory(found, memory_bytes()))
    )
    # Where volumes come from another camera than a level one, whoever starts the night shall know.
    askew = (
        PlanWarning(where=one.what, what=one.remedy, value=one.found)
        for one in aligned
        if one.note and one.what in (CAMERA, AXIS)
    )
    return found.model_copy(update={"warnings": (*told, *askew, *_unheard(recipe))})


def _unheard(recipe: Recipe) -> Iterator[PlanWarning]:
    """Alerts that are asked for, and would reach nobody. Nobody at all may be meant."""
    heard = alerts.examine()
    if recipe.alerts.on and not heard.ok:
        yield PlanWarning(where=heard.what, what="nobody will be told", value=heard.found, remedy=heard.remedy)


def plan(loaded: Loaded, out: Path) -> Plan:
    """`check`, and whether the disk under `out` has the room."""
    found = check(loaded)
    place = _place_for_runs(out)
    where = str(out) if place == out.absolute() else f"{out}, to be made in {place}"
    check_disk(found, free_bytes(place), loaded.recipe.output.keep_free_gb, where)
    return found


def trade_off(loaded: Loaded, binnings: tuple[int, ...]) -> tuple[TradeOff, ...]:
    """The recipe's scan at other binnings. Raises RecipeError for one that the camera does not have."""
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
