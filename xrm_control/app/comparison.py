"""A run laid beside its rehearsal, or beside another run."""

from __future__ import annotations

from pathlib import Path

from xrm_control.contracts.comparison import Comparison
from xrm_control.contracts.rehearsal import REHEARSAL, RehearsedItem
from xrm_control.core.errors import DataError
from xrm_control.processing.account import account
from xrm_control.processing.deviations import deviations, pairs
from xrm_control.processing.story import Story, story_of
from xrm_control.storage.journal import JournalReader
from xrm_control.storage.rehearsal_folder import RehearsalFolder
from xrm_control.storage.run_folder import RunFolder


def compare(run: Path, other: Path) -> Comparison:
    """A run, in whatever state, with a rehearsal or another run. Both are only read.

    Raises DataError for what is neither, and for a rehearsal that has no item of the run's recipe.
    """
    found = _story(run)
    notes: list[str] = []
    rehearsed = (other / REHEARSAL.name).is_file() or other.name == REHEARSAL.name
    expected = _rehearsed(other, found, notes) if rehearsed else _story(other)
    if not rehearsed and expected.account.recipe_sha256 != found.account.recipe_sha256:
        notes.append("the two runs were begun with different recipes")
    if found.account.rehearsal:
        notes.append(f"{found.account.run} is itself a rehearsed run: no data")
    notes.append("temperature is not recorded by a run; where a condition watches it, it is among the incidents")
    return Comparison(
        expected=expected.account,
        found=found.account,
        rehearsed=rehearsed,
        notes=tuple(notes),
        stages=pairs(expected, found),
        deviations=deviations(expected, found),
        incidents=found.incidents,
    )


def _story(path: Path) -> Story:
    folder = RunFolder.open(path)
    with JournalReader.open(folder.journal) as journal:
        return story_of(folder, journal, account(folder, journal))


def _rehearsed(path: Path, found: Story, notes: list[str]) -> Story:
    folder = RehearsalFolder.open(path)
    rehearsal = REHEARSAL.read(folder.document)
    item = rehearsal.item(found.account.recipe_sha256) or _namesake(rehearsal.items, found, notes)
    if item is None:
        raise DataError(
            "the run's recipe was not rehearsed there",
            where=str(path),
            value=found.account.recipe_name,
            limit=", ".join(one.recipe_name for one in rehearsal.items),
            remedy="rehearse its recipe, or name another rehearsal",
        )
    notes += item.notes
    if item.start.read is False:
        notes.append(f"the rehearsal {item.start.note}")
    night = item.nights[0]
    place = RunFolder(folder.path / night.run) if night.run else None
    if place is None or not place.journal.is_file():
        notes.append("the rehearsed run is gone: its own trouble is not explained")
        return Story(night.account)
    with JournalReader.open(place.journal) as journal:
        return story_of(place, journal, night.account)


def _namesake(items: tuple[RehearsedItem, ...], found: Story, notes: list[str]) -> RehearsedItem | None:
    same = [item for item in items if item.recipe_name == found.account.recipe_name]
    if same:
        notes.append("the recipe was changed since it was rehearsed: what follows from that is not told apart")
    return same[0] if same else None
