"""Recipes from Python: read, checked, planned, carried out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from xrm_control import app
from xrm_control.api import given
from xrm_control.api.results import Reanalysis, Run
from xrm_control.app import Loaded
from xrm_control.core.errors import RecipeError
from xrm_control.core.events import Event
from xrm_control.core.interrupts import outside_loop
from xrm_control.recipe.planning import Plan
from xrm_control.storage.run_folder import RunFolder

Overrides = Mapping[str, object]


def load(recipe: str | Path | Loaded, overrides: Overrides | None = None) -> Loaded:
    """Read a recipe's file; `overrides` are settings in place of the file's, ``{"scan.exposure_s": 2}``.

    Raises RecipeError with file, line and field of everything that is wrong with it.
    """
    if isinstance(recipe, Loaded):
        if overrides:
            raise RecipeError("is read already", where="overrides", remedy="give them to load, with the recipe's file")
        return recipe
    return app.load(given.path(recipe, "recipe"), as_text(overrides))


def check(recipe: str | Path | Loaded, overrides: Overrides | None = None) -> Plan:
    """Find everything wrong with a recipe before anything moves: schema, limits, envelope.

    Raises RecipeError, or SafetyRefusal for what would leave the envelope.
    """
    return app.check(load(recipe, overrides))


def plan(recipe: str | Path | Loaded, out: str | Path = "runs", overrides: Overrides | None = None) -> Plan:
    """What a recipe will cost: time in s by stage, disk in bytes, dose, limits. Raises as `check`, and StorageError
    when the disk under `out` lacks the room.
    """
    return app.plan(load(recipe, overrides), given.path(out, "out"))


def run(
    recipe: str | Path | Loaded,
    out: str | Path = "runs",
    overrides: Overrides | None = None,
    *,
    speed: str | float | None = None,
    listener: Callable[[Event], None] | None = None,
    until: str | None = None,
) -> Run:
    """Carry a recipe out, from sample to report, in a new folder under `out`.

    speed: "virtual" (simulated instruments only), or times the wall clock; None: the instrument's own.
    until: the stage after which it ends in order, to be gone on with by `resume`: "mosaic", "rois", or a region.
    listener: called with each event, in the thread that carries the run out.

    A run that ends with something missing is returned (`Run.complete` says so); one that failed or was interrupted
    raises its XrmError, with the run's folder as a note. Ctrl-C, or a notebook's interrupt, ends it in the safe state.
    """
    loaded, root = load(recipe, overrides), given.path(out, "out")
    tempo, stage = _carried(speed, listener, until)
    return Run(outside_loop(lambda: app.run(loaded, root, tempo, listener, stage)).folder)


def resume(
    path: str | Path,
    *,
    speed: str | float | None = None,
    listener: Callable[[Event], None] | None = None,
    until: str | None = None,
) -> Run:
    """Go on with a run that died, failed or was ended, where it stood; one that is done is left as it is.

    Otherwise as `run`. Raises ResourceLocked while another process carries it out, SampleMoved when what stands in the
    instrument is not what the run had seen there.
    """
    folder = given.path(path, "path")
    tempo, stage = _carried(speed, listener, until)
    return Run(outside_loop(lambda: app.resume(folder, tempo, listener, stage)).folder)


def reanalyze(path: str | Path, overrides: Overrides | None = None) -> Reanalysis:
    """Measure a run's volumes again, beside its own results; the same settings again change nothing.

    overrides: settings of the recipe's `analysis` and `handoff`, ``{"analysis.threshold.kind": "otsu"}``. Raises
    RecipeError for others, Altered for a volume that is not what was recorded.
    """
    folder, settings = given.path(path, "path"), as_text(overrides)
    return Reanalysis(outside_loop(lambda: app.reanalyze(folder, settings)).folder)


def open_run(path: str | Path) -> Run:
    """A run that is there already, also while another process carries it out. Raises DataError for what is no run."""
    return Run(RunFolder.open(given.path(path, "path")).path)


def _carried(
    speed: str | float | None, listener: Callable[[Event], None] | None, until: str | None
) -> tuple[str | None, str | None]:
    """How a run is to be carried out, before anything of it is. Raises RecipeError for what is none of it."""
    if listener is not None and not callable(listener):
        raise RecipeError("cannot be called", where="listener", value=given.shown(listener))
    return None if speed is None else str(speed), None if until is None else given.text(until, "until")


def as_text(overrides: Overrides | None) -> dict[str, str]:
    """Settings as ``--set`` takes them: YAML, of which JSON is a part. Raises RecipeError for what no YAML can say."""
    found = {}
    for key, value in given.settings(overrides).items():
        try:
            found[key] = json.dumps(value, default=_plain)
        except (TypeError, ValueError, RecursionError) as error:
            raise RecipeError(
                "no such value in a recipe", where=key, value=given.shown(value), limit=str(error)
            ) from error
    return found


def _plain(value: object) -> object:
    """Paths as text, numbers and arrays of numpy as those of Python."""
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()  # pyright: ignore[reportAttributeAccessIssue]
    raise TypeError("text, numbers, true, false, null, lists and mappings of them")
