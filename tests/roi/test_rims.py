"""What is a particle and what a piece of something long, on maps put there body by body."""

from __future__ import annotations

import numpy as np
import pytest

from xrm_control.roi.bodies import FACTOR, STRETCH, Bodies, beneath, shadow
from xrm_control.roi.ridges import ridges
from xrm_control.roi.rims import HIGHEST_VALLEY, ON_RIDGES, closed, pieces, thick_px

SHAPE, BLUR_PX, PIXEL_UM, NOISE_PX = (160, 160), 0.7, 0.5, 1.2
THICK_PX = thick_px(0.0458, PIXEL_UM)


def row_of(diameter_px: float, apart_px: float, count: int, *, slope: float = 0.5) -> Bodies:
    """Spheres side by side along a slanted line."""
    along = (np.arange(count) - (count - 1) / 2) * apart_px
    angle = np.arctan(slope)
    return Bodies.spheres(80 + along * np.cos(angle), 80 + along * np.sin(angle), np.full(count, diameter_px / 2))


def band(height_px: float, *, width_px: float = 10.0, slope: float = 0.5, at: float = 0.0) -> np.ndarray:
    """A ridge of Gaussian profile (full width at half maximum) all across the map."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] - 79.5
    across = (y - slope * x - at) / np.hypot(1, slope)
    return height_px * np.exp(-0.5 * (across / (width_px / 2.355)) ** 2)


def noisy(chords: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return chords + np.random.default_rng(1).normal(0, NOISE_PX, SHAPE), np.full(SHAPE, NOISE_PX**-2)


@pytest.mark.parametrize("height_px", [4.0, 6.5])
def test_a_piece_of_a_ridge_shows_no_rim(height_px: float) -> None:
    chords, weight = noisy(band(height_px))
    pieces = row_of(9.0, 9.0, 9)
    pieces.table[:, FACTOR] = height_px / 9.0
    assert not closed(chords, weight, pieces, BLUR_PX, THICK_PX).any()


@pytest.mark.parametrize("apart", [1.0, 1.5])
def test_thin_particles_in_a_row_show_theirs(apart: float) -> None:
    row = row_of(8.0, 8.0 * apart, 9)
    chords, weight = noisy(shadow(row, SHAPE, BLUR_PX))
    assert closed(chords, weight, row, BLUR_PX, THICK_PX).all()


@pytest.mark.parametrize("diameter_px", [5.0, 8.0])
def test_a_row_of_touching_particles_is_no_ridge_once_they_are_found(diameter_px: float) -> None:
    row = row_of(diameter_px, diameter_px, 20)
    chords, weight = noisy(shadow(row, SHAPE, BLUR_PX))
    shown = row.where(closed(chords, weight, row, BLUR_PX, THICK_PX))
    left = chords - shadow(shown, SHAPE, BLUR_PX)
    assert not ridges(left, weight > 0, NOISE_PX, PIXEL_UM).any()


def test_a_small_one_beneath_a_large_one_shows_what_can_be_seen_of_its_rim() -> None:
    both = row_of(44.0, 1.0, 1).and_also(row_of(10.0, 1.0, 1))
    both.table[1, :2] += (17.0, 13.0)
    chords, weight = noisy(shadow(both, SHAPE, BLUR_PX))
    assert closed(chords, weight, both, BLUR_PX, THICK_PX).tolist() == [True, True]


def test_a_ridge_that_runs_beneath_a_thick_one_is_none_there_either() -> None:
    thick, piece = row_of(40.0, 1.0, 1), row_of(9.0, 1.0, 1)
    piece.table[:, FACTOR] = 0.6
    chords, weight = noisy(shadow(thick, SHAPE, BLUR_PX) + band(5.4))
    assert closed(chords, weight, thick.and_also(piece), BLUR_PX, THICK_PX).tolist() == [True, False]


def test_a_splinter_is_no_particle() -> None:
    one = row_of(8.0, 1.0, 1)
    one.table[:, [STRETCH, FACTOR]] = 0.5, 0.3
    chords, weight = noisy(shadow(one, SHAPE, BLUR_PX))
    assert not closed(chords, weight, one, BLUR_PX, THICK_PX).any()


def test_thick_bodies_are_not_asked() -> None:
    chords, weight = noisy(band(20.0))
    assert closed(chords, weight, row_of(20.0, 10.0, 5), BLUR_PX, THICK_PX).all()


@pytest.mark.parametrize("height_px", [2.2, 6.5])
def test_a_ridge_is_taken_off_where_it_is(height_px: float) -> None:
    chords, weight = noisy(band(height_px))
    found = ridges(chords, weight > 0, NOISE_PX, PIXEL_UM)
    on = band(1.0) > 0.9
    assert found[on].mean() == pytest.approx(height_px, rel=0.15)
    assert found[band(1.0) < 1e-4].mean() < 0.1


def test_a_ridge_is_followed_beneath_what_hides_half_of_it() -> None:
    """Bodies that lie on it hide it; in the gaps between them it is seen, and so is its height beneath them."""
    chords, weight = noisy(band(6.5))
    hiding = row_of(10.0, 28.0, 6)
    free = (weight > 0) & ~beneath(hiding, SHAPE)
    found = ridges(np.where(free, chords, 0.0), free, NOISE_PX, PIXEL_UM)
    hidden = (band(1.0) > 0.9) & ~free
    assert hidden.sum() > 150
    assert found[hidden].mean() == pytest.approx(6.5, rel=0.15)
    assert found[band(1.0) < 1e-4].mean() < 0.1


def pieces_um(*spans: tuple[float, float]) -> np.ndarray:
    """A map of pieces of one straight ridge, from where to where along it, of 4 pixels' height."""
    y, x = np.mgrid[:80, :280]
    on = np.any([(x * PIXEL_UM >= begin) & (x * PIXEL_UM < end) for begin, end in spans], axis=0)
    return 4.0 * np.exp(-0.5 * ((y - 40) / 4.25) ** 2) * on + np.random.default_rng(1).normal(0, NOISE_PX, y.shape)


LONG = (5.0, 75.0)


@pytest.mark.parametrize(
    ("spans", "found"),
    [
        ([LONG], [True, False]),
        ([LONG, (90.0, 125.0)], [True, True]),
        # As short as a particle is long.
        ([LONG, (90.0, 112.0)], [True, False]),
        ([(90.0, 125.0)], [False, False]),
        ([(75.0, 135.0)], [False, True]),
    ],
)
def test_beside_a_long_ridge_a_shorter_piece_is_one_as_well(
    spans: list[tuple[float, float]], found: list[bool]
) -> None:
    lie = ridges(pieces_um(*spans), np.ones((80, 280), bool), NOISE_PX, PIXEL_UM)
    along = lie[40, 24:136], lie[40, 200:220]
    assert [bool(part.mean() > 3.0) for part in along] == found
    assert [bool(part.any()) for part in along] == found


def test_gaps_between_bodies_on_bare_tape_are_no_ridge() -> None:
    chords, weight = noisy(np.zeros(SHAPE))
    free = (weight > 0) & ~beneath(row_of(16.0, 18.0, 9), SHAPE)
    assert not ridges(chords, free, NOISE_PX, PIXEL_UM).any()


def test_what_is_long_and_thin_on_a_ridge_is_a_piece_of_it() -> None:
    bodies = row_of(9.0, 40.0, 3)
    bodies.table[:, STRETCH] = 0.0, 0.3, 0.3
    bodies.table[2, :2] = 20.0, 120.0
    ridge = band(6.5)
    assert pieces(bodies, ridge, 1.0, THICK_PX).tolist() == [False, True, False]
    assert not pieces(bodies, np.zeros(SHAPE), 1.0, THICK_PX).any()
    bodies.table[:, FACTOR] = 1.5
    assert not pieces(bodies, ridge, 1.0, THICK_PX).any()


def test_where_two_ridges_cross_both_are_taken_off() -> None:
    chords, weight = noisy(band(5.0) + band(5.0, slope=-0.8))
    left = chords - ridges(chords, weight > 0, NOISE_PX, PIXEL_UM)
    assert left[70:90, 70:90].mean() == pytest.approx(0.0, abs=1.0)


def test_what_lies_on_a_ridge_must_be_higher_than_it() -> None:
    assert HIGHEST_VALLEY < ON_RIDGES < 1
