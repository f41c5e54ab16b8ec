"""The witness itself: faults planted in the program are seen in the instrument's trace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import BrokenPromise
from tests.session.scripted import Night, with_faults
from xrm_control.acquisition.engine import Engine
from xrm_control.acquisition.positioning import Positioning
from xrm_control.acquisition.recovery import Recovery
from xrm_control.core.clock import Clock
from xrm_control.core.events import RunHeld
from xrm_control.core.geometry import Pose
from xrm_control.devices.simulated import SimulatedInstrument

pytestmark = pytest.mark.usefixtures("white_figures", "searched_once")


@asynccontextmanager
async def _open_shutter(engine: Any) -> AsyncIterator[None]:
    """While the block runs nothing closes the shutter."""
    shutter = engine._instrument.shutter
    real = shutter.set

    async def only_opens(open_: bool) -> None:
        if open_:
            await real(open_)

    shutter.set = only_opens
    try:
        yield
    finally:
        shutter.set = real


def _while_open(kind: type, name: str) -> Any:
    """The method, carried out with a shutter that nobody closes."""
    real = getattr(kind, name)

    async def planted(self: Any, *arguments: Any) -> Any:
        async with _open_shutter(self):
            return await real(self, *arguments)

    return planted


async def _unverified(self: Positioning, pose: Pose, where: str, *, blocked: bool = False) -> Pose:
    """Send the axes on their way, and believe that they are there."""
    microscope, clock = self._instrument.microscope, self._instrument._clock  # type: ignore[attr-defined]
    for axis, target in {"x": pose.x_um, "y": pose.y_um, "theta": pose.theta_deg}.items():
        microscope.move(axis, target, clock.now_s())
    return pose


async def _nothing(*_: Any) -> None:
    """Somebody forgot."""


async def _not_safe(self: SimulatedInstrument) -> Any:
    from xrm_control.devices.protocols import SafeState

    return SafeState(dict.fromkeys(self.axes, True), True)


BEAM = with_faults({"kind": "beam_loss", "at_s": 20.0, "duration_s": 100.0})
PLANTED = [
    ("beam awaited with the shutter open", Engine, "_wait_for_beam", _while_open(Engine, "_wait_for_beam"), BEAM,
     "in the hold of"),
    ("the pose not verified", Positioning, "to", _unverified, {}, "was exposed at .* while axis .* moved"),
    ("the shutter left open after the mosaic", Engine, "close", _nothing, {}, "was left open at"),
    ("the safe state only said", SimulatedInstrument, "make_safe", _not_safe,
     with_faults({"kind": "interlock", "at_s": 20.0, "duration_s": 5.0}), "the shutter was open at the end"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "name", "planted", "changes", "seen"), [case[1:] for case in PLANTED], ids=[case[0] for case in PLANTED]
)
def test_a_planted_fault_is_seen(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: type,
    name: str,
    planted: Any,
    changes: dict[str, Any],
    seen: str,
) -> None:
    monkeypatch.setattr(kind, name, planted)
    with pytest.raises(BrokenPromise, match=seen):
        Night(tmp_path, **changes)


def test_making_way_with_the_shutter_open_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(SimulatedInstrument):
        """Somebody stops the rotation once, on its way to a view."""

        def __init__(self, microscope: Any, clock: Clock) -> None:
            super().__init__(microscope, clock)
            axis = self.axes["theta"]
            real = axis.move
            stopped: list[float] = []

            async def move(target: float) -> float:
                if target == -60.0 and not stopped:
                    stopped.append(target)
                    from xrm_control.core.errors import MotionInterrupted

                    raise MotionInterrupted("somebody else stopped the axis", where="axis theta")
                return await real(target)

            axis.move = move  # type: ignore[method-assign]

    assert Night(_made(tmp_path / "sound"), Interrupted).events(RunHeld)
    monkeypatch.setattr(Recovery, "rest", _while_open(Recovery, "rest"))
    with pytest.raises(BrokenPromise, match="in the hold of"):
        Night(_made(tmp_path / "planted"), Interrupted)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
