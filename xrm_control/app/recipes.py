"""A recipe that has been read: what is wrong with it, and what it will cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from xrm_control.contracts.plan import Plan
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.handoff import find_core
from xrm_control.recipe.loading import load_document
from xrm_control.recipe.planning import check_disk, make_plan
from xrm_control.storage.durable import free_bytes


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


def _existing(path: Path) -> Path:
    """`path`, or its nearest parent that exists."""
    path = path.absolute()
    return next((place for place in (path, *path.parents) if place.exists()), path)
