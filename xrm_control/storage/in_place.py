"""Whether the folder of a run, or a queue, is still the one that was begun, and still this process's to write to."""

from __future__ import annotations

from pathlib import Path

from xrm_control.core.errors import StorageError
from xrm_control.storage.queue_folder import QueueFolder
from xrm_control.storage.run_folder import RunFolder

NOT_WHERE_IT_WAS = "the run's folder is not where it was: somebody has moved it, or taken it away"


def is_gone(folder: RunFolder) -> bool:
    """Whether nothing can be gone on with under the run's name: its journal is not there. A disk that fails to tell
    has not said so.
    """
    try:
        folder.journal.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


class Place:
    """A run's folder as it was when this was made."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._journal, self._holder = _identity(folder.journal), folder.holder()

    def require(self) -> None:
        """Raises StorageError where somebody has moved the folder or taken it away, put another one in its place, or
        taken its lock away, so that another process may have it.
        """
        folder = self._folder
        if not folder.frames.is_dir() or _identity(folder.journal) != self._journal:
            # Made anew, it would hold frames that the journal, which goes with the old one, knows as its own.
            raise StorageError(
                NOT_WHERE_IT_WAS,
                where=str(folder.path),
                remedy="`xrm resume` it where it is now, or put it back first; all frames before this one are in it",
            )
        if (holder := folder.holder()) != self._holder:
            raise StorageError(
                "the run's lock is not this process's any more: its file was taken away or replaced",
                where=str(folder.lock_file),
                value=f"held by {holder or 'nobody'}",
                limit=f"process {self._holder}",
                remedy="see to it that no other process carries the run out; all frames before this one are kept",
            )


class QueuePlace:
    """A queue's folder as it was when this was made, by the one who runs it."""

    def __init__(self, folder: QueueFolder) -> None:
        self._folder = folder
        self._known, self._runner = _identity(folder.path), folder.runner()

    def require(self) -> None:
        """Raises StorageError where somebody has moved the folder, taken it or its disk away, or taken its lock away,
        so that another process may run the queue.
        """
        folder = self._folder
        if _identity(folder.path) != self._known or not folder.items.is_dir():
            raise StorageError(
                "the queue's folder is not where it was: somebody has moved it, or taken it or its disk away",
                where=str(folder.path),
                remedy="`xrm queue run` goes on where it is now, also with the item in hand; or put it back first",
            )
        if (runner := folder.runner()) != self._runner:
            raise StorageError(
                "the queue's lock is not this process's any more: its file was taken away or replaced",
                where=str(folder.path / ".lock"),
                value=f"held by {runner or 'nobody'}",
                limit=f"process {self._runner}",
                remedy="`xrm queue list` says whether another process runs the queue; if none does, `xrm queue run` "
                "goes on with it",
            )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_dev, about.st_ino
