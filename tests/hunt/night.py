"""Plays one night: sitting after sitting, killed and gone on with, until it is over or does not end well."""

from __future__ import annotations

import contextlib
import hashlib
import random
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from simulators.faults import PERIOD_KINDS, Fault
from simulators.trace import Trace
from tests.hunt.case import INSTRUMENT_KINDS, Case, Trouble, name_of
from tests.hunt.crew import Crew
from tests.hunt.disk import Disk, Killed
from tests.hunt.disk import Trouble as DiskTrouble
from tests.hunt.meddler import Meddler
from tests.hunt.mishaps import AS_FAULT
from tests.hunt.promises import Ledger, nothing_unsaid, of_the_death, of_the_night, of_the_sitting, set_aside_in
from tests.hunt.quick import without_processing
from tests.hunt.watch import Watch
from xrm_control import app
from xrm_control.app import runs
from xrm_control.core.clock import Clock
from xrm_control.core.errors import DataError, XrmError
from xrm_control.core.events import AnyEvent, FrameKept
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.states import RunState
from xrm_control.devices.protocols import CameraFrame, CameraSettings
from xrm_control.devices.simulated import SimulatedBackend, SimulatedInstrument
from xrm_control.recipe.document import Recipe
from xrm_control.storage.frames import FrameStore
from xrm_control.storage.journal import JournalReader

MEMORY = Path("/dev/shm")
_DEATHS = ("kill", "power_cut", "early_kill", "orphan", "new_folder")
_MOST_SITTINGS, _CPU_S = 25, 90.0
_FOR_EVER, _WAITED_FOR = 100_000, 3
_NOT_WHOLE = "its recipe is not whole"
_FAULT_FIELDS = {one.name for one in fields(Fault)}
BASE: dict[str, Any] = {
    "name": "hunted",
    "instrument": {"backend": "simulated", "rendering": False},
    "compute": {"kind": "inline"},
    "output": {"keep_free_gb": 0},
    "retry": {"beam_wait_s": 600, "instrument_wait_s": 600},
}


class Hung(BaseException):
    """A sitting has used more of the processor than any sitting needs."""


@dataclass
class Played:
    """What came of a night. met: the kinds that happened; findings: promises that were broken, in words; heard: of each
    sitting all that was told, but for kept frames; traces: of each what the instrument saw.
    """

    case: Case
    findings: list[str] = field(default_factory=list)
    met: set[str] = field(default_factory=set)
    frames: int = 0
    sittings: int = 0
    steps: int = 0
    ends: list[str] = field(default_factory=list)
    heard: list[list[AnyEvent]] = field(default_factory=list)
    traces: list[Trace | None] = field(default_factory=list)


def play(case: Case) -> Played:
    """The night of a case, from its first sitting to its judgement."""
    with tempfile.TemporaryDirectory(prefix="hunt-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        return _Night(case, Path(folder)).play()


class _Night:
    def __init__(self, case: Case, place: Path) -> None:
        self._case, self._place = case, place
        self._played = Played(case)
        self._ledger = Ledger()
        self._faults = [one for one in case.troubles if one["kind"] in (*INSTRUMENT_KINDS, *AS_FAULT)]
        self._deaths = sorted((one for one in case.troubles if one["kind"] in _DEATHS), key=_at)
        troubles = (
            DiskTrouble(one["error"], one["at"], one["times"]) for one in case.troubles if one["kind"] == "disk"
        )
        flushes = tuple(sorted(one["at"] for one in case.troubles if one["kind"] == "flush"))
        self._disk = Disk(place / "0", random.Random(f"{case.seed} what is found"), tuple(troubles), flushes)
        retry = Recipe.model_validate(_parts(case)).retry
        self._watch = Watch(self._disk, retry.move_attempts)
        self._crew = Crew(case.troubles, lambda: self._disk.dead)
        self._meddler = Meddler(case.seed, case.troubles, self._disk, self._crew, retry.frame_attempts)
        self._instrument: SimulatedInstrument | None = None
        self._run: Path | None = None
        self._in_vain = 0

    def play(self) -> Played:
        """All of it."""
        played = self._played
        with without_processing(), self._witnessed():
            while self._begun < _MOST_SITTINGS:
                self._crew.calm = calm = self._calm
                end = self._sit()
                played.ends.append(end)
                # Who wanted it to end after a stage wanted that before the storm was over.
                stopped = end.startswith(f"exit {ExitCode.RESUMABLE:d}")
                if played.findings or self._over or (calm and self._run is not None and not stopped):
                    break
            played.steps, played.frames = self._disk.steps, len(self._ledger.kept)
            if not played.findings:
                self._judge()
        return played

    @property
    def _calm(self) -> bool:
        """Whether the storm is over: then the night must end well."""
        ahead = [one for one in self._disk.troubles if self._disk.steps < one.at]
        # What waits until the run stands as it needs it may wait in vain.
        waits = self._meddler.left and self._played.sittings < _WAITED_FOR
        left = self._faults or self._crew.left or self._deaths or ahead or waits
        return self._begun >= _MOST_SITTINGS - 1 or not left

    @property
    def _begun(self) -> int:
        """Sittings, but for those in which a disk that fails let nothing begin: as many as it has failures."""
        return self._played.sittings - self._in_vain

    @property
    def _over(self) -> bool:
        return self._state() is RunState.DONE

    def _state(self) -> RunState | None:
        if self._run is None:
            return None
        try:
            with JournalReader.open(self._run / "journal.sqlite") as journal:
                record = journal.state()
        except DataError:
            # Died before anything was in it.
            return None
        return record.state if record is not None else RunState.IDLE

    def _sit(self) -> str:
        """One sitting; how it ended, in words."""
        played, disk = self._played, self._disk
        played.sittings += 1
        played.heard.append([])
        self._before()
        self._instrument = None
        error: BaseException | None = None
        code: int | None = None
        failed = disk.failed
        aside = set_aside_in(self._run)
        try:
            with disk.watching(), _bounded():
                code = self._carry_out()
        except Killed:
            pass
        except XrmError as raised:
            error, code = raised, raised.exit_code
        except BaseException as raised:  # noqa: BLE001  whatever comes out of it is what is looked for
            error = raised
            played.findings.append(f"ended with {type(raised).__name__}: {raised}, no error of the program's own")
        self._met(disk.failed > failed)
        seen = self._instrument
        played.traces.append(None if seen is None else seen.microscope.trace(seen._clock.now_s()))
        killed = disk.left is not None
        if disk.left is not None:
            played.met.add(self._deaths[0]["kind"])
            self._meddler.died(self._deaths[0])
            if self._deaths[0]["kind"] == "new_folder":
                cut = {"kind": "power_cut", "at": disk.steps + self._deaths[0]["later"]}
                self._deaths = sorted([*self._deaths[1:], cut], key=_at)
            disk.root, disk.left = disk.left, None
        self._run = next((disk.root / "runs").glob("*/recipe.yaml"), Path()).parent
        if not self._run.name or (_NOT_WHOLE in str(error) and not list(self._run.rglob("*.tif"))):
            # Died before there was a whole recipe: nothing was taken, and it is begun anew.
            self._run = None
            self._in_vain += 1
            disk.root = self._place / str(played.sittings)
            return f"nothing was begun: {error or code}"
        if killed:
            played.findings += of_the_death(self._run, disk)
        played.findings += [*self._watch.findings, *self._meddler.findings]
        if disk.written_on is not None and not killed:
            played.findings.append(f"a journal whose disk had failed was written on: {disk.written_on}")
        if self._crew.hung:
            played.findings.append("did not come to an end in 6 h of its own time")
        if self._state() is not None and (error is None or isinstance(error, XrmError)):
            disturbed = killed or disk.failed > failed
            played.findings += of_the_sitting(
                *(self._run, self._instrument, code), killed=killed, disturbed=disturbed, aborted_s=self._crew.aborted_s
            )
            if not disturbed:
                played.findings += nothing_unsaid(self._run, aside, str(error or ""))
        self._after(killed)
        return "killed" if killed else f"exit {code}: {error or ''}"

    def _before(self) -> None:
        disk = self._disk
        disk.root.mkdir(exist_ok=True)
        disk.mount()
        while self._deaths and (self._deaths[0]["at"] <= disk.steps or self._calm):
            self._deaths.pop(0)
        disk.kill_at = self._deaths[0]["at"] if self._deaths else None
        disk.power = bool(self._deaths) and self._deaths[0]["kind"] == "power_cut"
        disk.between = bool(self._deaths) and self._deaths[0]["kind"] == "orphan"
        disk.unlisted = bool(self._deaths) and self._deaths[0]["kind"] == "new_folder"
        self._meddler.sitting(calm=self._calm)
        if self._calm:
            disk.troubles, disk.flushes, self._faults = (), (), []

    def _carry_out(self) -> int:
        if self._run is not None:
            return runs.resume(self._run, None, self._hear, operator=self._crew).exit_code
        recipe = self._disk.root / "hunted.yaml"
        recipe.write_text(yaml.safe_dump(_parts(self._case)), encoding="utf-8")
        return runs.run(app.load(recipe), self._disk.root / "runs", None, self._hear, operator=self._crew).exit_code

    def _hear(self, event: AnyEvent) -> None:
        self._crew.watch(event)
        self._watch.hear(event)
        self._meddler.hear(event)
        if isinstance(event, FrameKept):
            self._ledger.told.add(event.frame)
        else:
            self._played.heard[-1].append(event)

    def _met(self, disk_failed: bool) -> None:
        """What has happened by the end of the sitting."""
        met, steps = self._played.met, self._disk.steps
        if self._instrument is not None:
            now_s = self._instrument._clock.now_s()
            met |= {one["kind"] for one in self._faults if one["at_s"] <= now_s}
            sent = [one for one in self._case.troubles if one["kind"] in ("command", "freeze")]
            met |= {name_of(one) for one in sent if one["at_s"] <= now_s}
        if self._disk.unflushed:
            met.add("flush")
        met |= self._crew.met | self._meddler.met
        if disk_failed:
            met |= {f"disk {one.error}" for one in self._disk.troubles if one.at <= steps}
        jumps = [one for one in self._case.troubles if one["kind"] == "clock_jump"]
        met |= {one["kind"] for one in jumps if one["sitting"] <= self._played.sittings}

    def _after(self, killed: bool) -> None:
        """Nobody goes on before what was wrong is seen to; who died is gone on with at once, and finds what lasts."""
        if self._run is not None and not self._over:
            self._meddler.between_sittings(self._run)
        # A disk that goes on failing is seen to as well, also where nobody came to open the instrument.
        steps = self._disk.steps
        self._disk.troubles = tuple(one for one in self._disk.troubles if one.at > steps)
        if self._instrument is None:
            return
        now_s = self._instrument._clock.now_s()
        self._faults = [
            one
            for one in self._faults
            if one["at_s"] > now_s or (killed and _lasts(one) and one["at_s"] + one["duration_s"] > now_s)
        ]

    def _judge(self) -> None:
        played, run = self._played, self._run
        if run is None:
            played.findings.append("came to no run at all")
        elif self._over:
            played.findings += of_the_night(run, self._ledger, played.ends[-1])
            played.findings += self._again(run, played.ends[-1])
        elif not self._may_end_so(played.ends[-1]):
            played.findings.append(f"the storm is over, and the night does not end well: {played.ends[-1]}")

    def _again(self, run: Path, end: str) -> Iterator[str]:
        """Whoever goes on with a run that is done changes nothing."""
        steps = self._disk.steps
        with self._disk.watching():
            code = runs.resume(run).exit_code
        if self._disk.steps != steps or not end.startswith(f"exit {code}:"):
            yield f"gone on with when it was done, it ended with {code}, {self._disk.steps - steps} steps later"

    def _may_end_so(self, end: str) -> bool:
        """Somebody has moved the sample while nobody looked: going on is refused for good."""
        return "the sample has moved" in end and any(one.get("hidden") for one in self._case.troubles)

    @contextlib.contextmanager
    def _witnessed(self) -> Iterator[None]:
        """Instruments with the night's faults; what the camera delivers and the store acknowledges is written down."""
        night, ledger, store, adopt = self, self._ledger, FrameStore.store, FrameStore.adopt
        jumps = {one["sitting"]: one["hours"] for one in self._case.troubles if one["kind"] == "clock_jump"}
        now = runs.utc_now

        def opened(backend: SimulatedBackend, clock: Clock) -> SimulatedInstrument:
            instrument = SimulatedInstrument(backend._microscope(clock.begun_s), clock)
            for one in night._faults:
                instrument.microscope.add_fault(_fault(one))
            expose, configure, connect = instrument.camera.expose, instrument.camera.configure, instrument.connect

            async def connected() -> None:
                await connect()
                night._meddler.connected(instrument.microscope, instrument._clock.now_s())

            async def configured(binning: int, exposure_s: float) -> CameraSettings:
                settings = await configure(binning, exposure_s)
                night._meddler.configured()
                return settings

            async def witnessed() -> CameraFrame:
                night._meddler.exposes(instrument._clock.now_s())
                frame = await expose()
                taken = instrument.microscope._taken[-1]
                if taken.fault is not None and not (taken.fault == "repeated_frame" and taken.first):
                    ledger.spoilt[round(frame.started_s, 6)] = taken.fault
                ledger.seen[round(frame.started_s, 6)] = hashlib.sha256(frame.image.tobytes()).hexdigest()
                return frame

            instrument.camera.expose = witnessed  # type: ignore[method-assign]
            instrument.camera.configure = configured  # type: ignore[method-assign]
            instrument.connect = connected  # type: ignore[method-assign]
            night._instrument = instrument
            return instrument

        def kept(real: Any) -> Any:
            def acknowledged(*arguments: Any) -> Any:
                frame = real(*arguments)
                ledger.kept[frame.frame_id, frame.attempt] = frame
                return frame

            return acknowledged

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SimulatedBackend, "open", opened)
            patch.setattr(FrameStore, "store", kept(store))
            patch.setattr(FrameStore, "adopt", kept(adopt))
            patch.setattr(runs, "utc_now", lambda: now() + timedelta(hours=jumps.get(night._played.sittings, 0)))
            yield


def _at(trouble: Trouble) -> int:
    return int(trouble["at"])


def _parts(case: Case) -> dict[str, Any]:
    parts = {key: {**BASE.get(key, {}), **part} for key, part in case.recipe.items()}
    return {**BASE, **parts}


def _fault(trouble: Trouble) -> Fault:
    said = {name: value for name, value in trouble.items() if name in _FAULT_FIELDS}
    said["kind"] = AS_FAULT.get(trouble["kind"], trouble["kind"])
    if trouble["kind"] == "obstacle":
        said["times"] = _FOR_EVER
    return Fault(**said)


def _lasts(trouble: Trouble) -> bool:
    return AS_FAULT.get(trouble["kind"], trouble["kind"]) in PERIOD_KINDS


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """Raise Hung in the main thread when the block uses too much of the processor."""

    def hung(_number: int, _frame: Any) -> None:
        raise Hung(f"more than {_CPU_S:g} s of the processor")

    before = signal.signal(signal.SIGPROF, hung)
    signal.setitimer(signal.ITIMER_PROF, _CPU_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
