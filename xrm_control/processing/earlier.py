"""The run before whose mosaic a recipe wants to use again: is it there, as it was recorded, and does it fit?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from xrm_control.acquisition.mosaic import MosaicSpec
from xrm_control.core.diagnostics import Diagnostic
from xrm_control.core.errors import DataError, XrmError
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.loading import load_document
from xrm_control.storage.artifacts import recorded
from xrm_control.storage.journal import JournalReader
from xrm_control.storage.run_folder import RunFolder

_FIELD = "mosaic.earlier.run"
# Of the mosaic, what decides where its tiles are and how large a pixel is.
_SAME = ("columns", "rows", "overlap_percent", "centre_x_um", "centre_y_um", "z_um", "binning")


@dataclass(frozen=True)
class EarlierRun:
    """A run with a mosaic: its folder, its recipe, the mosaic's file and the SHA-256 that its journal has of it."""

    folder: RunFolder
    recipe: Recipe
    mosaic: Path
    sha256: str


def earlier_run(path: str) -> EarlierRun:
    """Read it. Raises XrmError: DataError when it is no run or has no sound mosaic, RecipeError for its recipe."""
    if Path(path).is_file():
        raise _unsound(path, "is a file", "name the run's folder")
    folder = RunFolder.open(Path(path))
    with JournalReader.open(folder.journal) as journal:
        known = journal.artifacts().get(folder.mosaic_tiff.name)
    if known is None:
        raise _unsound(path, "has no mosaic yet", "name a run whose mosaic is complete")
    if not recorded(folder, known):
        raise _unsound(path, "has another mosaic than its journal has recorded", f"look at it: `xrm verify {path}`")
    return EarlierRun(folder, load_document(folder.recipe, Recipe, {})[0], folder.mosaic_tiff, known.sha256)


def _unsound(path: str, what: str, remedy: str) -> DataError:
    return DataError(f"the run {what}", where=_FIELD, value=path, remedy=remedy)


def diagnose_earlier(recipe: Recipe) -> Iterator[Diagnostic]:
    """Whether the run that a recipe names can lend its mosaic; nothing for a recipe that names none."""
    if recipe.mosaic.earlier is None:
        return
    path = recipe.mosaic.earlier.run
    try:
        before = earlier_run(path)
    except XrmError as error:
        yield Diagnostic((_FIELD,), error.what, path, None if error.limit is None else str(error.limit), error.remedy)
        return
    yield from _differing(recipe.mosaic, before.recipe.mosaic)
    if not recipe.instrument.shows_sample:
        # A twin without pictures has coarser ones, and holds nothing against them.
        return
    ours, theirs = (one.instrument.describe() for one in (recipe, before.recipe))
    if ours.name != theirs.name:
        yield Diagnostic((_FIELD,), "the mosaic is of another instrument", theirs.name, ours.name, "take a new mosaic")
    elif ours.camera.pixel_size_um != theirs.camera.pixel_size_um:
        there, here = (f"{one.camera.pixel_size_um:g} um" for one in (theirs, ours))
        yield Diagnostic((_FIELD,), "the mosaic has another pixel", there, here, "take a new mosaic")


def _differing(ours: MosaicSpec, theirs: MosaicSpec) -> Iterator[Diagnostic]:
    """Where tiles of ours are not those of theirs."""
    for name in _SAME:
        one, two = getattr(ours, name), getattr(theirs, name)
        if one != two:
            yield Diagnostic(
                (f"mosaic.{name}", _FIELD),
                "the earlier run's mosaic was taken otherwise",
                f"{one:g}, there {two:g}",
                f"the same {', '.join(_SAME)}",
                f"write {name}: {two:g}",
            )
