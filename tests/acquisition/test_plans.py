"""Specs into steps: the paper's counts, snake order, references clear of the strip, and the time they take."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from xrm_control.acquisition.mosaic import MosaicSpec
from xrm_control.acquisition.orders.interlaced import Interlaced
from xrm_control.acquisition.orders.sequential import Sequential
from xrm_control.acquisition.references import clear_pose, standing_out
from xrm_control.acquisition.schemes.after import After
from xrm_control.acquisition.schemes.before import Before
from xrm_control.acquisition.schemes.both import Both
from xrm_control.acquisition.schemes.every import Every
from xrm_control.acquisition.steps import Acquisition, FrameStep, TimeState, duration
from xrm_control.acquisition.tomography import TomographySpec, projections_for
from xrm_control.core.errors import RecipeError
from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose, lateral_um
from xrm_control.core.sample import SampleSpec
from xrm_control.core.states import FrameKind
from xrm_control.devices.protocols import AxisDescription, CameraDescription, InstrumentDescription

CAMERA = CameraDescription(1024, 1024, 0.064, {1: 1.0, 2: 0.5, 4: 0.25, 8: 0.125})
SAMPLE = SampleSpec()
ORIGIN = Pose(0, 0, 0, 0)

PAPER = [(64.0, 0.064, 1571), (64.0, 0.512, 196), (46.0, 0.512, 141)]


@pytest.mark.parametrize(("diameter_um", "pixel_um", "projections"), PAPER)
def test_the_papers_numbers_of_projections(diameter_um: float, pixel_um: float, projections: int) -> None:
    assert projections_for(diameter_um, pixel_um) == projections


def test_the_default_scan_is_the_papers() -> None:
    spec = TomographySpec()
    angles = spec.theta_deg(CAMERA)
    assert (len(angles), angles[0], angles[-1], spec.exposure_s) == (141, -90.0, 90.0, 1.0)
    scan = spec.acquisition("roi-01", ORIGIN, SAMPLE, CAMERA)
    assert {kind: len(scan.of_kind(kind)) for kind in (FrameKind.PROJECTION, FrameKind.FLAT, FrameKind.DARK)} == {
        "projection": 141,
        "flat": 20,
        "dark": 5,
    }
    assert len({step.frame_id for step in scan.steps}) == len(scan.steps)
    assert [step.kind for step in scan.steps if not step.shutter_open] == ["dark"] * 5


SCHEMES = [(Before(), (0,)), (After(), (9,)), (Both(), (0, 9)), (Every(interval=4), (0, 4, 8, 9))]


@pytest.mark.parametrize(("scheme", "after"), SCHEMES, ids=lambda item: getattr(item, "kind", ""))
def test_when_references_are_taken(scheme: Both, after: tuple[int, ...]) -> None:
    assert scheme.after(9) == after
    spec = TomographySpec(projections=9, references=scheme)
    kinds = [
        step.kind for step in spec.acquisition("roi-01", ORIGIN, SAMPLE, CAMERA).steps if step.kind != FrameKind.DARK
    ]
    sets = [kinds[: i + 1].count(FrameKind.PROJECTION) for i, kind in enumerate(kinds) if kind == FrameKind.FLAT]
    assert sets == [n for n in after for _ in range(scheme.count)]


@pytest.mark.parametrize("order", [Sequential(), Interlaced(sweeps=4), Interlaced(sweeps=3)])
@pytest.mark.parametrize("count", [2, 7, 141])
def test_an_order_takes_every_projection_once(order: Sequential, count: int) -> None:
    assert sorted(order.order(count)) == list(range(count))


@pytest.mark.parametrize("theta_deg", [-90, -45, -10, 0, 30, 60, 90])
@pytest.mark.parametrize(("x_um", "z_um"), [(0, 0), (130, 0), (-130, 10), (900, 0)])
def test_references_see_no_strip(theta_deg: float, x_um: float, z_um: float) -> None:
    """Every corner of the strip is projected outside the field of view, at the same theta and height."""
    pose = clear_pose(Pose(x_um, 5, z_um, theta_deg), SAMPLE, CAMERA.field_of_view_um, 10)
    assert (pose.theta_deg, pose.y_um) == (theta_deg, 5)
    corners = [(sx * 160, sz * 40) for sx in (-1, 1) for sz in (-1, 1)]
    seen = [lateral_um(x - pose.x_um, z - pose.z_um, theta_deg) for x, z in corners]
    half = CAMERA.field_of_view_um / 2
    assert min(seen) >= half + 10 - 1e-9 or max(seen) <= -half - 10 + 1e-9


@pytest.mark.parametrize("theta_deg", [-90, -60, 0, 45, 90])
@pytest.mark.parametrize(("highest_um", "clear_of_um"), [(None, 40), (12, 40), (40, 40), (62, 62), (150, 150)])
def test_references_see_nothing_that_stands_out(theta_deg: float, highest_um: float | None, clear_of_um: float) -> None:
    """A giant that reaches as high, anywhere on the strip: its top is outside of the field as well."""
    sample = standing_out(SAMPLE, highest_um)
    pose = clear_pose(Pose(20.0, 5, 10.0, theta_deg), sample, CAMERA.field_of_view_um, 10)
    tops = [lateral_um(x - pose.x_um, clear_of_um - pose.z_um, theta_deg) for x in (-160, 0, 160)]
    assert all(abs(top) >= CAMERA.field_of_view_um / 2 + 10 - 1e-9 for top in tops)
    assert sample.strip_width_um == SAMPLE.strip_width_um


def test_the_mosaic_is_the_papers_a_snake_of_40_tiles_of_a_second() -> None:
    spec = MosaicSpec()
    assert spec.exposure_s == 1.0
    tiles = spec.acquisition(SAMPLE, CAMERA).of_kind(FrameKind.TILE)
    assert len(tiles) == 40
    pitch = CAMERA.field_of_view_um
    for first, second in pairwise(tiles):
        step = math.hypot(second.pose.x_um - first.pose.x_um, second.pose.y_um - first.pose.y_um)
        assert step == pytest.approx(pitch)  # always a neighbour: the shortest way
    assert {tile.frame_id for tile in tiles} == {f"mosaic/tile_r{r:02d}_c{c:02d}" for r in range(8) for c in range(5)}
    middle = [sum(getattr(tile.pose, field) for tile in tiles) / 40 for field in ("x_um", "y_um")]
    assert middle == pytest.approx([0, 0], abs=1e-9)


def test_overlap_brings_tiles_closer() -> None:
    assert MosaicSpec(overlap_percent=10).pitch_um(CAMERA) == pytest.approx(0.9 * CAMERA.field_of_view_um)


AXIS = AxisDescription("um", -1e4, 1e4, speed=100, acceleration=1000, settle_s=0.1, backlash=0, tolerance=0.1)
MOVES = [
    (0.0, 0.0, 0.1),
    (0.0, 5.0, 2 * math.sqrt(5 / 1000) + 0.1),  # never reaches full speed
    (0.0, 100.0, 100 / 100 + 100 / 1000 + 0.1),  # full speed for a while
    (100.0, 0.0, 1.0 + 0.1 + 0.1),
]


@pytest.mark.parametrize(("start", "target", "seconds"), MOVES)
def test_move_time_by_hand(start: float, target: float, seconds: float) -> None:
    assert AXIS.move_duration_s(start, target) == pytest.approx(seconds)


def test_the_time_of_steps_is_their_sum() -> None:
    instrument = InstrumentDescription("i", dict.fromkeys(("x", "y", "z", "theta"), AXIS), CAMERA, 0.05, 5.4, 1.0)
    steps = (
        FrameStep(FrameId("a/dark_0000"), FrameKind.DARK, 0, Pose(5, 0, 0, 0), shutter_open=False),
        FrameStep(FrameId("a/flat_0000"), FrameKind.FLAT, 0, Pose(5, 0, 0, 0)),
        FrameStep(FrameId("a/proj_0000"), FrameKind.PROJECTION, 0, Pose(5, 100, 0, 5)),
    )
    end = duration(Acquisition("a", 8, 1.0, steps), TimeState(ORIGIN, False), instrument)
    x_s, y_s = AXIS.move_duration_s(0, 5), AXIS.move_duration_s(0, 100)
    assert end.elapsed_s == pytest.approx(3 * 1.125 + x_s + y_s + 0.05)
    assert end.pose == steps[-1].pose


@pytest.mark.parametrize("margin_um", [0.0, 10.0, 35.0])
def test_the_recipes_margin_lies_between_strip_and_field(margin_um: float) -> None:
    """Facing the beam, the flat stands half a strip, half a field (65.5 um) and the margin away."""
    scan = TomographySpec(projections=2, start_deg=0, end_deg=170, clear_margin_um=margin_um)
    (flat, *_) = scan.acquisition("roi-01", ORIGIN, SAMPLE, CAMERA).of_kind(FrameKind.FLAT)
    mosaic = MosaicSpec(clear_margin_um=margin_um)
    tiles = mosaic.acquisition(SAMPLE, CAMERA)
    for pose in (flat.pose, tiles.of_kind(FrameKind.FLAT)[0].pose):
        clear_um = abs(pose.x_um) - SAMPLE.strip_width_um / 2 - CAMERA.field_of_view_um / 2
        assert clear_um == pytest.approx(margin_um, abs=0.01)


@pytest.mark.parametrize(("start_deg", "end_deg", "projections"), [(-90, 90, 141), (-60, 60, 94), (0, 90, 70)])
def test_a_smaller_range_has_views_as_dense(start_deg: float, end_deg: float, projections: int) -> None:
    assert TomographySpec(start_deg=start_deg, end_deg=end_deg).projection_count(CAMERA) == projections


@pytest.mark.parametrize(("projections", "told_apart"), [(8999, True), (9002, False), (18_000, False)])
def test_angles_are_no_closer_than_twice_the_tolerance(projections: int, told_apart: bool) -> None:
    """180 degrees over 0.02 degrees, twice the axis' tolerance of 0.01, are 9000 steps."""
    spec = TomographySpec(projections=projections)
    if told_apart:
        spec.check_angles(CAMERA, 0.01)
    else:
        with pytest.raises(RecipeError, match=r"at most \d+ projections"):
            spec.check_angles(CAMERA, 0.01)
