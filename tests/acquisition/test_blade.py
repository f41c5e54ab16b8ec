"""The opaque blade is in the beam for the frames behind it alone, and no axis moves while it is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acquisition.bench import Bench
from xrm_control.acquisition.steps import FrameStep
from xrm_control.acquisition.tomography import TomographySpec
from xrm_control.core.clock import VIRTUAL, Clock, run, utc_now
from xrm_control.core.errors import BlockerStuck, DeviceError
from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose
from xrm_control.core.states import FrameKind
from xrm_control.devices.simulated import SimulatedBackend, SimulatedInstrument

CLEAR = Pose(250, 0, 0, 0)
STEPS = (
    FrameStep(FrameId("roi-01/dark_0000"), FrameKind.DARK, 0, CLEAR, shutter_open=False),
    FrameStep(FrameId("roi-01/flat_0000"), FrameKind.FLAT, 0, CLEAR),
    *(FrameStep(FrameId(f"roi-01/blocker_{i:04d}"), FrameKind.BLOCKER, i, CLEAR, blocked=True) for i in range(2)),
    *(FrameStep(FrameId(f"roi-01/proj_{i:04d}"), FrameKind.PROJECTION, i, Pose(0, 0, 0, i)) for i in range(2)),
)


def bench(**said: Any) -> Bench:
    made = Bench(**said)
    made.backend = SimulatedBackend(specimen="empty", blocker=True)
    return made


class Sticks:
    """A blade that does not go where it is told to, in one sense."""

    def __init__(self, instrument: SimulatedInstrument, in_: bool) -> None:
        self.real, self.sense, self.asked = instrument.blocker, in_, 0

    async def set(self, in_: bool) -> None:
        self.asked += 1
        if in_ == self.sense:
            raise BlockerStuck("the blade does not follow its command", where="blade")
        assert self.real is not None
        await self.real.set(in_)

    async def is_in(self) -> bool:
        assert self.real is not None
        return await self.real.is_in()


def sticking(in_: bool) -> Any:
    def change(instrument: SimulatedInstrument) -> SimulatedInstrument:
        instrument._blocker = Sticks(instrument, in_)
        return instrument

    return change


def spans(made: Bench) -> list[tuple[float, float]]:
    """When the blade was in the beam, or on its way there or back."""
    assert made.instrument is not None
    microscope = made.instrument.microscope
    travel_s = microscope.config.blocker_s or 0.0
    return [(begin_s - travel_s, end_s) for begin_s, end_s in microscope._blade.closed_periods()]


def test_it_is_in_for_the_frames_behind_it_and_nothing_moves_meanwhile() -> None:
    made = bench()
    made.run(STEPS)
    assert made.outcomes() == dict.fromkeys((step.frame_id for step in STEPS), "keep")
    ((begin_s, end_s),) = spans(made)
    behind = {step.frame_id for step in STEPS if step.blocked}
    for name, frame in made.sink.kept.items():
        assert (begin_s + 0.5 <= frame.started_s and frame.ended_s <= end_s - 0.5) == (name in behind), name
        assert (frame.ended_s <= begin_s or frame.started_s >= end_s) == (name not in behind), name
    assert made.instrument is not None
    moves = made.instrument.microscope.trace(1e6).motions
    assert [one for one in moves if one.begin_s < end_s and one.end_s > begin_s] == []
    assert any(one.begin_s >= end_s for one in moves)
    assert made.violations() == []


def test_its_frame_shows_shade_and_beam() -> None:
    made = bench()
    made.run(STEPS)
    frames = {str(name): frame.image.astype(float) for name, frame in made.sink.kept.items()}
    dark, flat, behind = (frames[f"roi-01/{name}_0000"] for name in ("dark", "flat", "blocker"))
    passed = (behind - dark) / (flat - dark)
    assert passed[:, 80:].mean() == pytest.approx(1, abs=0.02)
    assert passed[:, :50].mean() == pytest.approx(0, abs=0.002)


def test_one_that_does_not_go_in_costs_the_frames_behind_it_alone() -> None:
    made = bench(change=sticking(True))
    made.run(STEPS)
    assert made.outcomes() == {step.frame_id: "missing" if step.blocked else "keep" for step in STEPS}


def test_one_that_does_not_come_out_lets_nothing_move() -> None:
    made = bench(change=sticking(False))
    with pytest.raises(BlockerStuck, match="does not follow"):
        made.run(STEPS)
    assert not any("proj" in name for name in made.outcomes())
    assert made.instrument is not None
    (begin_s, _), *_ = spans(made)
    assert all(one.end_s <= begin_s for one in made.instrument.microscope.trace(1e6).motions)


def test_an_instrument_without_one_cannot_take_them() -> None:
    with pytest.raises(DeviceError, match="has no opaque blade"):
        Bench().run(STEPS)


def test_the_safe_state_and_homing_have_it_out() -> None:
    async def main() -> None:
        instrument = SimulatedBackend(specimen="empty", blocker=True).open(Clock(utc_now()))
        blade = instrument.blocker
        assert blade is not None
        for ends in (instrument.make_safe, instrument.home):
            await blade.set(True)
            assert await blade.is_in()
            await ends()
            assert not await blade.is_in()

    run(main(), VIRTUAL)


def test_a_safe_state_with_the_blade_in_is_not_verified() -> None:
    async def main() -> None:
        instrument = sticking(False)(SimulatedBackend(specimen="empty", blocker=True).open(Clock(utc_now())))
        found = await instrument.make_safe()
        assert (found.shutter_closed, found.verified) == (True, False)
        assert "the blade does not follow" in found.problems[0]

    run(main(), VIRTUAL)


# scan.blocker, what realism the instrument has, whether it has a blade of its own, frames
@pytest.mark.parametrize(
    ("said", "realism", "blade", "frames"),
    [("auto", "ideal", None, 0), ("auto", "lab", None, 3), ("auto", "lab", False, 0), ("auto", "ideal", True, 3),
     (0, "lab", None, 0), (7, "lab", None, 7)],
)  # fmt: skip
def test_how_many_frames(said: Any, realism: Any, blade: bool | None, frames: int) -> None:
    about = SimulatedBackend(realism=realism, blocker=blade).describe()
    assert TomographySpec(blocker=said).blockers(about) == frames


def test_settings_at_their_defaults_leave_hashes_as_they_were() -> None:
    assert "blocker" not in TomographySpec().model_dump() | SimulatedBackend().model_dump()
    assert TomographySpec(blocker=2).model_dump()["blocker"] == 2
    assert SimulatedBackend(blocker=False).model_dump()["blocker"] is False
