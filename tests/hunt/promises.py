"""What a night promises, whatever happens: held against journal, files, the camera's own pictures and the trace."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.hunt.disk import Disk
from tests.hunt.quick import NOT_MEASURED
from tests.hunt.watch import open_in_regions_that_are_over
from tests.trace_invariants import said_in, tolerances, violations
from xrm_control.contracts.results import RESULTS
from xrm_control.contracts.rois import ROIS
from xrm_control.core.errors import XrmError
from xrm_control.core.events import FileQuarantined, FrameRetaken
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.frame_id import FrameId
from xrm_control.core.states import FrameKind, RoiState, Verdict
from xrm_control.devices.simulated import SimulatedInstrument
from xrm_control.processing.verification import verify
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.loading import load_document
from xrm_control.storage.frames import read_frame
from xrm_control.storage.journal import JournalReader
from xrm_control.storage.records import StoredFrame
from xrm_control.storage.run_folder import RunFolder

_MOST_ATTEMPTS = 120
_ABORT_S = 1.0
_NEVER_KEPT = ("nan_frame", "wrong_shape_frame", "repeated_frame")
_NOT_KEPT_AS = {
    ("light_leak_frame", FrameKind.DARK),
    *(("dark_frame", kind) for kind in FrameKind if kind is not FrameKind.DARK),
}


@dataclass
class Ledger:
    """Kept outside of the program. By the begin of an exposure, seen: the hash of what the camera delivered; spoilt:
    what was wrong with it. kept: what the store has acknowledged; told: frames that were shown as kept.
    """

    seen: dict[float, str] = field(default_factory=dict)
    spoilt: dict[float, str] = field(default_factory=dict)
    kept: dict[tuple[FrameId, int], StoredFrame] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)


def of_the_sitting(
    run: Path,
    instrument: SimulatedInstrument | None,
    code: int | None,
    *,
    killed: bool,
    disturbed: bool,
    aborted_s: float | None = None,
) -> Iterator[str]:
    """Promises of one sitting, the instrument as its witness.

    killed: the process has died; disturbed: that, or a record is lacking: then what is told of holds is not complete.
    aborted_s: when somebody was told that it ends now.
    """
    yield from open_in_regions_that_are_over(RunFolder(run).journal)
    if instrument is None:
        return
    microscope = instrument.microscope
    trace = microscope.trace(instrument._clock.now_s())
    if aborted_s is not None:
        late = [one.begin_s for one in trace.exposures if one.begin_s > aborted_s + _ABORT_S]
        yield from (f"told to end now at {aborted_s:.2f} s, it exposed at {begin_s:.2f} s" for begin_s in late[:1])
    if not killed and code != ExitCode.NOT_SAFE and not _out_of_reach(instrument):
        if trace.shutter and trace.shutter[-1][1] > trace.ended_s:
            yield f"exit {code}, and the shutter was open"
        for axis, at_rest in trace.axes_at_rest.items():
            if not at_rest:
                yield f"exit {code}, and axis {axis} moved"
    said = said_in(run)
    # A sitting whose begin could not be recorded is still one of its own: its trace begins with it.
    begun_s = instrument._clock.begun_s
    said = replace(said, kept=[frame for frame in said.kept if frame.begin_s >= begun_s])
    if disturbed:
        # What was in flight was not told of; what was told before it must still be true.
        told_s = max((intent.t_s for intent in said.intents), default=0.0)
        exposures = tuple(one for one in trace.exposures if one.begin_s <= told_s)
        said = replace(said, holds=(), taking=((0.0, trace.ended_s),), safe=False)
        trace = replace(trace, exposures=exposures)
    if code == ExitCode.NOT_SAFE:
        # A shutter that sticks was told to close, and is told of.
        said = replace(said, holds=())
    yield from violations(trace, said, tolerances(microscope))


def set_aside_in(run: Path | None) -> frozenset[str]:
    """The files that lie in a run's quarantine."""
    folder = None if run is None else RunFolder(run)
    return frozenset() if folder is None else frozenset(map(folder.relative, folder.quarantine.glob("*")))


def nothing_unsaid(run: Path, aside_before: frozenset[str], ended_with: str) -> Iterator[str]:
    """Promises of what a sitting tells that nothing has disturbed: each file that it set aside; and that it did not end
    because the journal's rules forbid what it did.
    """
    with JournalReader.open(RunFolder(run).journal) as journal:
        told = {event.data["path"] for event in journal.events_of(FileQuarantined.kind)}
    for name in set_aside_in(run) - aside_before - told:
        yield f"{name} was set aside, and nobody was told"
    if "the journal refuses" in ended_with:
        yield f"ended with what the journal's rules forbid: {ended_with}"


def of_the_death(run: Path, disk: Disk) -> Iterator[str]:
    """Promises of a folder as a process left it that was killed, before anybody goes on with it.

    What the journal says is on the disk is there; a file that was replaced since, and could not be recorded, is whole.
    """
    folder = RunFolder(run)
    try:
        with JournalReader.open(folder.journal) as journal:
            committed = [frame for _, frame in journal.stored_frames(kept_only=False)]
            artifacts = list(journal.artifacts().values())
    except XrmError:
        # Died before anything was in it.
        return
    yield from open_in_regions_that_are_over(folder.journal)
    for frame in committed:
        path = run / frame.path
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != frame.sha256:
            yield f"{frame.path} was committed, and is not there as committed when the process is dead"
    for artifact in artifacts:
        path = run / artifact.path
        if path.name in disk.unrecorded | disk.torn:
            continue
        whole = {artifact.sha256} | disk.published.get(path.name, set())
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() not in whole:
            yield f"{artifact.path} was recorded, and is not there, or not whole, when the process is dead"


def _out_of_reach(instrument: SimulatedInstrument) -> bool:
    return instrument.microscope._faults.active("disconnect", instrument._clock.now_s())


def of_the_night(run: Path, ledger: Ledger, end: str) -> Iterator[str]:
    """Promises of a night that is over."""
    folder = RunFolder(run)
    recipe, _ = load_document(folder.recipe, Recipe, {})
    with JournalReader.open(folder.journal) as journal:
        committed = {(frame.frame_id, frame.attempt): frame for _, frame in journal.stored_frames(kept_only=False)}
        kept = journal.stored_frames()
        missing, planned = journal.missing_frames(), journal.planned_frames()
        lives = journal.roi_states()
        rows = journal._connection.execute("SELECT frame_id, count(*) FROM attempt GROUP BY frame_id").fetchall()
        # A kept view that is looked at again has no attempts of its own.
        again = Counter(str(event.data["frame"]) for event in journal.events_of(FrameRetaken.kind))
    yield from _nothing_lost(folder, ledger, committed)
    known = {frame.path for frame in committed.values()}
    for path in folder.frames.rglob("*.tif*"):
        if folder.relative(path) not in known:
            yield f"{folder.relative(path)} lies among the frames, and the journal knows nothing of it"
    for path in folder.path.rglob("*.part"):
        if folder.quarantine not in path.parents:
            yield f"{folder.relative(path)} was never written to its end, and lies where it was"
    for name in ledger.told - {name for name, _ in committed}:
        yield f"{name} was shown as kept, and the journal knows of no file"
    for plan, frame in kept:
        yield from _true(folder, ledger, frame)
        spoilt = ledger.spoilt.get(round(frame.exposure.t_start_s, 6))
        if spoilt in _NEVER_KEPT or (spoilt, plan.kind) in _NOT_KEPT_AS:
            yield f"{plan.frame_id} is kept, and was a {spoilt}"
        if (plan.frame_id in missing) or len([1 for other, _ in kept if other.frame_id == plan.frame_id]) != 1:
            yield f"{plan.frame_id} has more than one outcome"
    outcomes = {plan.frame_id for plan, _ in kept} | set(missing)
    if outcomes != {plan.frame_id for plan in planned}:
        yield f"{len(planned)} frames were planned, {len(outcomes)} have an outcome"
    attempts = dict(rows)
    skipped = {roi for roi, life in lives.items() if life.reason.startswith("skipped by")}
    for name, reason in missing.items():
        group = FrameId(name).group
        # An axis that slips again and again costs its region: one frame was tried as often as may be, the rest not.
        set_aside = group in lives and lives[group].reason == reason
        tried = max(
            max(attempts.get(one, 0), again[one])
            for one in {name, *(one for one in {*missing, *again} if set_aside and FrameId(one).group == group)}
        )
        if group not in skipped and tried < recipe.retry.frame_attempts * (1 if set_aside else 2):
            yield f"{name} was given up after {tried} attempts: {reason}"
    yield from (f"{name} was tried {tried} times" for name, tried in rows if tried > _MOST_ATTEMPTS)
    yield from _told_as_it_is(folder, recipe, missing, lives, end)
    found = verify(folder, alive=False)
    yield from (f"verify: {one.name} {one.what}" for one in found.findings if str(one.state) in ("altered", "missing"))


def _nothing_lost(
    folder: RunFolder, ledger: Ledger, committed: dict[tuple[FrameId, int], StoredFrame]
) -> Iterator[str]:
    for key, frame in ledger.kept.items():
        if committed.get(key) != frame:
            yield f"{key[0]}, attempt {key[1]}, was acknowledged, and the journal does not have it so"
        path = folder.path / frame.path
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != frame.sha256:
            yield f"{key[0]}, attempt {key[1]}, was acknowledged, and its file is not what it was"


def _true(folder: RunFolder, ledger: Ledger, frame: StoredFrame) -> Iterator[str]:
    """A kept frame is what the camera delivered when it says that it was exposed."""
    try:
        image = read_frame(folder, frame)
    except XrmError as error:
        yield f"{frame.frame_id} is kept and cannot be read: {error}"
        return
    seen = ledger.seen.get(round(frame.exposure.t_start_s, 6))
    if seen != hashlib.sha256(image.tobytes()).hexdigest():
        yield f"{frame.frame_id} is kept, and is not what the camera delivered at {frame.exposure.t_start_s:.3f} s"


def _told_as_it_is(folder: RunFolder, recipe: Recipe, missing: dict, lives: dict, end: str) -> Iterator[str]:
    results = RESULTS.read(folder.results)
    whole = not missing and all(life.reason in ("", NOT_MEASURED) for life in lives.values())
    # Places that somebody has added in time are scanned in place of those of the recipe.
    chosen, planned = ROIS.read(folder.rois).rois, recipe.roi.planned()
    wanted = planned if isinstance(planned, int) else len(planned)
    enough = len(chosen) >= wanted or any(roi.added_by for roi in chosen)
    full = whole and enough and {roi.name for roi in chosen} <= set(lives)
    if end.startswith("exit 0") != (results.verdict.status is Verdict.COMPLETE):
        yield f"{end}, and results.json says {results.verdict.status}"
    if end.startswith("exit 0") and not full:
        yield f"exit 0, and {len(missing)} frames are missing, regions: {lives}"
    for roi, life in lives.items():
        if life.state not in (RoiState.QUARANTINED, RoiState.REPORTED):
            yield f"the run is done, and {roi} is {life.state}"
    with contextlib.closing(sqlite3.connect(f"file:{folder.journal}?mode=ro", uri=True)) as raw, raw:
        kept = raw.execute("SELECT count(*) FROM kept").fetchone()[0]
    told = sum(one.kept + one.retaken for one in results.frames.values())
    if told != kept:
        yield f"results.json adds up {told} kept frames, the journal {kept}"
