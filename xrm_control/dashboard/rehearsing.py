"""A rehearsal of a draft, played by a guest process: one at a time, bounded, ended when it is not wanted any more.

It touches no instrument but to read where the axes stand, as `xrm rehearse` does, and writes into ``root/.window``
alone. When this server dies, however it dies, the process goes with it.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from xrm_control.app.queue.process import PROGRAM
from xrm_control.contracts.plan import Plan
from xrm_control.contracts.rehearsal import REHEARSAL, Rehearsal
from xrm_control.core.clock import stopwatch, utc_now
from xrm_control.core.errors import DataError, RecipeError, ResourceLocked, XrmError
from xrm_control.dashboard.models import Start
from xrm_control.dashboard.models_rehearsal import AxisRange, RehearsalState, RehearsalView, RehearsedNight
from xrm_control.processing.command import run_command
from xrm_control.storage.durable import make_folder

LIMIT_S = 900.0
# Wall time a frame, on a machine that does other work besides: what cannot end in time is not begun.
_S_PER_FRAME = 0.02
_KEPT = 8
_MOST_LINES = 8


@dataclass
class Rehearser:
    """For drafts whose runs would be in `root`. limit_s: of the wall clock, for one rehearsal."""

    root: Path
    limit_s: float = LIMIT_S
    _now: RehearsalView = field(default_factory=lambda: RehearsalView(state=RehearsalState.NONE))
    _request: str = ""
    _passed_s: Callable[[], float] = field(default_factory=stopwatch)
    _unwanted: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def obstacle(self, plan: Plan | None) -> str:
        """Why a draft of this plan (None: of none, it has faults) cannot be rehearsed here; "" where it can."""
        if plan is None:
            return "there are faults: mend them first"
        need_s = _S_PER_FRAME * sum(stage.frames for stage in plan.stages)
        if need_s > self.limit_s:
            return f"it would take about {need_s / 60:.0f} min, limit {self.limit_s / 60:.0f} min: use `xrm rehearse`"
        return ""

    def told(self) -> RehearsalView:
        """The newest rehearsal as it stands."""
        with self._lock:
            return self._told()

    def begin(self, wanted: Start, recipe: Path, settings: Sequence[str], plan: Plan | None) -> RehearsalView:
        """Begin to play it; asked for again with the same request, it is told how far it is.

        Raises ResourceLocked while another is played, RecipeError where it cannot be.
        """
        with self._lock:
            if wanted.request == self._request:
                return self._told()
            if self._now.state is RehearsalState.PLAYING:
                raise ResourceLocked(
                    "another rehearsal is played", where="the window", value=self._now.file,
                    remedy="wait for it, or cancel it",
                )  # fmt: skip
            if plan is None or self.obstacle(plan):
                raise RecipeError(f"it cannot be rehearsed: {self.obstacle(plan)}", where=wanted.file)
            place = self.root / ".window" / "rehearsals" / wanted.request
            make_folder(place)
            _forget_others(place)
            self._request, self._passed_s, self._unwanted = wanted.request, stopwatch(), threading.Event()
            self._now = RehearsalView(
                state=RehearsalState.PLAYING, file=wanted.file, settings=wanted.settings, limit_s=self.limit_s,
                started_utc=utc_now().isoformat(timespec="seconds"),
            )  # fmt: skip
            chosen = [word for setting in settings for word in ("--set", setting)]
            # Whatever else the machine has to do goes first.
            polite = ("nice", "-n", "15") if shutil.which("nice") else ()
            command = (*polite, *PROGRAM, "rehearse", str(recipe), "--without-images", "--out", str(place), *chosen)
            work = threading.Thread(target=self._play, args=(command, place, plan, self._unwanted), daemon=True)
            work.start()
            return self._told()

    def cancel(self) -> RehearsalView:
        """Let go of what is played; nothing happens where nothing is."""
        self._unwanted.set()
        return self.told()

    def _told(self) -> RehearsalView:
        if self._now.state is not RehearsalState.PLAYING:
            return self._now
        return self._now.model_copy(update={"elapsed_s": self._passed_s()})

    def _play(self, command: Sequence[str], place: Path, plan: Plan, unwanted: threading.Event) -> None:
        state, said, folder, night = RehearsalState.PLAYED, "", "", None
        try:
            run_command(
                command, name="the rehearsal", where=self._now.file, timeout_s=self.limit_s, stopped=unwanted.is_set
            )
            written, found = _written(place)
            folder, night = str(written), night_of(found, plan)
        except XrmError as error:
            state = RehearsalState.CANCELLED if unwanted.is_set() else RehearsalState.TROUBLED
            said = "" if unwanted.is_set() else str(error)[:4000]
        with self._lock:
            told = {"state": state, "said": said, "folder": folder, "night": night}
            self._now = self._now.model_copy(update={**told, "elapsed_s": self._passed_s()})


def night_of(found: Rehearsal, plan: Plan) -> RehearsedNight:
    """What the first item's first night came to, with the time of all its nights."""
    item = found.items[0]
    first = item.nights[0].account
    frames = first.outcomes
    told = [night.error or reason for night in item.nights for reason in (night.account.reasons or ("",))]
    return RehearsedNight(
        time=item.time,
        planned_s=item.plan.total_s,
        verdicts=tuple(str(night.account.verdict or night.account.state or "no verdict") for night in item.nights),
        reasons=tuple(dict.fromkeys(words for words in told if words))[:_MOST_LINES],
        kept=frames.kept,
        retaken=first.retaken,
        missing=frames.missing + frames.not_reached,
        planned_frames=item.plan.frames,
        disk_bytes=first.disk_bytes,
        dose_gy=first.dose_gy,
        axes=tuple(
            AxisRange(
                axis=axis, unit="°" if axis == "theta" else "µm", low=low, high=high,
                limits=plan.limits.get(axis),
            )
            for axis, (low, high) in first.extremes.items()
        ),
        holds=tuple(first.holds[:_MOST_LINES]),
        start=item.start.note,
        notes=item.notes,
    )  # fmt: skip


def _written(place: Path) -> tuple[Path, Rehearsal]:
    for document in place.glob(f"*/{REHEARSAL.name}"):
        return document.parent, REHEARSAL.read(document)
    raise DataError("it has left no account", where="the rehearsal")


def _forget_others(begun: Path) -> None:
    """Of this window's own old rehearsals, which are no data, the newest stay; and the one that is begun, whatever the
    clock says."""
    with suppress(OSError):
        others = [place for place in begun.parent.iterdir() if place != begun]
        others.sort(key=lambda place: place.stat().st_mtime_ns, reverse=True)
        for place in others[_KEPT - 1 :]:
            shutil.rmtree(place, ignore_errors=True)
