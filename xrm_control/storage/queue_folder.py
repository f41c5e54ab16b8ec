"""The folder of a queue: a file for each item, whole or not there; one who edits at a time, one who runs it.

    QUEUE/queue.json  morning.html  morning.json
    QUEUE/items/0001_NAME/item.json  recipe.yaml  output.log  evidence.json  runs/RUN/

The runs of an item lie in its own folder: which run belongs to which item is known whenever a process dies. Numbers are
never given twice, and no item's folder is ever taken away: a gap is told.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from xrm_control.contracts.queue import ITEM, QUEUE, Item, QueueSettings
from xrm_control.core.clock import pause, stopwatch
from xrm_control.core.errors import DataError, DiskFull, ResourceLocked, StorageError, XrmError
from xrm_control.storage.durable import (
    make_folder,
    part_path,
    publish_folder,
    sha256_bytes,
    sha256_file,
    storage_error,
    write_durable,
)
from xrm_control.storage.lock import hold_lock, lock_holder, sign_lock, take_lock
from xrm_control.storage.ownership import like_its_folder
from xrm_control.storage.path_length import JOURNAL, LONGEST_RUN_NAME, require_short
from xrm_control.storage.reserve import RESERVE, give_back, keep_back
from xrm_control.storage.run_order import in_order

_EDIT_LOCK = ".edit.lock"
# An item's end, what holds for all items, and the morning page.
_RESERVE_BYTES = 1024 * 1024
_EDIT_WITHIN_S, _LOOK_EVERY_S = 10.0, 0.01


@dataclass(frozen=True)
class ItemFolder:
    """Where the files of one item are."""

    path: Path

    @property
    def number(self) -> int:
        """The item's number, from the folder's name."""
        return int(self.path.name.partition("_")[0])

    @property
    def item(self) -> Path:
        return self.path / ITEM.name

    @property
    def recipe(self) -> Path:
        return self.path / "recipe.yaml"

    @property
    def output(self) -> Path:
        """What the processes that carried it out have said."""
        return self.path / "output.log"

    @property
    def evidence(self) -> Path:
        return self.path / "evidence.json"

    @property
    def runs(self) -> Path:
        return self.path / "runs"

    @property
    def lock_file(self) -> Path:
        return self.path / ".lock"

    def run(self) -> Path | None:
        """The run of this item: the latest that has a journal. One without was killed before anything began."""
        found = in_order(path.parent for path in self.runs.glob("*/journal.sqlite"))
        return found[-1] if found else None

    def holder(self) -> str | None:
        """The process that carries it out at this moment, "unknown" if it does not say; None when none does."""
        return lock_holder(self.lock_file)

    def take(self) -> int:
        """An open file that holds the item's lock for whoever has it, a process started with it included.

        Raises ResourceLocked when somebody has it, StorageError when the file cannot be opened or locked.
        """
        try:
            descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise storage_error("cannot open the lock file", self.lock_file, error) from error
        like_its_folder(self.lock_file, descriptor)
        try:
            take_lock(
                self.lock_file,
                descriptor,
                lambda holder: ResourceLocked(
                    f"the item is carried out by process {holder}", where=str(self.path), remedy="wait for it"
                ),
            )
        except XrmError:
            os.close(descriptor)
            raise
        try:
            # Nobody may be told of a process that had it before.
            os.ftruncate(descriptor, 0)
        except OSError as error:
            os.close(descriptor)
            raise storage_error("cannot say who holds it", self.lock_file, error) from error
        return descriptor

    def sign(self, descriptor: int, process: int) -> None:
        """Say which process has the lock. Raises StorageError."""
        sign_lock(self.lock_file, descriptor, process)


@dataclass(frozen=True)
class Contents:
    """What can be read of a queue, by number; damaged: what is wrong with the rest, by number, in a sentence."""

    items: dict[int, Item]
    damaged: dict[int, str]

    def named(self, text: str, queue: Path) -> Item:
        """An item by its number, or by its name where only one has it. Raises DataError."""
        found = [item for item in self.items.values() if text in (str(item.number), item.name)]
        exact = [item for item in found if str(item.number) == text]
        if len(exact or found) == 1:
            return (exact or found)[0]
        if text.isdecimal() and (damage := self.damaged.get(int(text))):
            raise DataError(f"the item cannot be used: {damage}", where=f"item {text}")
        numbers = ", ".join(str(item.number) for item in found)
        raise DataError(
            "several items have that name" if found else "there is no such item",
            where=str(queue),
            value=text,
            limit=f"numbers {numbers}" if found else None,
            remedy="name it by its number; `xrm queue list` shows them",
        )


def _give_up(error: ResourceLocked) -> None:
    raise error


@dataclass(frozen=True)
class QueueFolder:
    """The folder of a queue; `path` is absolute.

    held_up: hears again and again that somebody else edits the list, once that has taken long; what it raises ends
    the wait.
    """

    path: Path
    held_up: Callable[[ResourceLocked], None] = _give_up

    @classmethod
    def open(cls, path: Path) -> QueueFolder:
        """An existing queue. Raises DataError."""
        folder = cls(Path(path).absolute())
        if not folder.settings_file.exists() and not folder.items.is_dir():
            raise DataError(
                "is no queue" if folder.path.exists() else "there is no such queue",
                where=str(path),
                remedy="`xrm queue add RECIPE` begins one; --queue names its folder",
            )
        return folder

    @classmethod
    def make(cls, path: Path) -> QueueFolder:
        """An existing queue, or a new one at `path`. Raises DataError for a folder that holds something else."""
        folder = cls(Path(path).absolute())
        if folder.settings_file.exists() or folder.items.is_dir():
            return folder
        if folder.path.exists() and not (folder.path.is_dir() and folder.holds_nothing()):
            raise DataError(
                "holds something else, and no queue is begun in it",
                where=f"--queue {path}",
                remedy="name a new folder, or an empty one",
            )
        make_folder(folder.path)
        with folder.editing():
            if not folder.settings_file.exists():
                write_durable(folder.settings_file, QUEUE.text(QueueSettings()).encode(), replace=True)
            make_folder(folder.items)
        return folder

    def holds_nothing(self) -> bool:
        """Whether nothing is there but what an earlier try to begin a queue may have left."""
        left = {_EDIT_LOCK, part_path(self.settings_file).name}
        return all(path.name in left for path in self.path.iterdir())

    @property
    def settings_file(self) -> Path:
        return self.path / QUEUE.name

    @property
    def items(self) -> Path:
        return self.path / "items"

    @property
    def morning_json(self) -> Path:
        return self.path / "morning.json"

    @property
    def morning_html(self) -> Path:
        return self.path / "morning.html"

    def running(self) -> contextlib.AbstractContextManager[None]:
        """Be the one who runs the queue. Raises ResourceLocked, naming the process, when another one does."""
        return hold_lock(self.path / ".lock", "the queue")

    def runner(self) -> str | None:
        """The process that runs the queue at this moment; None when none does."""
        return lock_holder(self.path / ".lock")

    @contextlib.contextmanager
    def editing(self) -> Iterator[None]:
        """Be the one who edits, for the block; whoever else does is waited for. After a while raises what `held_up`
        does: ResourceLocked, if nobody has said otherwise.
        """
        waited_s = stopwatch()
        while True:
            with contextlib.ExitStack() as held:
                try:
                    held.enter_context(hold_lock(self.path / _EDIT_LOCK, "the queue's list"))
                except ResourceLocked as error:
                    if waited_s() > _EDIT_WITHIN_S:
                        self.held_up(error)
                    pause(_LOOK_EVERY_S)
                    continue
                yield
                return

    def settings(self) -> QueueSettings:
        """Raises DataError when they cannot be read."""
        return QUEUE.read(self.settings_file)

    def change_settings(self, change: Callable[[QueueSettings], QueueSettings]) -> QueueSettings:
        """Change what holds for all items."""
        with self.editing():
            settings = change(self.settings())
            self._write(self.settings_file, QUEUE.text(settings))
        return settings

    def begin_settings_anew(self) -> Path | None:
        """Where they cannot be read: put the file aside, and begin new ones; returns where it is now.

        Raises StorageError where it cannot be.
        """
        with self.editing():
            try:
                self.settings()
                return None
            except DataError:
                aside = None
                if self.settings_file.exists():
                    aside = next(
                        p for n in range(1, 10_000) if not (p := self.path / f"{QUEUE.name}.damaged-{n}").exists()
                    )
                    try:
                        self.settings_file.rename(aside)
                    except OSError as error:
                        raise storage_error("cannot be put aside", self.settings_file, error) from error
                write_durable(self.settings_file, QUEUE.text(QueueSettings()).encode(), replace=True)
                return aside

    def folders(self) -> dict[int, ItemFolder]:
        """The folders of all items, by number."""
        found: dict[int, ItemFolder] = {}
        for path in sorted(self.items.iterdir()) if self.items.is_dir() else ():
            if path.is_dir() and path.name.partition("_")[0].isdecimal():
                folder = ItemFolder(path)
                found[folder.number] = folder
        return found

    def read(self) -> Contents:
        """All items; of those that cannot be used, why."""
        items: dict[int, Item] = {}
        damaged: dict[int, str] = {}
        folders = self.folders()
        for number, folder in folders.items():
            try:
                item = ITEM.read(folder.item)
                if item.number != number:
                    raise DataError(
                        "is the file of another item", where=f"{folder.path.name}/{ITEM.name}", value=item.number
                    )
                if not item.seal:
                    raise DataError("has no seal: it was written by hand", where=f"{folder.path.name}/{ITEM.name}")
                items[number] = item
            except DataError as error:
                damaged[number] = str(error)
        for number in range(1, max(folders, default=0)):
            if number not in folders:
                damaged[number] = f"items/{number:04d}_*: the folder is not there any more"
        return Contents(items, dict(sorted(damaged.items())))

    def folder(self, number: int) -> ItemFolder:
        """The folder of an item. Raises DataError where it is not there any more."""
        found = self.folders().get(number)
        if found is None:
            raise DataError(
                "the item's folder is not there any more",
                where=str(self.items / f"{number:04d}_*"),
                remedy="put it back, or add the recipe again",
            )
        return found

    def add(self, recipe: str, made: Callable[[int, Contents, str], Item]) -> Item:
        """One more item, whole or not at all: `recipe` is frozen with it; `made` makes the item from its number, what
        is there, and the SHA-256 of the frozen file.

        Raises StorageError where the disk refuses, DataError where a run's path would be too long, and what `made`
        raises.
        """
        make_folder(self.items)
        with self.editing():
            number, text = max(self.folders(), default=0) + 1, recipe.encode()
            item = made(number, self.read(), sha256_bytes(text)).sealed()
            final = self.items / f"{number:04d}_{item.name}"
            require_short(ItemFolder(final).runs / LONGEST_RUN_NAME / JOURNAL)
            # Known by its name only when it is whole; what a kill leaves of it is nobody's item.
            try:
                part = Path(tempfile.mkdtemp(prefix=".adding-", dir=self.items))
                part.chmod(0o755)
                like_its_folder(part)
            except OSError as error:
                raise storage_error("no item can be added", self.items, error) from error
            write_durable(ItemFolder(part).recipe, text)
            write_durable(ItemFolder(part).item, ITEM.text(item).encode())
            publish_folder(part, final)
        return item

    def change(self, number: int, change: Callable[[Item], Item]) -> Item:
        """Change one item."""
        with self.editing():
            return self.put(change(ITEM.read(self.folder(number).item)))

    def put(self, item: Item) -> Item:
        """Write an item; whoever calls it is editing."""
        whole = item.sealed()
        self._write(self.folder(item.number).item, ITEM.text(whole))
        return whole

    def require_recipe(self, item: Item) -> Path:
        """The item's frozen recipe, if it is as it was frozen. Raises DataError."""
        path = self.folder(item.number).recipe
        try:
            found = sha256_file(path)
        except StorageError as error:
            raise DataError(f"the frozen recipe cannot be read: {error.what}", where=str(path)) from error
        if found != item.recipe_sha256:
            raise DataError(
                "the frozen recipe is not as it was added",
                where=str(path),
                value=found[:12],
                limit=item.recipe_sha256[:12],
                remedy="add the recipe anew",
            )
        return path

    def write_page(self, data: str, page: str) -> None:
        """The morning page and its data, each whole or as it was."""
        # Not in the room that is kept for the items' ends: pages are made anew.
        write_durable(self.morning_json, data.encode(), replace=True)
        write_durable(self.morning_html, page.encode(), replace=True)

    def keep_room(self) -> None:
        """Keep room for what has to be put on record when the disk is full. Raises StorageError, DiskFull."""
        keep_back(self.path / RESERVE, _RESERVE_BYTES)

    def use_reserve(self) -> bool:
        """Give that room back; whether there was any."""
        return give_back(self.path / RESERVE)

    def _write(self, path: Path, text: str) -> None:
        """A file of the queue in place of what it was; on a full disk in the room that was kept back."""
        write = partial(write_durable, path, text.encode(), replace=True)
        try:
            write()
        except DiskFull:
            if not self.use_reserve():
                raise
            write()


def leave(descriptor: int) -> None:
    """Let go of what `ItemFolder.take` gave, as far as this process has it. Raises StorageError."""
    try:
        os.close(descriptor)
    except OSError as error:
        raise storage_error("cannot be let go of", Path(".lock"), error) from error
