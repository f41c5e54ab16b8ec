"""Commands in each state: legal and carried out, or refused with the reason. The instrument's trace judges each run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.session.operators import BY, Operator
from tests.session.scripted import SMALL, with_faults
from tests.system.conftest import write_recipe
from xrm_control import app
from xrm_control.contracts.commands import Abort, Add, Command, Continue, Order, Pause, Skip, Stop, Until
from xrm_control.contracts.results import RESULTS
from xrm_control.contracts.rois import ROIS
from xrm_control.core.errors import Interrupted, UnusableData
from xrm_control.core.events import (
    AnyEvent,
    CommandDone,
    CommandEvent,
    CommandRefused,
    Event,
    FrameKept,
    PauseDisturbed,
    PlacesLeft,
    RunStopped,
    SafeStateVerified,
    SampleCompared,
    ScanBegunAnew,
    StateEntered,
)
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.states import RoiState, RunState
from xrm_control.devices.simulated import SimulatedBackend, SimulatedInstrument
from xrm_control.storage.journal import JournalReader
from xrm_control.storage.run_folder import RunFolder

Happened = TypeVar("Happened", bound=Event)
# Seven views hold no particle that could be measured: the region is set aside, as it would be without any command.
PARTLY = ExitCode.PARTLY
# The mosaic is taken from 0.3 s on; the region is scanned from 13 to 34 s, its projections from 17 s on.
IN_MOSAIC_S, IN_SCAN_S, LATE_S = 5.0, 20.0, 1000.0


class Night:
    """A run with an operator, and what came of it."""

    def __init__(self, folder: Path, *script: tuple[float, Command], **changes: Any) -> None:
        folder.mkdir(exist_ok=True)
        self.heard: list[AnyEvent] = []
        self.operator = Operator(*script)
        loaded = app.load(write_recipe(folder, **{**SMALL, **changes}))
        try:
            self.code = app.run(loaded, folder / "runs", None, self.heard.append, operator=self.operator).exit_code
        except Interrupted as error:
            self.code = error.exit_code
        (path,) = (folder / "runs").iterdir()
        self.folder = RunFolder(path)

    def resume(self, *script: tuple[float, Command]) -> int:
        self.heard.clear()
        self.operator = Operator(*script)
        operator = self.operator if script else None
        self.code = app.resume(self.folder.path, None, self.heard.append, operator=operator).exit_code
        return self.code

    @property
    def replies(self) -> list[str]:
        return [("" if reply.accepted else "refused: ") + reply.text for reply in self.operator.replies]

    @property
    def states(self) -> list[str]:
        return [event.state.value for event in self.events(StateEntered)]

    def events(self, kind: type[Happened]) -> list[Happened]:
        return [event for event in self.heard if isinstance(event, kind)]

    def journal(self) -> JournalReader:
        return JournalReader.open(self.folder.journal)


def test_a_pause_is_safe_within_a_frame_and_costs_nothing(tmp_path: Path) -> None:
    """In four states, one after the other; beside a run that nobody paused."""
    begun = [(0.1, "homing"), (25.0, "mosaicking"), (50.5, "referencing"), (80.0, "scanning")]
    script = [one for at_s, _ in begun for one in ((at_s, Pause()), (at_s + 20, Continue()))]
    night, plain = Night(tmp_path / "paused", *script), Night(tmp_path / "plain")
    assert night.code == plain.code == PARTLY
    paused = [event for event in night.events(StateEntered) if event.state is RunState.PAUSED]
    for event, (at_s, state) in zip(paused, begun, strict=True):
        at = night.events(StateEntered).index(event)
        assert night.states[at - 1] == state == night.states[at + 1]
        # One frame: its move, exposure and read-out, and the shutter. Homing is not cut short.
        assert event.t_s - at_s < 3.5
        before = night.heard[: night.heard.index(event)]
        verified = [one for one in before if isinstance(one, SafeStateVerified)][-1]
        assert verified.shutter_closed
        assert all(verified.axes_at_rest.values())
        after = night.heard[night.heard.index(event) :]
        assert next(one for one in after if isinstance(one, FrameKept)).t_s >= at_s + 20
    with night.journal() as journal:
        assert journal.accounting().complete
        assert journal.accounting().retaken == 0
    assert {event.by for event in night.events(CommandEvent)} == {BY}
    # Standing still is no time of mosaic or scan.
    undisturbed, disturbed = (RESULTS.read(one.folder.results).instrument_times for one in (plain, night))
    assert disturbed.scan_s["roi-01"] == pytest.approx(undisturbed.scan_s["roi-01"], abs=8.0)
    assert disturbed.mosaic_s == pytest.approx(undisturbed.mosaic_s, abs=4.0)
    pauses = RESULTS.read(night.folder.results).pauses
    assert [pause.to_s - pause.from_s for pause in pauses] == pytest.approx([20] * 4, abs=3.5)
    assert [text.partition(",")[0] for text in pauses[1].found] == ["pause", "continue"]


def test_after_a_long_pause_the_sample_is_looked_at_again(tmp_path: Path) -> None:
    night = Night(tmp_path, (IN_SCAN_S, Pause()), (IN_SCAN_S + 40, Continue()))
    assert night.code == PARTLY
    assert [event.frame for event in night.events(SampleCompared)]
    assert not night.events(ScanBegunAnew)


def test_a_sample_that_was_touched_meanwhile_begins_its_scan_anew(tmp_path: Path) -> None:
    moved = {"kind": "offset", "axis": "x", "amount": 1.5, "at_s": 30.0, "hidden": True}
    night = Night(tmp_path, (IN_SCAN_S, Pause()), (IN_SCAN_S + 40, Continue()), **with_faults(moved))
    (anew,) = night.events(ScanBegunAnew)
    assert anew.roi == "roi-01"
    with night.journal() as journal:
        again = [frame.attempt for plan, frame in journal.stored_frames("roi-01")]
        assert again.count(2) == anew.frames > 2
        assert journal.accounting().complete
    assert night.states.count("aligning") == 2


def test_the_mosaic_too_is_begun_anew(tmp_path: Path) -> None:
    moved = {"kind": "offset", "axis": "y", "amount": 1.2, "at_s": 15.0, "hidden": True}
    night = Night(tmp_path, (IN_MOSAIC_S, Pause()), (IN_MOSAIC_S + 40, Continue()), **with_faults(moved))
    (anew,) = night.events(ScanBegunAnew)
    assert anew.roi == "mosaic"
    with night.journal() as journal:
        assert journal.accounting().complete
    mosaic_s = RESULTS.read(night.folder.results).instrument_times.mosaic_s
    assert mosaic_s is not None
    assert mosaic_s < 30.0


def test_who_uses_the_instrument_meanwhile_is_told_of(tmp_path: Path) -> None:
    class Curious(SimulatedInstrument):
        """At 40 s somebody opens the shutter by hand."""

        async def connect(self) -> None:
            await super().connect()
            self._loop.call_at(40.0, lambda: self.microscope.set_shutter(True, 40.0))
            self._loop.call_at(48.0, lambda: self.microscope.set_shutter(False, 48.0))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SimulatedBackend, "open", lambda self, clock: Curious(self._microscope(clock.begun_s), clock))
        # The judge of the trace would hold what somebody else does against the run.
        patch.setattr("tests.conftest._judge", lambda *_: None)
        night = Night(tmp_path, (IN_SCAN_S, Pause()), (IN_SCAN_S + 40, Continue()))
    assert [event.what for event in night.events(PauseDisturbed)] == ["the shutter is open"]


# command, when it comes, why it is refused
REFUSED: list[tuple[Command, float, str]] = [
    (Continue(), IN_MOSAIC_S, "not paused"),
    (Skip(roi="roi-01"), IN_MOSAIC_S, "none is chosen yet"),
    (Order(rois=("roi-01",)), IN_MOSAIC_S, "no such region (value roi-01) -> the regions: none is chosen yet"),
    (Until(stage="tea"), IN_MOSAIC_S, "no such stage"),
    (Continue(), IN_SCAN_S, "not paused"),
    (Skip(roi="roi-07"), IN_SCAN_S, "no such region (value roi-07) -> the regions: roi-01"),
    (Order(rois=("roi-07",)), IN_SCAN_S, "no such region (value roi-07) -> the regions: roi-01"),
    (Order(rois=("roi-01",)), IN_SCAN_S, "its scan has begun (value roi-01) -> those that wait: none"),
    (Until(stage="mosaic"), IN_SCAN_S, "is over already"),
    (Until(stage="roi-09"), IN_SCAN_S, "no such stage"),
    (Add(x_um=0.0, y_um=5.0), IN_SCAN_S, "overlaps that of roi-01"),
    (Add(x_um=900.0, y_um=0.0), IN_SCAN_S, "leaves the mosaic"),
    (Add(x_um=0.0, y_um=0.0, width_um=1e12), IN_SCAN_S, "too many regions"),
    (Add(x_um=0.0, y_um=0.0, width_um=5000.0, height_um=5000.0), IN_SCAN_S, "too many regions"),
    (Pause(), IN_SCAN_S + 2, ""),
    (Pause(), IN_SCAN_S + 2.01, "paused already"),
    (Pause(), IN_SCAN_S + 10, "paused already"),
    (Continue(), IN_SCAN_S + 11, ""),
    # Taken back before the frame in flight had ended.
    (Pause(), IN_SCAN_S + 13, ""),
    (Continue(), IN_SCAN_S + 13.01, ""),
]


def test_what_cannot_be_is_refused_with_the_reason(tmp_path: Path) -> None:
    night = Night(tmp_path, *((at_s, command) for command, at_s, _ in REFUSED))
    for (_, _, why), reply in zip(REFUSED, night.replies, strict=True):
        assert reply.startswith("refused: ") == bool(why)
        assert why in reply
    assert [event.reason for event in night.events(CommandRefused)] == [
        reply.removeprefix("refused: ") for reply in night.replies if reply.startswith("refused")
    ]
    assert night.states.count("paused") == 1
    assert night.code == PARTLY
    with night.journal() as journal:
        assert journal.accounting().complete


TWO: dict[str, Any] = {
    "mosaic": {"columns": 3, "rows": 2, "flats": 1, "darks": 1},
    "roi": {"kind": "manual", "positions": [{"x_um": -33.0, "y_um": 0.0}, {"x_um": 33.0, "y_um": 0.0}]},
}
# With three columns the first region is scanned from 16 s on, the second from about 40 s.
FIRST_S, SECOND_S = 26.0, 52.0


def test_a_region_that_is_scanned_can_be_skipped(tmp_path: Path) -> None:
    night = Night(tmp_path, (FIRST_S, Skip(roi="roi-01")), **TWO)
    assert night.replies == ["is set aside after the frame in flight"]
    with night.journal() as journal:
        lives = journal.roi_states()
        assert (lives["roi-01"].state, lives["roi-01"].reason) == (RoiState.QUARANTINED, f"skipped by {BY}")
        assert 0 < journal.accounting("roi-01").kept < 10
        assert journal.accounting("roi-01").open == 0
        assert journal.accounting("roi-02").complete
    assert night.states[-1] == "done"
    verdict = RESULTS.read(night.folder.results).verdict
    assert verdict.reasons[0] == f"roi-01 is set aside: skipped by {BY}"
    assert not any("frames are missing" in reason for reason in verdict.reasons)


def test_a_region_to_come_can_be_skipped_and_one_that_was_scanned_cannot(tmp_path: Path) -> None:
    night = Night(tmp_path, (FIRST_S, Skip(roi="roi-02")), (FIRST_S + 1, Skip(roi="roi-02")), **TWO)
    assert night.replies[0] == "is set aside"
    assert "its scan is over" in night.replies[1]
    with night.journal() as journal:
        assert journal.accounting("roi-02").planned == 0
        assert journal.roi_states()["roi-02"].reason == f"skipped by {BY}"


def test_skipped_while_paused_it_is_set_aside_when_the_run_goes_on(tmp_path: Path) -> None:
    script = ((FIRST_S, Pause()), (FIRST_S + 8, Skip(roi="roi-01")), (FIRST_S + 9, Continue()))
    night = Night(tmp_path, *script, **TWO)
    assert [event.outcome for event in night.events(CommandDone)][-1] == "set aside"
    assert night.states[-1] == "done"


def test_a_place_is_added_while_a_region_is_scanned(tmp_path: Path) -> None:
    night = Night(
        tmp_path,
        (FIRST_S, Add(x_um=33.0, y_um=0.0)),
        **{**TWO, "roi": {**TWO["roi"], "positions": TWO["roi"]["positions"][:1]}},
    )
    assert night.replies == ["is added as roi-02"]
    added = ROIS.read(night.folder.rois).rois[1]
    assert (added.name, added.x_um, added.added_by) == ("roi-02", 33.0, BY)
    with night.journal() as journal:
        assert journal.accounting("roi-02").complete
        assert journal.accounting("roi-02").planned == 10
        assert journal.artifacts()["mosaic.png"].sha256


def test_places_that_were_left_stay_on_record_until_one_is_added(tmp_path: Path) -> None:
    hair = {"name": "hair", "x_um": 33.0, "y_um": 33.0, "diameter_um": 1.0}
    roi = {**TWO["roi"], "positions": TWO["roi"]["positions"][:1], "avoid": [hair]}
    night = Night(tmp_path, (IN_MOSAIC_S, Until(stage="rois")), **{**TWO, "roi": roi})
    before = ROIS.read(night.folder.rois)
    assert [(area.name, area.width_um, area.disc) for area in before.avoided] == [("hair", 1.0, True)]
    assert before.rois[0].edge_on is not None
    assert before.rejected
    assert all(abs(one.x_um + 33) >= 65 or abs(one.y_um) >= 65 for one in before.rejected)
    (told,) = night.events(PlacesLeft)
    assert told.places == len(before.rejected)
    with night.journal() as journal:
        stood_s = journal.last_t_s() or 0.0
    night.resume((stood_s + 0.1, Add(x_um=33.0, y_um=0.0)))
    after = ROIS.read(night.folder.rois)
    assert after.rois[0] == before.rois[0]
    assert after.rois[1].reason == f"added by {BY}; touches the area to avoid 'hair'"
    assert {one.x_um for one in after.rejected} < {one.x_um for one in before.rejected}
    assert all(abs(one.x_um - 33) >= 65 or abs(one.y_um) >= 65 for one in after.rejected)


def test_a_run_is_stopped_in_order_and_gone_on_with(tmp_path: Path) -> None:
    """Six sittings; after each the instrument is safe, the report says where it stands, and nothing is taken twice."""
    night = Night(tmp_path, (IN_MOSAIC_S, Stop(after="scan")), **TWO)
    sittings: list[tuple[str, Command | None, dict[str, range]]] = [
        ("after mosaic", Until(stage="rois"), {"": range(8, 9), "roi-01": range(1)}),
        ("after rois", Stop(after="frame"), {"": range(8, 9), "roi-01": range(1)}),
        ("after the frame in flight", Stop(after="region"), {"roi-01": range(1, 10)}),
        ("after roi-01", Until(stage="roi-02"), {"roi-01": range(10, 11), "roi-02": range(1)}),
        ("after roi-02", None, {"roi-02": range(10, 11)}),
    ]
    for when, then, kept in sittings:
        assert night.code == ExitCode.RESUMABLE
        assert night.states[-1] == "paused"
        (stopped,) = night.events(RunStopped)
        assert stopped.reason == f"stopped {when} by {BY}"
        assert night.events(SafeStateVerified)[-1].shutter_closed
        results = RESULTS.read(night.folder.results)
        assert (results.verdict.status, results.verdict.reasons[0]) == ("incomplete", stopped.reason)
        summary = app.status(night.folder.path)
        assert (summary.stopped, summary.died, summary.ended) == (True, False, False)
        with night.journal() as journal:
            stood_s = journal.last_t_s() or 0.0
            for roi, among in kept.items():
                assert journal.accounting(roi).kept in among
        # Ten seconds after it is gone on with: homing, two views that are compared, and the next frames.
        night.resume(*(() if then is None else ((stood_s + (20.0 if then == Stop() else 0.1), then),)))
    assert night.code == PARTLY
    with night.journal() as journal:
        assert journal.accounting().complete
        assert (journal.accounting().kept, journal.accounting().retaken) == (8 + 10 + 10, 0)
    # Each time it was gone on with is told once, with what was found then.
    found = [[text.partition(",")[0] for text in pause.found] for pause in RESULTS.read(night.folder.results).pauses]
    assert [texts[0] for texts in found] == ["gone on with"] * 5
    assert [texts.count("gone on with") for texts in found] == [1] * 5


def test_in_the_mosaic_the_region_in_progress_is_the_first(tmp_path: Path) -> None:
    night = Night(tmp_path, (IN_MOSAIC_S, Stop(after="region")), **TWO)
    (stopped,) = night.events(RunStopped)
    assert stopped.reason == f"stopped after roi-01 by {BY}"


def test_the_mosaic_first_then_places_by_hand(tmp_path: Path) -> None:
    night = Night(tmp_path, (IN_MOSAIC_S, Until(stage="mosaic")), **TWO)
    assert app.send(night.folder.path, Add(x_um=0.0, y_um=900.0)).startswith("waits until the run is gone on with")
    # Alone, a place that cannot be scanned is not made up for by those that the recipe would choose.
    with pytest.raises(UnusableData, match="none of the places"):
        night.resume()
    assert app.send(night.folder.path, Add(x_um=0.0, y_um=4.0)).startswith("waits until the run is gone on with")
    assert night.resume() == PARTLY
    (region,) = ROIS.read(night.folder.rois).rois
    assert (region.name, region.x_um, region.y_um) == ("roi-01", 0.0, 4.0)
    # Nobody misses the regions that the recipe would have chosen.
    assert not any("were found" in reason for reason in RESULTS.read(night.folder.results).verdict.reasons)


def test_a_box_around_a_region_that_was_added_is_no_second_name_for_it(tmp_path: Path) -> None:
    """Whoever adds a place, and then a box around it, is told that they overlap: the box is not taken for done."""
    night = Night(tmp_path, (IN_MOSAIC_S, Until(stage="mosaic")), **TWO)
    app.send(night.folder.path, Add(x_um=0.0, y_um=4.0))
    night.resume((night.events(RunStopped)[0].t_s + 12.0, Stop(after="frame")))
    app.send(night.folder.path, Add(x_um=0.0, y_um=4.0, width_um=130.0, height_um=60.0))
    assert night.resume() == PARTLY
    assert "overlaps that of roi-01" in night.events(CommandRefused)[0].reason
    assert [roi.name for roi in ROIS.read(night.folder.rois).rois] == ["roi-01"]


def test_an_abort_ends_the_run_at_once(tmp_path: Path) -> None:
    night = Night(tmp_path, (FIRST_S + 0.4, Abort()), **TWO)
    assert night.code == ExitCode.INTERRUPTED
    assert night.states[-2:] == ["aborting", "aborted"]
    verified = night.events(SafeStateVerified)[-1]
    assert verified.t_s - (FIRST_S + 0.4) < 1.0
    assert night.resume() == PARTLY
