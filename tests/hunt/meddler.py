"""Who brings about a night's mishaps (see `tests.hunt.mishaps`), each where the run stands as it needs it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simulators.faults import Fault
from simulators.microscope import Microscope
from tests.hunt.crew import Crew
from tests.hunt.disk import Disk
from tests.hunt.mishaps import leave_stray, spoil
from xrm_control.core.events import AnyEvent, FrameKept, StageBegun, StageEnded
from xrm_control.core.frame_id import MOSAIC

_OF_FRAMES = (MOSAIC, "roi-")
_SLOWER = 0.6


class Meddler:
    """Holds what is left of the mishaps. frame_attempts: of the recipe; met: those that happened; findings: promises
    that were broken, in words.
    """

    def __init__(
        self, seed: int, troubles: Sequence[dict[str, Any]], disk: Disk, crew: Crew, frame_attempts: int
    ) -> None:
        self._disk, self._crew, self._frame_attempts = disk, crew, frame_attempts
        self._microscope: Microscope | None = None
        self._chance = random.Random(f"{seed} what is left")
        self._left = {
            kind: [one for one in troubles if one["kind"] == kind]
            for kind in ("stray", "last_write", "pause_unwritten", "pause_stuck", "reset")
        }
        self._stages = self._still_to_keep = 0
        self._set_by_others = False
        self._pausing: asyncio.Future[None] | None = None
        self.met: set[str] = set()
        self.findings: list[str] = []

    @property
    def left(self) -> int:
        """How many mishaps are still to come."""
        return sum(map(len, self._left.values()))

    def sitting(self, *, calm: bool) -> None:
        """A sitting begins; from the first calm one on nothing happens any more."""
        self._set_by_others, self._still_to_keep = False, 0
        if calm:
            self._left = {kind: [] for kind in self._left}

    def hear(self, event: AnyEvent) -> None:
        """What the run tells: the disk refuses the last frame of a stage in which it is to."""
        if isinstance(event, StageEnded):
            self._still_to_keep = 0
        elif isinstance(event, StageBegun) and event.stage.startswith(_OF_FRAMES):
            self._stages += 1
            due = [one for one in self._left["last_write"] if one["stage"] <= self._stages]
            self._still_to_keep = event.total if due else 0
            if self._microscope is not None and any(one["postponed"] for one in due):
                self._microscope.add_fault(Fault("nan_frame", at_s=event.t_s, times=self._frame_attempts))
        elif isinstance(event, FrameKept) and self._still_to_keep:
            self._still_to_keep -= 1
        if self._still_to_keep == 1 and not self._disk.dead:
            self._disk.refuses, self._still_to_keep = True, 0
            self._left["last_write"] = [one for one in self._left["last_write"] if one["stage"] > self._stages]
            self.met.add("last_write")

    def connected(self, microscope: Microscope, now_s: float) -> None:
        """The instrument answers again; where it was switched off and on, its camera has settings of its own."""
        self._microscope = microscope
        due = [one for one in self._left["reset"] if one["at_s"] + one["duration_s"] <= now_s]
        if due:
            self._left["reset"] = [one for one in self._left["reset"] if one not in due]
            self.met.add("reset")
            binning, exposure_s = microscope.camera_settings(now_s)
            microscope.configure_camera(binning, _SLOWER * exposure_s, now_s)
            self._set_by_others = True

    def configured(self) -> None:
        """The run has set the camera."""
        self._set_by_others = False

    def exposes(self, now_s: float) -> None:
        """A frame is about to be exposed: somebody may pause, and this frame will not come to the disk."""
        if self._disk.dead:
            return
        if self._set_by_others:
            self.findings.append(f"exposed at {now_s:.2f} s with the settings with which the camera had come back")
        pauses = self._left["pause_unwritten"]
        if pauses and pauses[0]["at_s"] <= now_s:
            pauses.pop(0)
            self._disk.refuses = True
            self.met.add("pause_unwritten")
            self._pausing = asyncio.ensure_future(self._crew.pause())
        stuck, microscope = self._left["pause_stuck"], self._microscope
        if microscope is not None and stuck and stuck[0]["at_s"] <= now_s and microscope.shutter(now_s).open:
            stuck.pop(0)
            microscope.add_fault(Fault("stuck_shutter", at_s=now_s))
            self.met.add("pause_stuck")
            self._pausing = asyncio.ensure_future(self._crew.pause())

    def died(self, death: dict[str, Any]) -> None:
        """The process is dead: the file that nobody has committed yet is found otherwise than it was written."""
        if self._disk.between and self._disk.left is not None and self._disk.orphan is not None:
            spoil(self._disk.left / self._disk.orphan, death["how"], self._chance)

    def between_sittings(self, run: Path) -> None:
        """Nobody carries the run out: somebody may leave a file among its frames."""
        strays = self._left["stray"]
        if strays and strays[0]["at"] <= self._disk.steps and leave_stray(run, strays.pop(0)["name"]):
            self.met.add("stray")
