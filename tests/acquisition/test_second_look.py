"""Who goes on with an acquisition withdraws what was kept and its fellows do not bear out, once they are all there."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from tests.acquisition.bench import MemorySink
from xrm_control.acquisition.checks import FrameChecker
from xrm_control.acquisition.second_look import SecondLook
from xrm_control.acquisition.steps import FrameStep
from xrm_control.core.events import EventStream, FrameWithdrawn
from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose
from xrm_control.core.states import FrameKind

DARK, BEAM, TAPE = 100.0, 10_000.0, 6_500.0
ODD = "dark_0001", "flat_0002", "proj_0003"
KEPT = {
    **{f"dark_{number:04d}": DARK for number in range(3)},
    **{f"flat_{number:04d}": BEAM for number in range(3)},
    **{f"proj_{number:04d}": TAPE for number in range(6)},
    # Light leaked into a dark; the beam dipped in a flat and in a view.
    "dark_0001": 4 * DARK, "flat_0002": 0.5 * BEAM, "proj_0003": 0.5 * TAPE,
}  # fmt: skip
KINDS = {"dark": FrameKind.DARK, "flat": FrameKind.FLAT, "proj": FrameKind.PROJECTION}


def step(name: str) -> FrameStep:
    kind, number = KINDS[name[:4]], int(name[5:])
    pose = Pose(0.0, 0.0, 0.0, float(number))
    return FrameStep(FrameId(f"roi-01/{name}"), kind, number, pose, shutter_open=kind != FrameKind.DARK)


def withdrawn(*still_open: str, confirmed: str = "") -> list[str]:
    """Of all frames but those still open, what is withdrawn."""
    checker, sink, events, told = FrameChecker((64, 64)), MemorySink(), EventStream(lambda: 0.0), list[str]()
    events.subscribe(lambda event: told.append(event.frame) if isinstance(event, FrameWithdrawn) else None)
    checker.begin((64, 64), 1, 1.0, 65_535)

    async def durable() -> None:
        pass

    async def never(step: FrameStep, *, last: bool = False, needed: bool = False) -> bool:
        raise NotImplementedError

    look = SecondLook(checker, sink, events, durable, never)
    look.begin([step(name) for name in KEPT])
    for seed, (name, counts) in enumerate(KEPT.items()):
        if name not in still_open:
            image = np.random.default_rng(seed).poisson(counts, (64, 64)).astype(np.uint16)
            checker.recall(step(name), image, confirmed=name == confirmed)
            look.taken(step(name), 1)
    asyncio.run(look.doubt({step(name).frame_id for name in still_open}))
    assert told == [name for what, name, _ in sink.calls if what == "retake"]
    return [name.removeprefix("roi-01/") for name in told]


@pytest.mark.parametrize(
    ("still_open", "odd"),
    [
        ((), ODD),
        # Of a set that is not whole nothing is said yet, nor of views while any is to come.
        (("proj_0005",), ("dark_0001", "flat_0002")),
        (("flat_0000", "proj_0005"), ("dark_0001",)),
        (("dark_0000", "flat_0000", "proj_0005"), ()),
    ],
)
def test_what_is_whole_is_looked_over(still_open: tuple[str, ...], odd: tuple[str, ...]) -> None:
    assert tuple(withdrawn(*still_open)) == odd


def test_a_view_that_two_exposures_agreed_on_stays() -> None:
    assert tuple(withdrawn(confirmed="proj_0003")) == ODD[:2]
