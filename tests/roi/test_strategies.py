"""Strategies on maps where the best answer is known by construction, and their promises on any map."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from phantoms import MU, mosaic_of
from pydantic import TypeAdapter, ValidationError

from xrm_control.core.errors import AnalysisError, RecipeError, SafetyRefusal, XrmError
from xrm_control.core.family import Family
from xrm_control.roi.particles2d import Particle2D
from xrm_control.roi.strategies.grid import Centre, Grid
from xrm_control.roi.strategies.manual import Manual, Position
from xrm_control.roi.strategies.most_particles import MostParticles
from xrm_control.roi.strategies.varied_sizes import VariedSizes
from xrm_control.roi.strategy import Limits, MosaicMap, Roi, RoiStrategy, allowed_um

ANY = TypeAdapter(Annotated[RoiStrategy, Family("xrm_control.roi.strategies")])
FOV = 64.0
FREE = Limits((-1000, 1000), (-1000, 1000))


def blank(width_um: float, height_um: float) -> MosaicMap:
    shape = (round(height_um), round(width_um))
    return MosaicMap(np.ones(shape, np.float32), 1.0, -(shape[1] - 1) / 2, -(shape[0] - 1) / 2)


def seen(*discs: tuple[float, float, float]) -> list[Particle2D]:
    return [Particle2D(x, y, d, d, False) for x, y, d in discs]


def cluster(x: float, y: float, diameters: list[float]) -> list[tuple[float, float, float]]:
    """Particles within 24 um of (x, y), so that only windows centred near there hold all of them."""
    angles = np.linspace(0, 2 * np.pi, len(diameters), endpoint=False)
    return [(x + 12 * np.cos(a), y + 12 * np.sin(a), d) for a, d in zip(angles, diameters, strict=True)]


def holds(roi: Roi, x: float, y: float) -> bool:
    return abs(roi.x_um - x) < roi.width_um / 2 and abs(roi.y_um - y) < roi.height_um / 2


def test_the_kinds_are_found_by_looking() -> None:
    kinds = {"varied_sizes": {}, "most_particles": {}, "grid": {}, "manual": {"positions": [{"x_um": 0, "y_um": 0}]}}
    for kind, fields in kinds.items():
        assert ANY.validate_python({"kind": kind, **fields}).model_dump()["kind"] == kind


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "varied_size"},
        {"kind": "varied_sizes", "cuont": 4},
        {"kind": "varied_sizes", "count": 0},
        {"kind": "most_particles", "margin_um": -1},
        {"kind": "manual"},
        {"kind": "manual", "positions": []},
        {"kind": "manual", "positions": [{"x_um": 1}]},
        {"kind": "manual", "positions": [{"x_um": "left", "y_um": 0}]},
        {"kind": "manual", "positions": [{"x_um": float("nan"), "y_um": 0}]},
        {"kind": "grid", "pitch_um": 0},
        {"kind": "grid", "rows": 0},
    ],
)
def test_misspelt_or_senseless_fields_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ANY.validate_python(fields)


def test_most_particles_takes_the_crowd() -> None:
    particles = seen(*cluster(-90, 60, [8.0] * 9), *cluster(80, -70, [8.0] * 12), *cluster(80, 90, [8.0] * 5))
    (roi,) = MostParticles().choose(particles, blank(300, 300), FOV, FREE)
    assert (roi.name, roi.expected_particles) == ("roi-01", 12)
    assert holds(roi, 80, -70)
    assert roi.width_um == roi.height_um == FOV
    assert "12" in roi.reason


def test_most_particles_goes_on_with_the_next_best() -> None:
    particles = seen(*cluster(-90, 60, [8.0] * 9), *cluster(80, -70, [8.0] * 12), *cluster(80, 90, [8.0] * 5))
    rois = MostParticles(count=3).choose(particles, blank(300, 300), FOV, FREE)
    assert [(r.name, r.expected_particles) for r in rois] == [("roi-01", 12), ("roi-02", 9), ("roi-03", 5)]


def test_varied_sizes_prefers_variety_to_number() -> None:
    particles = seen(*cluster(-90, 0, [8.0] * 14), *cluster(90, 0, [5.0, 8.0, 12.0, 18.0]))
    (roi,) = VariedSizes(count=1).choose(particles, blank(300, 200), FOV, FREE)
    assert holds(roi, 90, 0)
    assert "5.0 to 18.0 um" in roi.reason


def test_varied_sizes_completes_the_set_over_all_regions() -> None:
    small, large, mixed = [5.0, 5.5, 6.0], [17.0, 18.0], [5.0, 7.0, 10.0, 13.0]
    particles = seen(*cluster(-120, 0, small), *cluster(0, 0, mixed), *cluster(120, 0, large))
    first, second = VariedSizes(count=2).choose(particles, blank(400, 200), FOV, FREE)
    assert holds(first, 0, 0)
    assert holds(second, 120, 0)  # the sizes that the first one lacks, not more of those it has


def test_cut_particles_and_those_in_the_margin_do_not_count() -> None:
    cut = [Particle2D(-60, 0, 10, 10, True)] * 5
    (roi,) = MostParticles().choose([*cut, *seen((60, 0, 10))], blank(200, 64), FOV, FREE)
    assert roi.expected_particles == 1
    giant = seen((0, 0, 59.0))  # 59 + 2 x 3 um of margin exceed the window
    with pytest.raises(AnalysisError, match="whole particle"):
        MostParticles().choose(giant, blank(200, 200), FOV, FREE)
    level = MostParticles(margin_um=2, z_um=29.5)
    assert level.choose(giant, blank(200, 200), FOV, FREE)[0].expected_particles == 1


def test_fewer_than_asked_come_with_the_reason() -> None:
    particles = seen(*cluster(-40, 0, [8.0] * 4), *cluster(40, 0, [9.0] * 4))
    rois = VariedSizes(count=4).choose(particles, blank(150, 66), FOV, FREE)
    assert len(rois) == 2
    assert all("2 of 4 asked for" in roi.reason for roi in rois)


# Of a mosaic of 400 by 300 um, limits of x, limits of y -> where the centre of a window may lie.
ROOM_X, ROOM_Y = 200 - FOV / 2, 150 - FOV / 2
ALLOWED = [
    ((-1e9, 1e9), (-1e9, 1e9), (-ROOM_X, ROOM_X), (-ROOM_Y, ROOM_Y)),
    ((-50, 60), (-20, 30), (-50, 60), (-20, 30)),
    ((-50, 1e9), (-1e9, 30), (-50, ROOM_X), (-ROOM_Y, 30)),
    ((-1e9, 60), (-20, 1e9), (-ROOM_X, 60), (-20, ROOM_Y)),
]


@pytest.mark.parametrize(("x", "y", "allowed_x", "allowed_y"), ALLOWED)
def test_where_a_window_may_lie(
    x: tuple[float, float], y: tuple[float, float], allowed_x: tuple[float, float], allowed_y: tuple[float, float]
) -> None:
    mosaic = blank(400, 300)
    found_x, found_y = allowed_um(mosaic, FOV, Limits(x, y))
    assert found_x == pytest.approx(allowed_x, abs=mosaic.pixel_size_um)
    assert found_y == pytest.approx(allowed_y, abs=mosaic.pixel_size_um)


def test_limits_bind_and_the_rest_of_the_mosaic_is_used() -> None:
    particles = seen(*cluster(-90, 0, [8.0] * 9), *cluster(90, 0, [8.0] * 5))
    (roi,) = MostParticles().choose(particles, blank(300, 200), FOV, Limits((0, 500), (-20, 20)))
    assert holds(roi, 90, 0)
    assert roi.expected_particles == 5


def test_places_that_were_not_seen_are_not_chosen() -> None:
    mosaic = blank(300, 200)
    mosaic.image[:, :150] = np.nan
    particles = seen(*cluster(-90, 0, [8.0] * 9), *cluster(90, 0, [8.0] * 5))
    (roi,) = MostParticles().choose(particles, mosaic, FOV, FREE)
    assert roi.x_um - FOV / 2 > -4


@pytest.mark.parametrize(
    ("particles", "mosaic", "limits", "words"),
    [
        ([], blank(200, 200), FREE, "shows no particles"),
        (seen((0, 0, 8)), blank(50, 200), FREE, "no window fits"),
        (seen((0, 0, 8)), blank(200, 200), Limits((300, 400), (-1, 1)), "no window fits"),
    ],
)
@pytest.mark.parametrize("strategy", [VariedSizes(), MostParticles()])
def test_nothing_to_choose_says_what_to_do(
    strategy: RoiStrategy, particles: list[Particle2D], mosaic: MosaicMap, limits: Limits, words: str
) -> None:
    with pytest.raises(AnalysisError, match=words) as caught:
        strategy.choose(particles, mosaic, FOV, limits)
    assert caught.value.remedy


def test_a_mosaic_of_one_tile_has_one_window() -> None:
    (roi,) = MostParticles().choose(seen((0, 0, 8)), blank(FOV, FOV), FOV, FREE)
    assert (roi.x_um, roi.y_um) == pytest.approx((0, 0), abs=0.5)


def test_manual_takes_the_positions_as_they_are() -> None:
    strategy = Manual(positions=(Position(x_um=-50, y_um=10), Position(x_um=40, y_um=-20, z_um=4)), z_um=12)
    rois = strategy.choose(seen((-50, 10, 8), (-40, 0, 9)), blank(300, 200), FOV, FREE)
    assert [(r.name, r.x_um, r.y_um, r.z_um, r.expected_particles) for r in rois] == [
        ("roi-01", -50, 10, 12, 2),
        ("roi-02", 40, -20, 4, 0),
    ]
    assert "no whole particle" in rois[1].reason


@pytest.mark.parametrize(
    ("positions", "error", "where", "facts"),
    [
        ([(0, 0), (600, 0)], SafetyRefusal, "roi.positions[1].x_um", ("600 um", "-500 to 500 um")),
        ([(0, -501)], SafetyRefusal, "roi.positions[0].y_um", ("-501 um", "-500 to 500 um")),
        ([(0, 0), (100, 0), (30, 63.9)], RecipeError, "roi.positions[2]", ("63.9 um", "64 um", "roi.positions[0]")),
    ],
)
def test_manual_positions_are_refused_before_anything_moves(
    positions: list[tuple[float, float]], error: type[XrmError], where: str, facts: tuple[str, ...]
) -> None:
    strategy = Manual(positions=tuple(Position(x_um=x, y_um=y) for x, y in positions))
    with pytest.raises(error) as caught:
        strategy.check(Limits((-500, 500), (-500, 500)), FOV)
    assert caught.value.where == where
    for fact in facts:
        assert fact in str(caught.value)


def test_manual_window_must_lie_in_the_mosaic_and_hold_something() -> None:
    with pytest.raises(RecipeError, match="leaves the mosaic"):
        Manual(positions=(Position(x_um=130, y_um=0),)).choose(seen((130, 0, 8)), blank(300, 200), FOV, FREE)
    with pytest.raises(AnalysisError, match="whole particle"):
        Manual(positions=(Position(x_um=0, y_um=0),)).choose(seen((100, 0, 8)), blank(300, 200), FOV, FREE)


def test_a_manual_window_over_missing_tiles_costs_no_other() -> None:
    """What leaves the planned mosaic is refused by check; what leaves the mosaic that was taken is nobody's mistake."""
    places = (Position(x_um=0, y_um=0), Position(x_um=130, y_um=0))
    (roi,) = Manual(positions=places).choose(seen((0, 0, 8)), blank(300, 200), FOV, FREE)
    assert (roi.name, roi.x_um) == ("roi-01", 0)


def test_windows_may_touch() -> None:
    Manual(positions=(Position(x_um=0, y_um=0), Position(x_um=FOV, y_um=0))).check(FREE, FOV)


def test_grid_goes_row_by_row_around_its_centre() -> None:
    particles = seen(*[(x, y, 8) for x in (-40, 40) for y in (-40, 40)])
    rois = Grid(rows=2, columns=2, pitch_um=80).choose(particles, blank(300, 300), FOV, FREE)
    assert [(r.x_um, r.y_um) for r in rois] == [(-40, -40), (40, -40), (-40, 40), (40, 40)]
    moved = Grid(rows=1, columns=2, pitch_um=80, centre=Centre(x_um=10, y_um=-5))
    assert moved.planned() == ((-30.0, -5.0, 10.0), (50.0, -5.0, 10.0))


def test_grid_leaves_out_what_is_empty_or_outside() -> None:
    rois = Grid(rows=1, columns=3, pitch_um=100).choose(seen((0, 0, 8), (100, 0, 8)), blank(220, 100), FOV, FREE)
    assert [(r.name, r.x_um) for r in rois] == [("roi-01", 0)]
    assert "1 of 3" in rois[0].reason


@pytest.mark.parametrize(
    ("grid", "error", "words"),
    [
        (Grid(rows=1, columns=2, pitch_um=60), RecipeError, "overlap"),
        (Grid(rows=1, columns=2, pitch_um=900, centre=Centre(x_um=600, y_um=0)), SafetyRefusal, "outside the limits"),
        (Grid(margin_um=40), RecipeError, "margin"),
    ],
)
def test_grid_that_cannot_work_is_refused_before_anything_moves(grid: Grid, error: type[XrmError], words: str) -> None:
    with pytest.raises(error, match=words):
        grid.check(FREE, FOV)


def test_from_the_picture_to_the_region() -> None:
    crowd = [(40 + 14 * i, 30 + 14 * k, 8.0) for i in (-1, 0, 1) for k in (-1, 0, 1)]
    mosaic = mosaic_of([*crowd, (-60, -30, 12.0)], 200, 140, noise=0.03, seed=2)
    (roi,) = MostParticles().pick(mosaic, FOV, FREE, MU)
    assert roi.expected_particles == 9
    assert holds(roi, 40, 30)


discs = st.lists(
    st.tuples(st.floats(-220, 220), st.floats(-160, 160), st.floats(3, 30), st.booleans()), min_size=0, max_size=60
)
strategies = st.one_of(
    st.builds(VariedSizes, count=st.integers(1, 8), classes=st.integers(2, 9)),
    st.builds(MostParticles, count=st.integers(1, 8)),
    st.builds(Grid, rows=st.integers(1, 4), columns=st.integers(1, 4), pitch_um=st.floats(64, 120)),
)
spans = st.tuples(st.floats(-300, 300), st.floats(0, 400)).map(lambda t: (t[0], t[0] + t[1]))


@settings(max_examples=80, deadline=None)
@given(discs=discs, strategy=strategies, x=spans, y=spans, width=st.integers(40, 440), height=st.integers(40, 320))
# Counted by a third at the rim, and no particle in it is whole.
@example([(0.0, 14.5, 30.0, False)], VariedSizes(count=1, classes=2), (0.0, 0.0), (0.0, 0.0), 63, 63)
def test_regions_never_overlap_nor_leave_mosaic_or_limits(
    discs: list[tuple[float, float, float, bool]],
    strategy: RoiStrategy,
    x: tuple[float, float],
    y: tuple[float, float],
    width: int,
    height: int,
) -> None:
    particles = [Particle2D(px, py, d, d, cut) for px, py, d, cut in discs]
    mosaic = blank(width, height)
    try:
        rois = strategy.choose(particles, mosaic, FOV, Limits(x, y))
    except XrmError:
        return  # nothing fits: never a bare ValueError or IndexError
    assert [r.name for r in rois] == [f"roi-{k + 1:02d}" for k in range(len(rois))]
    assert rois
    for i, one in enumerate(rois):
        assert x[0] - 1e-9 <= one.x_um <= x[1] + 1e-9
        assert y[0] - 1e-9 <= one.y_um <= y[1] + 1e-9
        assert abs(one.x_um) + FOV / 2 <= width / 2 + mosaic.pixel_size_um
        assert abs(one.y_um) + FOV / 2 <= height / 2 + mosaic.pixel_size_um
        inside = [
            p
            for p in particles
            if max(math.hypot(p.x_um - one.x_um, p.peak_thickness_um / 2 - one.z_um), abs(p.y_um - one.y_um))
            + p.equivalent_diameter_um / 2
            <= FOV / 2 - strategy.margin_um + 1e-9
            and not p.touches_edge
        ]
        assert one.expected_particles == len(inside) >= 1
        for two in rois[i + 1 :]:
            assert max(abs(one.x_um - two.x_um), abs(one.y_um - two.y_um)) >= FOV - 1e-6
