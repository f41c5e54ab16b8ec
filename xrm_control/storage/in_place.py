"""Whether the folder of a run is still the one in which it was begun, and still this process's to write to."""

from __future__ import annotations

from pathlib import Path

from xrm_control.core.errors import StorageError
from xrm_control.storage.run_folder import RunFolder


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
                "the run's folder is not where it was: somebody has moved it, or taken it away",
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


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_dev, about.st_ino
