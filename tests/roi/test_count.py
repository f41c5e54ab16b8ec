"""Whether particles can be counted: mosaics of another generator, of which the program sees all, some or none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import finding, powders
from xrm_control.roi.count import Count, between, judged, next_to_nothing, tips_of
from xrm_control.roi.countable import Places
from xrm_control.roi.particles2d import SMALLEST_UM, count_particles
from xrm_control.roi.windows import whole_inside

SIZE_UM = (90.0, 100.0)


def layer(random: np.random.Generator, *others: powders.Layer) -> powders.Scene:
    bodies = [powders.sphere(0, 0, float(d)) for d in powders.sizes(random, 50)]
    return powders.Scene(powders.apart(random, SIZE_UM, bodies, resting=True), SIZE_UM, others)


def deep(random: np.random.Generator, transmission: float) -> powders.Scene:
    return powders.Scene(powders.anywhere(random, SIZE_UM, transmission), SIZE_UM)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_layer_can_be_counted(seed: int) -> None:
    found, count = count_particles(layer(np.random.default_rng(seed)).mosaic(seed), powders.MU_PER_UM)
    assert len(found) == pytest.approx(50, abs=3)
    assert (count.doubt, count.overlap) == ("", pytest.approx(1.0, abs=0.15))
    assert count.uneven < 0.05
    assert holds(count, layer(np.random.default_rng(seed)))
    assert count.between is not None
    assert count.between[1] - count.between[0] < 16


@pytest.mark.parametrize("transmission", [0.85, 0.75, 0.6, 0.3, 0.1])
def test_many_layers_are_counted_to_an_interval_or_not_at_all(transmission: float) -> None:
    scene = deep(np.random.default_rng(1), transmission)
    found, count = count_particles(scene.mosaic(1), powders.MU_PER_UM)
    assert count.doubt
    assert (count.between is not None) == (transmission > 0.6)
    # Where none is stated, far fewer are found, or some of them where there is none.
    assert holds(count, scene) if count.between else len(found) < 1.05 * len(scene.bodies)


@pytest.mark.parametrize(("transmission", "least_recall", "least_precision"), [(0.6, 0.65, 0.7), (0.3, 0.25, 0.7)])
def test_layers_are_searched_to_the_end(transmission: float, least_recall: float, least_precision: float) -> None:
    """An oracle's fit keeps 99 in 100 of them there (`benchmarks.layers`); the search had stopped after ten times."""
    scene = deep(np.random.default_rng(3), transmission)
    found, _ = count_particles(scene.mosaic(3), powders.MU_PER_UM)
    right = len(finding.pairs(found, scene.bodies))
    assert right > least_recall * len(scene.bodies)
    assert right > least_precision * len(found)


NEEDLES = (0.0, 35.0, 90.0, 140.0)


@pytest.mark.parametrize("azimuth_deg", NEEDLES)
def test_a_needle_is_one_particle_however_it_lies_and_as_long_as_it_is(azimuth_deg: float) -> None:
    needle = powders.Body(3.0, -4.0, (13.5, 2.7, 2.7), azimuth_deg)
    ((one,), count) = count_particles(powders.Scene((needle,), SIZE_UM).mosaic(1), powders.MU_PER_UM)
    assert count.doubt == ""
    assert one.fit is not None
    assert (one.fit.long_um, one.fit.short_um) == (pytest.approx(27.0, rel=0.05), pytest.approx(5.4, rel=0.06))
    assert one.equivalent_diameter_um == pytest.approx(needle.diameter_um, rel=0.03)
    a = np.radians(azimuth_deg)
    reach = [np.hypot(13.5 * np.cos(a - k), 2.7 * np.sin(a - k)) for k in (0.0, np.pi / 2)]
    assert one.half_um == (pytest.approx(reach[0], rel=0.08), pytest.approx(reach[1], rel=0.08))


def test_a_needle_that_sticks_out_of_a_region_is_not_whole_in_it() -> None:
    """Of 27 um length and a diameter of 9.2 um, 12 um from the side: as a sphere it would have been."""
    needle = powders.Body(0.0, 0.0, (13.5, 2.7, 2.7), 0.0)
    found, _ = count_particles(powders.Scene((needle,), SIZE_UM).mosaic(2), powders.MU_PER_UM)
    centres = np.array([(20.0, 0.0), (10.0, 0.0), (0.0, 20.0), (0.0, 28.5)])
    held = whole_inside(found, centres, 64.0, 0.0, z_um=3.0)[:, 0]
    assert held.tolist() == [False, True, True, True]


def test_ends_of_long_particles_at_the_border_are_not_counted_for_sure() -> None:
    long, elongation = np.array([26.0, 25.0, 27.0, 8.0, 26.0]), np.array([5.0, 5.0, 5.0, 1.6, 5.0])
    cut = np.array([False, False, False, True, True])
    assert tips_of(long, elongation, cut) == 1
    assert tips_of(long, np.ones(5), cut) == 0
    assert tips_of(long, elongation, np.ones(5, bool)) == 0


def holds(count: Count, scene: powders.Scene) -> bool:
    """Whether the true number, of middles in the view, lies between the stated ends."""
    half = [side / 2 for side in scene.size_um]
    true = sum(abs(b.x_um) < half[0] and abs(b.y_um) < half[1] and b.diameter_um >= SMALLEST_UM for b in scene.bodies)
    return count.between is not None and count.between[0] <= true <= count.between[1]


def test_caps_of_particles_beyond_the_border_are_nobodys_fault() -> None:
    cut = [powders.sphere(x, y, 24.0) for x, y in ((-34, -20), (-33, 15), (34, 0), (0, -35))]
    whole = [powders.sphere(x, y, 9.0) for x, y in ((-10, -10), (10, 5), (-5, 20), (12, -15))]
    scene = powders.Scene((*cut, *whole), (64.0, 64.0))
    _, count = count_particles(scene.mosaic(1), powders.MU_PER_UM)
    assert (count.doubt, count.uneven) == ("", pytest.approx(0.01, abs=0.02))


def test_bubbles_of_an_empty_strip_are_said_to_be_no_count() -> None:
    scene = powders.Scene((), SIZE_UM, (powders.bubbles(25),))
    _, count = count_particles(scene.mosaic(1), powders.MU_PER_UM)
    assert count.doubt


DISTURBED = {
    "wrinkles": (powders.wrinkles(3, 0.05), ""),
    "deep wrinkles": (powders.wrinkles(3, 0.15), "hide small particles"),
    "hairs": (powders.hairs(3), ""),
    "bubbles": (powders.bubbles(6), "air bubbles"),
}


@pytest.mark.parametrize("name", DISTURBED)
def test_what_disturbs_a_mosaic_is_taken_for_no_particle(name: str) -> None:
    others, words = DISTURBED[name]
    scene = layer(np.random.default_rng(1), others)
    found, count = count_particles(scene.mosaic(1), powders.MU_PER_UM)
    score = finding.score(found, scene, 0.0)
    assert score.found - score.matched_found <= 1
    assert score.f1 > 0.96
    assert words in count.doubt


def test_tiles_of_unlike_gain_are_named() -> None:
    scene = replace(layer(np.random.default_rng(1)), gain=0.1, tile_um=32.0)
    assert "uneven tiles" in count_particles(scene.mosaic(1), powders.MU_PER_UM)[1].doubt


EMPTY = {
    "wrinkles": powders.wrinkles(4, 0.05),
    "deep wrinkles": powders.wrinkles(4, 0.15),
    "hairs": powders.hairs(3),
    "bubbles": powders.bubbles(10),
}


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_strip_with_flaws_shows_no_particles(name: str) -> None:
    found, _ = count_particles(powders.Scene((), SIZE_UM, (EMPTY[name],)).mosaic(1), powders.MU_PER_UM)
    assert len(found) <= 1


@pytest.mark.parametrize("cover", [0.7, 0.84])
def test_rows_of_a_dense_layer_are_no_ridges(cover: float) -> None:
    scene = powders.Scene(powders.lattice(np.random.default_rng(1), SIZE_UM, cover), SIZE_UM)
    found, count = count_particles(scene.mosaic(1), powders.MU_PER_UM)
    assert (count.doubt, count.hidden) == ("", 0.0)
    assert finding.score(found, scene, 0.0).f1 > 0.99


def test_the_open_beam_beside_the_strip_is_no_bubble() -> None:
    mosaic = layer(np.random.default_rng(1)).mosaic(1)
    columns = np.arange(mosaic.image.shape[1])
    bare = (columns > 0.85 * columns.size)[None, :] * (np.exp(powders.TAPE) - 1) + 1
    _, count = count_particles(replace(mosaic, image=(mosaic.image * bare).astype(np.float32)), powders.MU_PER_UM)
    assert count.bright < 0.002
    assert count.drift < 0.05


def test_an_empty_strip_has_nothing_to_count() -> None:
    found, count = count_particles(powders.Scene((), SIZE_UM).mosaic(1), powders.MU_PER_UM)
    assert (found, count.doubt) == ((), "")


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (Count(0.12), "12 % of the thickness goes with no particle, limit 6 %"),
        (Count(0.0, 1.7), "1.70 particles lie above each other on average, limit 1.15"),
        (Count(0.05, 1.1), ""),
        (Count(hidden=0.08), "wrinkles or hairs hide small particles over 8 % of the view, limit 2 %"),
        (Count(bright=0.03), "3.0 % of the view is brighter than the tape, limit 1.5 %"),
        (Count(drift=0.12), "level varies by 0.120 in optical depth, limit 0.065"),
    ],
)
def test_the_doubt_says_value_and_limit(count: Count, words: str) -> None:
    assert words in count.doubt
    assert bool(count.doubt) == bool(words)


def test_the_figures_are_what_they_say() -> None:
    shadow = np.zeros((60, 60))
    shadow[20:40, 20:40] = 10.0
    seen = np.ones(shadow.shape, bool)
    seen[:, 50:] = False
    above = np.where(shadow > 0, 2.0, 0.0)
    count = judged(shadow + np.where(seen, 0.5, 1e6), seen, shadow, above, pixel_um=0.5)
    # Two particles over each other, and half a pixel left over everywhere.
    assert count.overlap == pytest.approx(2.0)
    assert count.uneven == pytest.approx(0.5 / 10.5, rel=0.01)


ALONE, CROWDED = np.zeros(100), np.full(100, 2.0)
SIZES = np.full(100, 9.0)


@pytest.mark.parametrize(
    ("count", "crowding", "sizes", "cut", "ends"),
    [
        (Count(0.01), ALONE, SIZES, 0, (96, 104)),
        (Count(0.01), ALONE, SIZES, 36, (94, 106)),
        (Count(0.01, 1.5), CROWDED, SIZES, 0, (71, 129)),
        (Count(0.01), ALONE, np.full(100, 3.0), 0, (46, 204)),
        (Count(0.01, hidden=0.1), ALONE, SIZES, 0, (96, 114)),
        (Count(0.01, 1.9), CROWDED, SIZES, 0, None),
        (Count(0.07), ALONE, SIZES, 0, None),
        (Count(bright=0.1), ALONE, SIZES, 0, None),
        (Count(drift=0.1), ALONE, SIZES, 0, None),
    ],
)
def test_ends_are_as_far_apart_as_what_is_not_known(
    count: Count, crowding: np.ndarray, sizes: np.ndarray, cut: int, ends: tuple[int, int] | None
) -> None:
    assert between(count, crowding, sizes, cut, SMALLEST_UM) == ends


def test_a_hundredth_of_a_usual_strip_is_next_to_nothing() -> None:
    assert next_to_nothing(2, 52_000.0)
    assert not next_to_nothing(4, 52_000.0)


def beside(seed: int, transmission: float) -> powders.Scene:
    """A heap of many layers on the right fifth of a strip of one layer."""
    random = np.random.default_rng(seed)
    bodies = [powders.sphere(0, 0, float(d)) for d in powders.sizes(random, 60)]
    single = [body for body in powders.apart(random, SIZE_UM, bodies, resting=True) if body.x_um < 21]
    heap = powders.anywhere(random, (10.0, SIZE_UM[1]), transmission)
    return powders.Scene((*single, *(replace(body, x_um=body.x_um + 36) for body in heap)), SIZE_UM)


def test_a_heap_beside_a_single_layer_is_no_certain_count() -> None:
    scene = beside(1, 0.3)
    found, count = count_particles(scene.mosaic(1), powders.MU_PER_UM)
    places = count.places
    assert places.at(np.array([-30.0, 0.0]), np.array([0.0, 0.0])).all()
    assert not places.at(np.array([38.0, 38.0]), np.array([-20.0, 20.0])).any()
    # Cells are whole pixels: the map reaches just over the view.
    assert places.left_um + places.countable.shape[1] * places.cell_um == pytest.approx(45.0, abs=places.cell_um)
    assert places.left_um + (places.countable.shape[1]) * places.cell_um >= 44.9
    assert count.doubt
    assert count.between is None
    assert all(one.x_um < 30 for one in found if one.fit is not None and one.fit.certain)


def test_the_doubt_names_the_share_of_places() -> None:
    matter = np.ones((4, 5))
    places = Places(0.0, 0.0, 8.0, matter, matter, np.arange(20).reshape(4, 5) >= 5)
    assert "cannot be counted in 25 % of the places that hold powder, limit 10 %" in Count(places=places).doubt
    assert places.deep_share == 0.0


@pytest.mark.parametrize(
    ("elongation", "cut_um", "tips"),
    # A quarter of the whole ones, of 1 to 101 um, are no longer than 26.
    [(3.0, (5.0, 25.9, 26.1, 90.0), 2), (3.0, (), 0), (3.0, (26.9,), 0), (1.4, (5.0,), 0)],
)
def test_of_long_particles_the_border_cuts_tips_that_are_shorter_than_three_in_four(
    elongation: float, cut_um: tuple[float, ...], tips: int
) -> None:
    long_um = np.array([*range(1, 102), *cut_um], float)
    assert tips_of(long_um, np.full(len(long_um), elongation), np.arange(len(long_um)) >= 101) == tips
