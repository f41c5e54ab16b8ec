"""A run that was ended goes on where it stood; what does not go together is refused, or taken again."""

from __future__ import annotations

import copy
import dataclasses
import math
import os
import re
import shutil
import signal
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import tifffile
from skimage.filters import gaussian
from skimage.registration import phase_cross_correlation

from simulators.faults import Fault
from tests.session.scripted import SMALL, with_faults
from tests.system.conftest import write_recipe
from xrm_control import app
from xrm_control.core.clock import Clock
from xrm_control.core.errors import Altered, DataError, Interrupted, ResourceLocked, SampleMoved
from xrm_control.core.events import (
    AnyEvent,
    Event,
    FrameKept,
    FrameRetaken,
    FrameWithdrawn,
    RunResumed,
    SampleCompared,
    ScanBegunAnew,
    StateEntered,
)
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.frame_id import FrameId
from xrm_control.core.states import ROI_ENDS, RunState
from xrm_control.devices.simulated import SimulatedBackend, SimulatedInstrument
from xrm_control.processing.soundness import Soundness
from xrm_control.storage.journal import Journal, JournalReader
from xrm_control.storage.run_folder import RunFolder

Happened = TypeVar("Happened", bound=Event)
TAKEN = 3  # projections, before the run is ended
# Seven views hold no particle that could be measured: the region is set aside, as it would be without a pause.
ENDED = ExitCode.PARTLY


class Life:
    """A run that is ended when so many projections are kept, and gone on with as often as is wished."""

    def __init__(self, folder: Path, ended_after: str = f"roi-01/proj_{TAKEN - 1:04d}", **changes: Any) -> None:
        self.heard: list[AnyEvent] = []
        self.ended_after = ended_after
        loaded = app.load(write_recipe(folder, **{**SMALL, **changes}))
        with pytest.raises(Interrupted):
            app.run(loaded, folder / "runs", None, self._until)
        (path,) = (folder / "runs").iterdir()
        self.folder = RunFolder(path)
        with self.journal() as journal:
            self.ended_s = journal.last_t_s() or 0.0
            self.kept = {plan.frame_id: frame.sha256 for plan, frame in journal.stored_frames()}

    def _until(self, event: AnyEvent) -> None:
        if isinstance(event, FrameKept) and event.frame == self.ended_after:
            os.kill(os.getpid(), signal.SIGINT)

    def resume(self) -> int:
        self.heard.clear()
        return app.resume(self.folder.path, None, self.heard.append).exit_code

    def events(self, kind: type[Happened]) -> list[Happened]:
        return [event for event in self.heard if isinstance(event, kind)]

    def journal(self) -> JournalReader:
        return JournalReader.open(self.folder.journal)

    def copied(self, folder: Path) -> Life:
        """The same life elsewhere, with a folder and ears of its own."""
        other = copy.copy(self)
        other.heard = []
        other.folder = RunFolder(Path(shutil.copytree(self.folder.path, folder / "runs" / self.folder.path.name)))
        return other


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Life:
    """Whoever goes on with it takes a copy."""
    return Life(tmp_path_factory.mktemp("ended"))


@pytest.fixture
def life(ended: Life, tmp_path: Path) -> Life:
    return ended.copied(tmp_path)


@pytest.fixture(scope="module")
def gone_on(ended: Life, tmp_path_factory: pytest.TempPathFactory) -> Life:
    """Gone on with to its end; it is only looked at."""
    life = ended.copied(tmp_path_factory.mktemp("gone_on"))
    assert life.resume() == ENDED
    return life


def test_it_goes_on_at_the_first_frame_that_is_open(gone_on: Life) -> None:
    (resumed,) = gone_on.events(RunResumed)
    assert (resumed.state, resumed.kept, resumed.stood_s) == ("aborted", len(gone_on.kept), gone_on.ended_s)
    taken = [event.frame for event in gone_on.events(FrameKept)]
    assert taken[0] == f"roi-01/proj_{TAKEN:04d}"
    assert not set(taken) & set(gone_on.kept)
    with gone_on.journal() as journal:
        now = {plan.frame_id: frame.sha256 for plan, frame in journal.stored_frames()}
        assert {name: now[name] for name in gone_on.kept} == gone_on.kept
        assert journal.accounting().complete
        states = [record.state for record in journal.states()]
    assert states[-1] is RunState.DONE
    assert states.count(RunState.HOMING) == 2


def test_the_first_new_frame_comes_within_ten_seconds_of_homing(gone_on: Life) -> None:
    homed_s = next(event.t_s for event in gone_on.events(StateEntered) if event.state is RunState.HOMING)
    assert gone_on.events(FrameKept)[0].t_s - homed_s < 10.0 + 6.0


def test_two_views_are_taken_again_and_compared(gone_on: Life) -> None:
    """The last one, and one that sees along its beam; the comparisons are files of the run and none of its frames."""
    compared = gone_on.events(SampleCompared)
    assert [one.frame for one in compared] == ["roi-01/proj_0002", "roi-01/proj_0000"]
    for one in compared:
        assert (one.x_um, one.y_um) == pytest.approx((0.0, 0.0), abs=0.15)
        assert one.flux_ratio == pytest.approx(1.0, abs=0.01)
    checks = sorted(gone_on.folder.checks.iterdir(), reverse=True)
    for one, check in zip(compared, checks, strict=True):
        before = tifffile.imread(gone_on.folder.frame_path(FrameId(one.frame)))
        # The same sample, and another exposure of it.
        correlation = np.corrcoef(tifffile.imread(check).ravel(), before.ravel())[0, 1]
        assert 0.9 < correlation < 0.9999
    with gone_on.journal() as journal:
        assert {journal.artifacts()[gone_on.folder.relative(check)].kind for check in checks} == {"check"}


# The run is ended at 20.8 s, its last view at -30 degrees, and gone on with there; homing takes three seconds.
SEEN = [("x", 12.0, 12.0 * math.cos(math.radians(30)), 0.0), ("y", -8.0, 0.0, -8.0)]


@pytest.mark.parametrize(("axis", "by_um", "across_um", "down_um"), SEEN)
def test_a_sample_that_has_moved_is_refused_with_the_figure(
    tmp_path: Path, axis: str, by_um: float, across_um: float, down_um: float
) -> None:
    moved = {"kind": "offset", "axis": axis, "amount": by_um, "at_s": 22.5, "hidden": True}
    life = Life(tmp_path, **with_faults(moved))
    assert life.ended_s < 22.5
    with pytest.raises(SampleMoved, match=r"as seen at -30\.0 deg") as refused:
        life.resume()
    found = [float(text) for text in re.findall(r"[+-]\d+\.\d+", str(refused.value.value))]
    assert found == pytest.approx([across_um, down_um], abs=0.2)
    assert not life.events(FrameKept)
    with life.journal() as journal:
        assert {plan.frame_id for plan, _ in journal.stored_frames()} == set(life.kept)


def test_a_move_along_the_beam_of_the_last_view_is_seen_by_another(tmp_path: Path) -> None:
    """The last view is edge-on, at 90 degrees: it shows nothing of x."""
    moved = {"kind": "offset", "axis": "x", "amount": 12.0, "at_s": 34.0, "hidden": True}
    life = Life(tmp_path, "roi-01/proj_0006", **with_faults(moved))
    assert 31.0 < life.ended_s < 34.0
    with pytest.raises(SampleMoved, match=r"as seen at -?0\.0 deg"):
        life.resume()


def test_a_sample_a_little_beside_begins_its_scan_anew(tmp_path: Path) -> None:
    """Views before and after would not fit: all are taken again, and the old ones stay on the disk."""
    life = Life(tmp_path, **with_faults({"kind": "offset", "axis": "x", "amount": 1.5, "at_s": 22.5, "hidden": True}))
    assert life.resume() == ENDED
    for compared in life.events(SampleCompared):
        assert (compared.x_um, compared.y_um) == pytest.approx(by_another_formula(life, compared.frame), abs=0.25)
    assert life.events(SampleCompared)[0].x_um == pytest.approx(1.5 * math.cos(math.radians(30)), abs=0.1)
    (anew,) = life.events(ScanBegunAnew)
    assert anew.frames == len(of_scan(life))
    assert taken_anew(life) == of_scan(life)
    assert all(life.folder.frame_path(FrameId(name)).is_file() for name in of_scan(life))


def by_another_formula(life: Life, frame: str) -> tuple[float, float]:
    """How far what is seen again lies beside (x, y) in um, by scikit-image, to half a pixel."""
    before, now, flat, dark = (
        tifffile.imread(path).astype(float)
        for path in (
            life.folder.frame_path(FrameId(frame)),
            next(life.folder.checks.glob(f"{frame.replace('/', '_')}_*")),
            life.folder.frame_path(FrameId("roi-01/flat_0000")),
            life.folder.frame_path(FrameId("roi-01/dark_0000")),
        )
    )
    seen, again = (gaussian((image - dark) / (flat - dark), 1.0) for image in (before, now))
    plain: Any = None  # correlation as it is; its type does not say so
    (down, right), *_ = phase_cross_correlation(seen, again, upsample_factor=20, normalization=plain)
    # The content moves against the stage: what is seen farther left belongs to a place farther right.
    return 0.512 * float(right), 0.512 * float(down)


def of_scan(life: Life) -> set[str]:
    """What was kept of the scan before the pause: a dark, a flat and the views."""
    found = {str(name) for name in life.kept if name.startswith("roi-01/")}
    assert len(found) == 1 + 1 + TAKEN
    return found


def taken_anew(life: Life) -> set[str]:
    """Frames whose second attempt counts."""
    with life.journal() as journal:
        return {str(plan.frame_id) for plan, frame in journal.stored_frames() if frame.attempt == 2}


def test_in_other_light_the_scan_is_begun_anew(tmp_path: Path) -> None:
    """Flats before and after a step are weighted by time, which is right for neither side of it."""
    life = Life(tmp_path, **with_faults({"kind": "flux", "factor": 0.9, "at_s": 22.5, "duration_s": 9000.0}))
    assert life.resume() == ENDED
    (anew,) = life.events(ScanBegunAnew)
    assert "the light is 9" in anew.reason
    assert life.events(SampleCompared)[0].flux_ratio == pytest.approx(0.9, abs=0.02)
    assert taken_anew(life) == of_scan(life)


@pytest.mark.parametrize(
    "meanwhile",
    [
        {"kind": "offset", "axis": "y", "amount": 1.2, "hidden": True},
        {"kind": "flux", "factor": 0.9, "duration_s": 9000.0},
    ],
    ids=lambda fault: fault["kind"],
)
def test_a_mosaic_that_would_not_fit_is_begun_anew(tmp_path: Path, meanwhile: dict[str, Any]) -> None:
    life = Life(tmp_path, "mosaic/tile_r00_c01", **with_faults({**meanwhile, "at_s": 5.5}))
    assert 4.0 < life.ended_s < 5.5
    assert life.resume() == ENDED
    (anew,) = life.events(ScanBegunAnew)
    assert (anew.roi, anew.frames) == ("mosaic", len(life.kept))
    with life.journal() as journal:
        assert {plan.frame_id for plan, frame in journal.stored_frames("") if frame.attempt == 2} == set(life.kept)


def test_limits_that_were_narrowed_hold_for_what_is_ahead_alone(life: Life) -> None:
    """The mosaic reached 33 um to the left; the region is scanned in the middle, its flats to the right."""

    class Narrowed(SimulatedInstrument):
        async def connect(self) -> None:
            await super().connect()
            about = self._description
            x = dataclasses.replace(about.axes["x"], low_limit=-20.0)
            self._description = dataclasses.replace(about, axes={**about.axes, "x": x})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SimulatedBackend, "open", lambda self, clock: Narrowed(self._microscope(clock.begun_s), clock))
        assert life.resume() == ENDED


def retaken_with(life: Life, fault: Fault) -> FrameRetaken:
    """Gone on with on an instrument with a fault: the one frame that was taken again for it."""

    def open_(self: SimulatedBackend, clock: Clock) -> SimulatedInstrument:
        microscope = self._microscope(clock.begun_s)
        microscope.add_fault(fault)
        return SimulatedInstrument(microscope, clock)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SimulatedBackend, "open", open_)
        assert life.resume() == ENDED
    (retaken,) = life.events(FrameRetaken)
    return retaken


def test_what_was_kept_is_known_again(life: Life) -> None:
    """The first view after the pause shows no light: only the darks of before tell."""
    # Two views are compared; the third exposure is the scan's.
    retaken = retaken_with(life, Fault(kind="dark_frame", frames=(3,)))
    assert retaken.frame == f"roi-01/proj_{TAKEN:04d}"
    assert "no light" in retaken.text


def test_references_of_earlier_regions_are_known_again(tmp_path: Path) -> None:
    """Light leaks into the only dark of the second region: the darks of the first one tell, and nobody else can."""
    places = {"roi": {"kind": "manual", "positions": [{"x_um": -32.8, "y_um": 0}, {"x_um": 32.8, "y_um": 0}]}}
    life = Life(tmp_path, "roi-01/proj_0006", **places)
    # Two views are compared, the first region's last flat is taken, then the second one's dark.
    retaken = retaken_with(life, Fault(kind="light_leak_frame", frames=(4,)))
    assert retaken.frame == "roi-02/dark_0000"
    assert "differs from the other darks" in retaken.text


def test_a_damaged_frame_is_taken_again(life: Life) -> None:
    path = life.folder.frame_path(next(name for name in life.kept if name == "roi-01/proj_0001"))
    path.write_bytes(path.read_bytes()[:-100])
    assert life.resume() == ENDED
    (withdrawn,) = life.events(FrameWithdrawn)
    assert withdrawn.frame == "roi-01/proj_0001"
    assert "roi-01/proj_0001" in [event.frame for event in life.events(FrameKept)]


def test_frames_of_a_region_that_is_over_may_be_gone(tmp_path: Path) -> None:
    """Nobody takes them again, and nobody needs them to go on: `xrm verify` names them."""
    places = {"roi": {"kind": "manual", "positions": [{"x_um": -32.8, "y_um": 0}, {"x_um": 32.8, "y_um": 0}]}}
    life = Life(tmp_path, "roi-02/dark_0000", **places)
    with life.journal() as journal:
        assert journal.roi_states()["roi-01"].state in ROI_ENDS
    gone = sorted((life.folder.frames / "roi-01").glob("*.tif"))
    for path in gone:
        path.unlink()
    assert life.resume() == ENDED
    assert {one.name for one in app.verify(life.folder.path).findings if one.state is Soundness.MISSING} >= {
        life.folder.relative(path) for path in gone
    }


@pytest.mark.parametrize(
    "ended_after", ["mosaic/dark_0000", "mosaic/tile_r00_c01", "roi-01/dark_0000", "roi-01/proj_0006"]
)
def test_wherever_it_was_ended_it_comes_to_its_end(tmp_path: Path, ended_after: str) -> None:
    life = Life(tmp_path, ended_after)
    assert life.resume() == ENDED
    with life.journal() as journal:
        assert journal.accounting().complete
        assert journal.accounting().kept == (4 + 1 + 1) + (7 + 2 + 1)


def test_a_run_that_is_done_is_left_as_it_is(gone_on: Life, tmp_path: Path) -> None:
    life = gone_on.copied(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in life.folder.path.rglob("*") if path.is_file()}
    assert life.resume() == ENDED
    assert life.heard == []
    after = {path: path.stat().st_mtime_ns for path in life.folder.path.rglob("*") if path.is_file()}
    assert {name for name in before if before[name] != after.get(name)} <= {life.folder.lock_file}


def test_twice_ended_it_goes_on_twice(life: Life) -> None:

    def again(event: AnyEvent) -> None:
        if isinstance(event, FrameKept) and event.frame == "roi-01/proj_0004":
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        app.resume(life.folder.path, None, again)
    assert life.resume() == ENDED
    with life.journal() as journal:
        assert len(journal.events_of(RunResumed.kind)) == 2
        assert journal.accounting().retaken <= 2


def test_nobody_goes_on_with_a_run_that_somebody_carries_out(life: Life) -> None:
    with life.folder.lock(), pytest.raises(ResourceLocked):
        life.resume()
    assert life.heard == []


def test_another_recipe_in_its_folder_is_refused(life: Life) -> None:
    text = life.folder.recipe.read_text()
    life.folder.recipe.write_text(text.replace("projections: 7", "projections: 9"))
    with pytest.raises(Altered, match="not the one that the run was begun with"):
        life.resume()
    life.folder.recipe.write_text(text)
    assert life.resume() == ENDED


def test_a_damaged_journal_is_refused(life: Life) -> None:
    data = bytearray(life.folder.journal.read_bytes())
    data[4096 * 2 : 4096 * 4] = b"\xff" * 8192
    life.folder.journal.write_bytes(data)
    with pytest.raises(DataError, match="journal"):
        life.resume()


def test_what_it_took_is_summed_over_both_sittings(gone_on: Life) -> None:
    """The pause is no time of the scan; the frames of both sittings are."""
    results = app.resume(gone_on.folder.path).results
    with Journal.open(gone_on.folder.journal) as journal:
        attempts = [t for (t,) in journal._connection.execute("SELECT t_s FROM attempt WHERE frame_id LIKE 'roi-01/%'")]
    scan_s = results.instrument_times.scan_s["roi-01"]
    whole_s = max(attempts) - min(attempts)
    gap_s = max(b - a for a, b in zip(sorted(attempts), sorted(attempts)[1:], strict=False))
    assert whole_s - gap_s < scan_s < whole_s - gap_s + 13.0


def test_results_and_report_tell_of_the_pause_and_what_was_found(gone_on: Life) -> None:
    (pause,) = app.resume(gone_on.folder.path).results.pauses
    assert (pause.from_s, pause.to_s) == (gone_on.ended_s, gone_on.ended_s)
    resumed, *compared = pause.found
    assert "gone on with, from aborted at 20.8 s; 11 frames are kept" in resumed
    assert [text.partition(" ")[0] for text in compared] == ["roi-01/proj_0002", "roi-01/proj_0000"]
    page = gone_on.folder.report.read_text()
    assert "Paused from 20.8 s to 20.8 s of its time" in page
    assert "roi-01/proj_0002 taken again: " in page
