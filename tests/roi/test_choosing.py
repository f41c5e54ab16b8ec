"""What is worth a scan, what must be scanned and what avoided; and what is told of the windows that were left."""

from __future__ import annotations

import math

import numpy as np
import pytest
from test_edge_on import row_of
from test_strategies import ANY, FOV, FREE, blank, cluster, holds, seen

from xrm_control.contracts.rois import NotChosen
from xrm_control.core.errors import AnalysisError, RecipeError, SafetyRefusal, XrmError
from xrm_control.core.sample import SampleSpec
from xrm_control.core.states import Level
from xrm_control.roi.areas import Avoided, EdgeOnSpec, Must
from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.particles2d import Particle2D
from xrm_control.roi.strategies.grid import Centre, Grid
from xrm_control.roi.strategies.manual import Manual, Position
from xrm_control.roi.strategies.most_particles import MostParticles
from xrm_control.roi.strategies.varied_sizes import VariedSizes
from xrm_control.roi.strategy import Limits, PlannedMosaic, RoiStrategy, whole_inside

STRAYS = [(-150.0 + 60 * number, 120.0, 8.0) for number in range(6)]
CROWD = cluster(0, -60, [8.0] * 12)


@pytest.mark.parametrize("kind", [MostParticles, VariedSizes])
@pytest.mark.parametrize(("least", "regions"), [(0.2, 1), (0.09, 1), (0.08, 6), (0.0, 6)])
def test_twelve_asked_for_on_one_cluster(kind: type[MostParticles | VariedSizes], least: float, regions: int) -> None:
    """One cluster of twelve and six strays: what is worth it is scanned, the rest is named."""
    found = kind(count=12, least_worth=least).survey(seen(*CROWD, *STRAYS), blank(460, 400), FOV, FREE)
    assert [roi.expected_particles for roi in found.rois] == [12] + [1] * (regions - 1)
    assert [roi.worth for roi in found.rois] == pytest.approx([1.0] + [1 / 12] * (regions - 1), abs=1e-3)
    assert all(f"{regions} of 12 asked for" in roi.reason for roi in found.rois)
    if regions == 1:
        assert "holds 1 of the best one's 12 whole particles" in found.rois[0].reason
        assert {one.why for one in found.rejected} == {NotChosen.POOR}
        assert sum(one.expected_particles for one in found.rejected) >= 5
        assert all("roi.least_worth" in one.reason for one in found.rejected)


GROUPS = [*cluster(-150, 0, [8.0] * 12), *cluster(0, 0, [8.0] * 9), *cluster(150, 0, [8.0] * 5)]
AROUND_SECOND = Avoided(name="hair", reason="seen by eye", x_um=0, y_um=0, diameter_um=90)
HOLE = blank(460, 200)
HOLE.image[:, 150:310] = np.nan

# What speaks against the window of nine, in the middle of three.
CAUSES: list[tuple[NotChosen, RoiStrategy, MosaicMap, Limits, str]] = [
    (NotChosen.NOT_ASKED, MostParticles(), blank(460, 200), FREE, "not asked for"),
    (NotChosen.NOT_ASKED, Manual(positions=(Position(x_um=-150, y_um=0),)), blank(460, 200), FREE, "not named"),
    (NotChosen.NOT_ASKED, Grid(rows=1, columns=1, centre=Centre(x_um=-150, y_um=0)), blank(460, 200), FREE, "grid"),
    (NotChosen.POOR, MostParticles(count=3, least_worth=0.8), blank(460, 200), FREE, "9 of the best window's 12"),
    (NotChosen.AVOIDED, MostParticles(avoid=(AROUND_SECOND,)), blank(460, 200), FREE, "'hair' (seen by eye)"),
    (NotChosen.UNSEEN, MostParticles(), HOLE, FREE, "not wholly seen"),
    (
        NotChosen.OUTSIDE,
        MostParticles(),
        blank(460, 200),
        Limits((-300, -100), (-99, 99)),
        "outside the stage's limits",
    ),
]


@pytest.mark.parametrize(("why", "strategy", "mosaic", "limits", "words"), CAUSES)
def test_what_speaks_against_a_window(
    why: NotChosen, strategy: RoiStrategy, mosaic: MosaicMap, limits: Limits, words: str
) -> None:
    found = strategy.survey(seen(*GROUPS), mosaic, FOV, limits)
    (roi,) = found.rois
    assert holds(roi, -150, 0)
    (one,) = [one for one in found.rejected if abs(one.x_um) < 10]
    assert (one.why, one.expected_particles, one.worth) == (why, 9, 0.75)
    assert words in one.reason


def test_windows_that_were_left_overlap_nothing_and_the_best_come_first() -> None:
    random = np.random.default_rng(4)
    particles = seen(*[(x, y, 8.0) for x, y in random.uniform(-280, 280, (300, 2))])
    for strategy in (MostParticles(count=3), VariedSizes(count=3)):
        found = strategy.survey(particles, blank(600, 600), FOV, FREE)
        assert len(found.rejected) == 12
        scores = [one.score for one in found.rejected if one.why is NotChosen.NOT_ASKED]
        assert scores == sorted(scores, reverse=True)
        places = [(one.x_um, one.y_um) for one in (*found.rois, *found.rejected)]
        for i, one in enumerate(places):
            for two in places[i + 1 :]:
                assert max(abs(one[0] - two[0]), abs(one[1] - two[1])) >= FOV - 1e-6


def test_an_avoided_area_costs_its_windows_and_no_others() -> None:
    one, *_ = MostParticles(avoid=(Avoided(name="a", x_um=-150, y_um=0, width_um=60),)).choose(
        seen(*GROUPS), blank(460, 200), FOV, FREE
    )
    assert holds(one, 0, 0)
    everywhere = Avoided(name="all", x_um=0, y_um=0, width_um=460, height_um=200)
    with pytest.raises(AnalysisError, match="touches a place to avoid") as caught:
        MostParticles(avoid=(everywhere,)).choose(seen(*GROUPS), blank(460, 200), FOV, FREE)
    assert caught.value.where == "roi.avoid"
    grid = Grid(rows=1, columns=3, pitch_um=150, avoid=(AROUND_SECOND,))
    assert [roi.x_um for roi in grid.choose(seen(*GROUPS), blank(460, 200), FOV, FREE)] == [-150, 150]


# Area, centre of a window of 64 um, whether they overlap.
TOUCHES = [
    (Avoided(name="box", x_um=0, y_um=0, width_um=20, height_um=40), (42.0, 0.0), False),
    (Avoided(name="box", x_um=0, y_um=0, width_um=20, height_um=40), (41.9, 0.0), True),
    (Avoided(name="box", x_um=0, y_um=0, width_um=20, height_um=40), (0.0, 52.0), False),
    (Avoided(name="box", x_um=0, y_um=0, width_um=20), (0.0, 42.0), False),
    (Avoided(name="disc", x_um=0, y_um=0, diameter_um=20), (41.9, 0.0), True),
    (Avoided(name="disc", x_um=0, y_um=0, diameter_um=20), (40.0, 40.0), False),  # its box would
    (Avoided(name="disc", x_um=0, y_um=0, diameter_um=20), (39.0, 39.0), True),
]


@pytest.mark.parametrize(("area", "centre", "touches"), TOUCHES)
def test_what_touches_an_area(area: Avoided, centre: tuple[float, float], touches: bool) -> None:
    assert area.touched_by(np.array([centre]), FOV).tolist() == [touches]


def test_what_must_be_scanned_comes_first_and_counts() -> None:
    must = (Must(name="marked", reason="seen by SEM", x_um=150, y_um=4, z_um=5),)
    rois = MostParticles(count=2, must=must).choose(seen(*GROUPS), blank(460, 200), FOV, FREE)
    assert (rois[0].name, rois[0].x_um, rois[0].y_um, rois[0].z_um) == ("roi-01", 150, 4, 5)
    assert holds(rois[1], -150, 0)
    assert len(rois) == 2
    assert rois[0].reason == "must be scanned: marked, seen by SEM"


def test_it_is_scanned_where_nothing_is_seen_and_left_out_where_tiles_are_missing() -> None:
    empty = MostParticles(must=(Must(name="marked", x_um=0, y_um=0),))
    (roi,) = empty.choose([], blank(200, 200), FOV, FREE)
    assert (roi.expected_particles, "no whole particle" in roi.reason) == (0, True)
    beside = MostParticles(must=(Must(name="marked", x_um=90, y_um=0),))
    (roi,) = beside.choose(seen((0, 0, 8)), blank(200, 200), FOV, FREE)
    assert abs(roi.x_um) < 30


def test_sizes_that_a_place_holds_already_are_worth_less() -> None:
    groups = [*cluster(-120, 0, [5.0, 5.5, 6.0]), *cluster(0, 0, [5.0, 5.2, 5.4]), *cluster(120, 0, [17.0, 18.0])]
    must = (Must(name="small", x_um=-120, y_um=0),)
    _, second = VariedSizes(count=2, must=must).choose(seen(*groups), blank(400, 200), FOV, FREE)
    assert holds(second, 120, 0)


HERE = Must(name="here", x_um=0, y_um=0)
REFUSED: list[tuple[RoiStrategy, type[XrmError], str, str]] = [
    (MostParticles(must=(HERE, Must(name="b", x_um=100, y_um=0))), RecipeError, "more places must be", "roi.must"),
    (MostParticles(count=2, must=(HERE, Must(name="b", x_um=9, y_um=0))), RecipeError, "overlaps", "roi.must[1]"),
    (MostParticles(must=(Must(name="b", x_um=900, y_um=0),)), SafetyRefusal, "outside the limits", "roi.must[0].x_um"),
    (
        MostParticles(must=(HERE,), avoid=(Avoided(name="dirt", x_um=30, y_um=0, width_um=9),)),
        RecipeError,
        "touches the area to avoid 'dirt'",
        "roi.must[0], roi.avoid[0]",
    ),
    (
        Manual(positions=(Position(x_um=0, y_um=0),), avoid=(Avoided(name="dirt", x_um=30, y_um=0, diameter_um=9),)),
        RecipeError,
        "touches the area to avoid 'dirt'",
        "roi.positions[0], roi.avoid[0]",
    ),
]


@pytest.mark.parametrize(("strategy", "error", "words", "where"), REFUSED)
def test_lists_that_contradict_are_refused_before_anything_moves(
    strategy: RoiStrategy, error: type[XrmError], words: str, where: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        strategy.check(Limits((-500, 500), (-500, 500)), FOV)
    assert where in str(caught.value.where)


PLANNED = PlannedMosaic((-160, 160), (-200, 200), 0.5)
TOLD: list[tuple[RoiStrategy, Level, str]] = [
    (MostParticles(must=(Must(name="b", x_um=150, y_um=0),)), Level.ERROR, "leaves the mosaic"),
    (MostParticles(must=(Must(name="b", x_um=0, y_um=0, z_um=70),)), Level.ERROR, "axis would lie outside the tape"),
    (Grid(avoid=(Avoided(name="b", x_um=500, y_um=0, width_um=9),)), Level.WARNING, "it keeps nothing away"),
    (Grid(avoid=(Avoided(name="b", x_um=40, y_um=40, width_um=9),)), Level.WARNING, "1 of 4 windows will be left out"),
    (Grid(avoid=(Avoided(name="b", x_um=0, y_um=0, width_um=99),)), Level.ERROR, "beside what is to be avoided"),
]


@pytest.mark.parametrize(("strategy", "level", "words"), TOLD)
def test_what_a_check_tells(strategy: RoiStrategy, level: Level, words: str) -> None:
    (found,) = strategy.diagnose(PLANNED, FOV, FREE, SampleSpec())
    assert (found.level, words in found.what) == (level, True)


@pytest.mark.parametrize(
    "area", [{}, {"width_um": 5, "diameter_um": 5}, {"height_um": 5}, {"diameter_um": 5, "height_um": 5}]
)
def test_an_area_is_a_rectangle_or_a_disc(area: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"give width_um|height_um goes"):
        Avoided.model_validate({"name": "a", "x_um": 0, "y_um": 0, **area})


def test_what_is_as_it_always_was_is_not_in_the_dump() -> None:
    kept = {"kind", "z_um", "margin_um", "count"}
    assert set(MostParticles().model_dump()) == kept
    assert set(Grid().model_dump()) == {"kind", "z_um", "margin_um", "rows", "columns", "pitch_um", "centre"}
    changed = MostParticles(least_worth=0.1, must=(HERE,), edge_on=EdgeOnSpec(most_dark_percent=50))
    assert set(changed.model_dump()) == {*kept, "least_worth", "must", "edge_on"}
    assert ANY.validate_python(changed.model_dump()) == changed


def test_what_is_too_thick_edge_on_comes_last_and_says_so() -> None:
    particles = seen(*cluster(0, -50, [8.0] * 9), *cluster(0, 64, [8.0] * 5))
    mosaic = MosaicMap(np.ones((192, 128), np.float32), 1.0, -63.5, -95.5, row_of([6.0, 6.0, 2.0]))
    spec = EdgeOnSpec(most_dark_percent=10)
    first, second = MostParticles(count=2, edge_on=spec).survey(particles, mosaic, FOV, FREE).rois
    assert holds(first, 0, 64)
    assert first.edge_on is not None
    assert second.edge_on is not None
    assert (first.edge_on.too_thick, second.edge_on.too_thick) == (False, True)
    assert "too thick edge-on: 100 % of the rays at +-90 degrees below 2 %, limit 10 %" in second.reason
    (only,) = MostParticles(edge_on=spec).survey(particles, mosaic, FOV, FREE).rois
    (left,) = MostParticles(edge_on=spec).survey(particles, mosaic, FOV, FREE).rejected
    assert (only.x_um, left.why, left.expected_particles) == (first.x_um, NotChosen.DARK, 9)


def lost_um(x_um: float, diameter_um: float, z_um: float, half_um: float) -> float:
    """How deep a sphere on the tape leaves the field of a scan, at the worst of 361 angles."""
    height_um = diameter_um / 2
    theta = np.radians(np.linspace(-90, 90, 361))
    lateral = x_um * np.cos(theta) + (height_um - z_um) * np.sin(theta)
    return float(np.max(np.abs(lateral) + diameter_um / 2 - half_um))


# Distance from the axis in x, diameter, height of the axis.
DEPTHS = [
    (0.0, 50.0, 10.0), (0.0, 50.0, 25.0), (0.0, 50.0, 21.0), (0.0, 50.0, 29.5), (0.0, 8.0, 10.0), (24.0, 8.0, 10.0),
    (24.5, 8.0, 10.0), (24.9, 8.0, 4.0), (25.1, 8.0, 4.0), (20.0, 18.0, 9.0), (20.0, 18.0, 0.0), (0.0, 8.0, 40.0),
    (-24.9, 8.0, 4.0), (-24.5, 8.0, 10.0),
]  # fmt: skip


@pytest.mark.parametrize(("x_um", "diameter_um", "z_um"), DEPTHS)
def test_a_particle_is_whole_only_where_it_stays_in_the_field(x_um: float, diameter_um: float, z_um: float) -> None:
    particle = Particle2D(x_um, 0.0, diameter_um, diameter_um, False)
    whole = whole_inside([particle], np.zeros((1, 2)), FOV, 3.0, z_um=z_um)
    assert whole.tolist() == [[lost_um(x_um, diameter_um, z_um, FOV / 2 - 3.0) <= 0]]


def test_a_large_sphere_above_a_low_axis_is_not_counted_as_whole() -> None:
    """It loses 36 um of chord at the field's edge at 90 degrees."""
    beyond_um = lost_um(0.0, 50.0, 10.0, FOV / 2)
    assert 2 * math.sqrt(25**2 - (25 - beyond_um) ** 2) == pytest.approx(36, abs=1)
    giant = seen((0, 0, 50.0))
    with pytest.raises(AnalysisError, match=r"at roi\.z_um 10 all leave the field .* 25 um high"):
        MostParticles().choose(giant, blank(200, 200), FOV, FREE)
    (roi,) = MostParticles(z_um=25).choose(giant, blank(200, 200), FOV, FREE)
    assert roi.expected_particles == 1
    positions = (Position(x_um=-50, y_um=0), Position(x_um=50, y_um=0, z_um=25))
    both = [*seen((-50, 0, 50.0), (50, 0, 50.0))]
    assert [r.expected_particles for r in Manual(positions=positions).choose(both, blank(300, 200), FOV, FREE)] == [
        0,
        1,
    ]
