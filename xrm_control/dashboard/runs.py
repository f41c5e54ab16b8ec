"""The runs of one folder: found, opened by name, and told in a line each. Nothing outside of that folder is reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from xrm_control.contracts.results import RESULTS, RunResults
from xrm_control.core.errors import DataError, XrmError
from xrm_control.core.states import ENDS, RunState, Verdict
from xrm_control.dashboard.models_run import RunCard, Runs
from xrm_control.dashboard.planned import planned_of
from xrm_control.dashboard.run_order import RunOrder, in_order
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.loading import load_document
from xrm_control.storage.journal_reader import JournalReader
from xrm_control.storage.run_folder import RunFolder

_LONGEST_NAME = 255
_RECIPES = 2000
Stamp = tuple[tuple[int, int], ...]


def is_name(name: str) -> bool:
    """Whether a folder of that name may be a run: somebody may have renamed it, with blanks and in any language."""
    return 0 < len(name) <= _LONGEST_NAME and name[0] != "." and not set(name) & set("/\\") and name.isprintable()


@dataclass
class RunsFolder:
    """`root`: an existing folder whose entries are runs. Cards are kept until a run's files change.

    further: other folders of runs, as a queue's items have them.
    """

    root: Path
    further: Callable[[], Sequence[Path]] = tuple
    _known: dict[str, tuple[Stamp, bool, RunCard]] = field(default_factory=dict[str, tuple[Stamp, bool, RunCard]])

    def open(self, name: str) -> RunFolder:
        """The run of that name. Raises DataError for what is none, or leads elsewhere."""
        for root in self._places() if is_name(name) else ():
            place = root / name
            if not place.is_symlink() and (place / "journal.sqlite").is_file():
                return RunFolder.open(place)
        raise DataError("there is no such run", where=str(self.root), value=name[:80])

    def _folders(self) -> list[Path]:
        """Those that are no links to elsewhere; of two that have one name the first, as `open` has it. Raises DataError
        where a folder cannot be looked at.
        """
        try:
            entries = [entry.parent for place in self._places() for entry in place.glob("*/journal.sqlite")]
        except OSError as error:
            raise DataError(f"cannot be looked at: {error.strerror}", where=str(self.root)) from error
        found = {entry.name: entry for entry in reversed(entries) if is_name(entry.name) and not entry.is_symlink()}
        return list(found.values())

    def _places(self) -> tuple[Path, ...]:
        return (self.root, *self.further())

    def list(
        self,
        search: str = "",
        verdict: Verdict | None = None,
        offset: int = 0,
        limit: int = 50,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        order: RunOrder = RunOrder.BEGUN,
        descending: bool = True,
    ) -> Runs:
        """The runs whose name, recipe, sample, campaign or start contains all words of `search`, and that were carried
        out at a time between `since` and `until`; the one that was begun last first, unless another order is wanted.
        """
        words = search.casefold().split()
        found = [
            card
            for card in self._cards()
            if all(
                word in f"{card.name} {card.recipe_name} {card.sample} {card.campaign} {card.started_utc}".casefold()
                for word in words
            )
            and (verdict is None or card.verdict is verdict)
            and _within(card, since, until)
        ]
        present = {card.name for card in found}
        if not words and verdict is None and since is None and until is None:
            self._known = {name: known for name, known in self._known.items() if name in present}
        return Runs(
            runs=tuple(in_order(found, order, descending=descending)[offset : offset + limit]), total=len(found)
        )

    def _cards(self) -> Iterator[RunCard]:
        for place in self._folders():
            folder, name = RunFolder(place), place.name
            stamp, alive = stamp_of(folder), folder.may_be_held()
            known = self._known.get(name)
            if known is None or known[:2] != (stamp, alive):
                known = self._known[name] = (stamp, alive, self._card(folder, alive=alive))
            yield known[2]

    def _card(self, folder: RunFolder, *, alive: bool) -> RunCard:
        card = card_of(folder, alive=alive)
        return card if folder.path.parent == self.root else card.model_copy(update={"campaign": _campaign(folder)})


def card_of(folder: RunFolder, *, alive: bool) -> RunCard:
    """A run in a line; one whose folder cannot be read says why."""
    try:
        with JournalReader.open(folder.journal) as journal:
            run, state, frames = journal.run(), journal.state(), journal.accounting()
            stages, lives = journal.progress(), journal.roi_states()
    except XrmError as error:
        return RunCard(
            name=folder.name, recipe_name="", sample="", started_utc="", state=None, alive=alive, died=not alive,
            simulated=False, kept=0, planned=0, particles=None, verdict=None, problem=str(error)[:500],
        )  # fmt: skip
    present = None if state is None else state.state
    results = results_of(folder)
    return RunCard(
        name=folder.name,
        recipe_name=run.recipe_name,
        sample=sample_of(folder, results),
        started_utc=run.started_utc,
        state=present,
        alive=alive,
        died=not alive and present not in (*ENDS, RunState.PAUSED),
        simulated=run.simulated,
        kept=frames.kept,
        planned=max(frames.planned, planned_of(folder, stages, lives).images),
        particles=None if results is None else results.counts.whole_particles,
        verdict=None if results is None else results.verdict.status,
        last_utc=None if state is None else state.utc,
    )


def _campaign(folder: RunFolder) -> str:
    """Queue and item: a run of an item lies in ``QUEUE/items/ITEM/runs``."""
    item = folder.path.parent.parent
    return f"{item.parent.parent.name} {item.name}"


def _within(card: RunCard, since: datetime | None, until: datetime | None) -> bool:
    """Whether it was carried out in that time; one whose times are not known was in none."""
    if since is None and until is None:
        return True
    try:
        begun = datetime.fromisoformat(card.started_utc)
        last = begun if card.last_utc is None else datetime.fromisoformat(card.last_utc)
    except ValueError:
        return False
    return (until is None or begun < until) and (since is None or card.alive or max(begun, last) >= since)


def results_of(folder: RunFolder) -> RunResults | None:
    """results.json of a run; None while there is none that can be read."""
    try:
        return RESULTS.read(folder.results) if folder.results.is_file() else None
    except XrmError:
        return None


def sample_of(folder: RunFolder, results: RunResults | None) -> str:
    """Name and formula: of its results, and of its recipe while there are none; "" where neither can be read."""
    if results is not None:
        return f"{results.sample.name}, {results.sample.formula}"
    recipe = recipe_of(folder)
    return "" if recipe is None else f"{recipe.sample.name}, {recipe.sample.formula}"


def recipe_of(folder: RunFolder) -> Recipe | None:
    """The run's own recipe; None where it cannot be read."""
    try:
        return _recipe(folder.recipe, folder.recipe.stat().st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=_RECIPES)
def _recipe(path: Path, stamp: int) -> Recipe | None:
    """Read once: those who look ask again and again. stamp: changes with the file."""
    try:
        return load_document(path, Recipe, {})[0]
    except XrmError:
        return None


def stamp_of(folder: RunFolder) -> Stamp:
    """What changes with a run's files."""
    stamp: list[tuple[int, int]] = []
    wal = folder.journal.with_name(f"{folder.journal.name}-wal")
    for path in (folder.journal, wal, folder.results, folder.report):
        try:
            about = path.stat()
        except OSError:
            stamp.append((0, 0))
        else:
            stamp.append((about.st_mtime_ns, about.st_size))
    return tuple(stamp)
