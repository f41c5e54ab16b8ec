"""After a run died: every attempt that was in flight, and every file on the way, comes to a known end.

A frame that was durable and not yet committed is adopted when it is whole and what the journal waits for; all else is
put into quarantine, where nothing is lost and nothing counts. Frames without an outcome stay open: a run that is gone
on with takes them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xrm_control.core.errors import DataError
from xrm_control.core.events import AnyEvent, AttemptClosed, FileQuarantined, FrameAdopted, RunResumed
from xrm_control.core.frame_id import FrameId
from xrm_control.storage.frames import FrameStore
from xrm_control.storage.journal import Journal
from xrm_control.storage.run_folder import RunFolder


@dataclass(frozen=True)
class Settled:
    """Frames whose files were adopted, frames whose attempts were closed, and files now in quarantine/."""

    adopted: tuple[FrameId, ...] = ()
    closed: tuple[FrameId, ...] = ()
    quarantined: tuple[str, ...] = ()


def settled_news(folder: RunFolder, journal: Journal) -> tuple[AnyEvent, ...]:
    """`settle` a run that is about to be gone on with; what is to be told of it, the most important last."""
    state, news = journal.state(), list[AnyEvent]()
    settled = settle(folder, journal, journal.last_t_s() or 0.0, news.append)
    resumed = RunResumed(
        state="the beginning" if state is None else state.state.value,
        stood_s=journal.last_t_s() or 0.0,
        kept=journal.accounting().kept,
        adopted=len(settled.adopted),
        closed=len(settled.closed),
        quarantined=len(settled.quarantined),
    )
    return (*news, resumed)


def settle(folder: RunFolder, journal: Journal, t_s: float, tell: Callable[[AnyEvent], None]) -> Settled:
    """Settle a run whose lock the caller holds; done twice, or killed on the way and done again, it changes nothing.

    t_s: instrument time of the records. Raises StorageError when disk or journal refuse.
    """
    store = FrameStore(folder, journal)
    adopted: list[FrameId] = []
    closed: list[FrameId] = []
    quarantined: list[str] = []

    def set_aside(name: str, reason: str) -> None:
        quarantined.append(name)
        tell(FileQuarantined(name, reason))

    for part in folder.quarantine_parts():
        set_aside(folder.relative(part), "its writing never ended")
    for frame, attempt in journal.open_attempts():
        path, reason = folder.frame_path(frame, attempt), "the run died before the frame was on the disk"
        if path.is_file():
            try:
                store.adopt(frame, attempt)
            except DataError as error:
                reason = error.what
                set_aside(folder.relative(folder.set_aside(path)), reason)
            else:
                adopted.append(frame)
                tell(FrameAdopted(frame, attempt))
                continue
        journal.retake(frame, reason, t_s=t_s)
        closed.append(frame)
        tell(AttemptClosed(frame, attempt, reason))
    known = {stored.path for _, stored in journal.stored_frames(kept_only=False)}
    for path in sorted(folder.frames.rglob("*.tif")):
        if folder.relative(path) not in known:
            set_aside(folder.relative(folder.set_aside(path)), "no attempt of the journal made it")
    return Settled(tuple(adopted), tuple(closed), tuple(quarantined))
