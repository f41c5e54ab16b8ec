"""Tiles are held against the flats, the other tiles, and those above and below them, which show the same edge."""

from __future__ import annotations

import numpy as np
import pytest

from xrm_control.acquisition.checks import FrameChecker
from xrm_control.acquisition.light import Light
from xrm_control.acquisition.steps import FrameStep
from xrm_control.core.errors import FrameUnusable
from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose
from xrm_control.core.states import FrameKind
from xrm_control.devices.protocols import CameraFrame

OPEN, TAPE, EDGE = 10_000.0, 6_500.0, 7_900.0
COLUMNS_UM = (-130.0, -65.0, 0.0, 65.0, 130.0)


def step(kind: FrameKind, number: int, x_um: float = 0.0) -> FrameStep:
    name = FrameId.flat("mosaic", number) if kind == FrameKind.FLAT else FrameId.tile(0, number)
    return FrameStep(name, kind, number, Pose(x_um, 0.0, 0.0, 0.0), shutter_open=True)


def believed(light: Light, kind: FrameKind, number: int, counts: float, x_um: float = 0.0) -> bool:
    """Whether the frame fits; it is remembered either way, as one that a second exposure confirms."""
    image = np.random.default_rng(number).poisson(counts, (64, 64)).astype(np.uint16)
    at = step(kind, number, x_um)
    seen = light.look(image)
    odd = None if kind == FrameKind.FLAT else light.odd_lit(at, seen)
    light.add(at, image, seen)
    return odd is None


@pytest.fixture
def begun() -> Light:
    """Three flats, and a row of tiles whose last one shows the strip's edge: it and the first one were confirmed."""
    light = Light()
    light.begin("bin 8")
    for number in range(3):
        believed(light, FrameKind.FLAT, number, OPEN)
    row = [believed(light, FrameKind.TILE, at, TAPE, x_um) for at, x_um in enumerate(COLUMNS_UM[:4])]
    assert row == [False, True, True, True]
    assert not believed(light, FrameKind.TILE, 4, EDGE, COLUMNS_UM[4])
    return light


@pytest.mark.parametrize(
    ("column", "counts", "fits"),
    [
        (0, TAPE, True),
        (0, OPEN, True),
        (4, EDGE, True),
        (4, EDGE * 1.05, True),
        (4, TAPE, True),
        # A beam that is a fifth up or down, in the middle and at the edge.
        (2, TAPE * 0.8, False),
        (2, TAPE * 1.2, False),
        (4, TAPE * 0.8, False),
        (4, OPEN * 1.2, False),
        # What only the edge explains is not believed elsewhere.
        (2, EDGE, False),
    ],
)
def test_a_tile_fits_the_flats_the_tiles_or_its_column(begun: Light, column: int, counts: float, fits: bool) -> None:
    assert believed(begun, FrameKind.TILE, 5, counts, COLUMNS_UM[column]) == fits


def test_a_tile_that_is_withdrawn_speaks_for_nobody(begun: Light) -> None:
    begun.withdraw(step(FrameKind.TILE, 4).frame_id)
    assert not believed(begun, FrameKind.TILE, 5, EDGE, COLUMNS_UM[4])


def view(number: int, counts: float, seed: int = 0) -> tuple[FrameStep, CameraFrame]:
    image = np.random.default_rng(100 * seed + number).poisson(counts, (64, 64)).astype(np.uint16)
    name = FrameId.projection("roi-01", number)
    at = FrameStep(name, FrameKind.PROJECTION, number, Pose(0.0, 0.0, 0.0, float(number)), shutter_open=True)
    return at, CameraFrame(image, 100 * seed + number, 0.0, 1.0)


@pytest.mark.parametrize(("again", "believed_again"), [(0.7, True), (1.0, True), (0.5, False)])
def test_a_view_that_was_withdrawn_is_one_of_two_exposures(again: float, *, believed_again: bool) -> None:
    """Darker than its neighbours by the sample: the one exposure that was withdrawn, and the one after it, agree."""
    checker = FrameChecker((64, 64))
    checker.begin((64, 64), 1, 1.0, 65_535)
    for number, share in enumerate((1.0, 1.0, 0.7, 1.0, 1.0)):
        at, frame = view(number, share * TAPE)
        checker.recall(at, frame.image)
    assert list(checker.light.odd_views()) == ["roi-01/proj_0002"]
    at, frame = view(2, again * TAPE, seed=1)
    checker.withdraw(at.frame_id)
    if believed_again:
        checker.check(at, frame)
        assert (at.frame_id in checker.confirmed) == (again == 0.7)
    else:
        with pytest.raises(FrameUnusable, match="neighbours in angle"):
            checker.check(at, frame)
