"""Frames on their way to the disk, in order, and what is exposed next on record with the frame before.

A commit flushes the disk, and so does an intent. An intent that is asked for while the frame before is still being
written goes into the journal with that frame's commit, in one transaction: both are on the disk then, or neither. So
nothing is intended before the frame before is committed, nothing is exposed before it is intended, and a process that
dies has one frame in flight at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from xrm_control.core.errors import StorageError
from xrm_control.core.frame_id import FrameId
from xrm_control.storage.frames import FrameStore
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import Exposure, Intent, StoredFrame


@dataclass
class Wanted:
    """An intent that somebody waits for; attempt: its number, as soon as it is on the disk."""

    intent: Intent
    attempt: int | None = None


class FrameWriter:
    """Writes the frames of one run. `want` may be called at any time, the rest by one thread, in the order in which
    it was asked for.
    """

    def __init__(self, store: FrameStore, journal: Journal) -> None:
        self._store = store
        self._journal = journal
        self._wanted: Wanted | None = None
        self._failed: str | None = None

    def want(self, frame_id: FrameId, *, theta_deg: float, t_s: float) -> Wanted:
        """This frame is exposed next; to be handed to `intend`, which is asked for at once."""
        self._wanted = Wanted(Intent(frame_id, theta_deg, t_s))
        return self._wanted

    def forget(self, wanted: Wanted) -> None:
        """Nobody waits for it any more: it is not recorded with a frame that is kept later."""
        if self._wanted is wanted:
            self._wanted = None

    def intend(self, wanted: Wanted) -> int:
        """Returns when the intent is on the disk, and the number of the attempt. See `Journal.intend`.

        Raises StorageError when the frame before could not be written: nothing is exposed after it.
        """
        self.forget(wanted)
        if self._failed is not None:
            text = f"nothing is exposed after a frame that could not be written: {self._failed}"
            raise StorageError(text, where=wanted.intent.frame_id)
        if wanted.attempt is None:
            about = wanted.intent
            wanted.attempt = self._journal.intend(about.frame_id, theta_deg=about.theta_deg, t_s=about.t_s)
        return wanted.attempt

    def keep(self, frame_id: FrameId, attempt: int, image: NDArray[Any], exposure: Exposure) -> StoredFrame:
        """Make a frame durable and commit it, with the intent that is wanted by then. See `FrameStore.store`."""
        try:
            return self._store.store(frame_id, attempt, image, exposure, self._commit)
        except BaseException as error:
            self._failed = f"{frame_id}, {type(error).__name__}: {error}"
            raise

    def _commit(self, frame: StoredFrame) -> None:
        wanted, self._wanted = self._wanted, None
        if wanted is None:
            self._journal.commit(frame)
            return
        wanted.attempt = self._journal.commit_and_intend(frame, wanted.intent)
