"""Looks into the journal at the moments at which a run says of itself what must be on record by then."""

from __future__ import annotations

from pathlib import Path

from tests.hunt.disk import Disk
from xrm_control.core.errors import XrmError
from xrm_control.core.events import (
    AnyEvent,
    DeviceTriedAgain,
    MoveInterrupted,
    MoveStalled,
    RoiQuarantined,
    StageEnded,
    StateEntered,
)
from xrm_control.core.states import ROI_ENDS, RunState
from xrm_control.storage.journal import JournalReader


class Watch:
    """Hears what a run tells. most_tries: of one move, or of one device; findings: promises that were broken."""

    def __init__(self, disk: Disk, most_tries: int) -> None:
        self._disk = disk
        self._most_tries = most_tries
        self.findings: list[str] = []

    def hear(self, event: AnyEvent) -> None:
        """One event; what a dead process still tells is nobody's business."""
        if self._disk.dead:
            return
        try:
            self._look(event)
        except XrmError as error:
            self.findings.append(f"the journal cannot be read: {error}")

    def _look(self, event: AnyEvent) -> None:
        match event:
            case StageEnded(stage=stage):
                self._nothing_in_flight(f"{stage} has ended")
            case StateEntered(state=RunState.PAUSED):
                self._nothing_in_flight("the run is paused")
            case RoiQuarantined(roi=roi):
                self._nothing_open(roi)
            case MoveStalled() | MoveInterrupted() | DeviceTriedAgain() if event.attempt > self._most_tries:
                self.findings.append(f"tried {event.attempt} times on the way to {event.where}: {event.problem}")
            case _:
                pass

    def _nothing_in_flight(self, when: str) -> None:
        with self._journal() as journal:
            self.findings += [f"{when}, and {name} is still in flight" for name, _ in journal.open_attempts()]

    def _nothing_open(self, roi: str) -> None:
        with self._journal() as journal:
            if left := journal.open_frames(roi):
                self.findings.append(f"{roi} is set aside, and {len(left)} of its frames have no outcome")

    def _journal(self) -> JournalReader:
        return JournalReader.open(next((self._disk.root / "runs").glob("*/journal.sqlite")))


def open_in_regions_that_are_over(journal_file: Path) -> list[str]:
    """Of regions that are set aside or reported, how many frames have no outcome, in words."""
    try:
        with JournalReader.open(journal_file) as journal:
            over = [roi for roi, life in journal.roi_states().items() if life.state in ROI_ENDS]
            left = {roi: len(journal.open_frames(roi)) for roi in over}
    except XrmError:
        # Died before anything was in it.
        return []
    return [f"{roi} is over, and {count} of its frames have no outcome" for roi, count in left.items() if count]
