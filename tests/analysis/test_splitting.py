"""Touching bodies told apart, single bodies left whole."""

import math

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import ndimage, special

from tests.analysis.phantoms import MU, Body, ball, render
from xrm_control.analysis.splitting import SplitSpec, fill_enclosed, split

CASES = [
    # name, bodies, how many particles
    ("equal, touching", [ball(-5, 0, 0, 5), ball(5, 0, 0, 5)], 2),
    ("equal, overlapping by 4 %", [ball(-4.8, 0, 0, 5), ball(4.8, 0, 0, 5)], 2),
    ("small under large", [ball(0, 0, 0, 9), ball(9, 0, -7.5, 2.6)], 2),
    ("smallest beside large", [ball(0, 0, 0, 8), ball(10, 0, 0, 2)], 2),
    ("chain", [ball(-8, 0, 0, 4), ball(0, 0, 0, 4), ball(6.5, 0, 0, 2.5)], 3),
    ("three around a gap", [ball(-4, 0, 0, 4), ball(4, 0, 0, 4), ball(0, 0, 6.93, 4)], 3),
    ("sphere", [ball(0, 0, 0, 7)], 1),
    ("oblong 1.5 : 1", [Body((0, 0, 0), (9, 6, 6))], 1),
    ("flat 1 : 2", [Body((0, 0, 0), (8, 4, 8))], 1),
    ("with a void in the middle", [ball(0, 0, 0, 7), ball(0, 0, 0, 3, -1)], 1),
    ("with three voids", [ball(0, 0, 0, 8), *(ball(x, 0, 0, 1.5, -1) for x in (-4, 0.5, 5))], 1),
    ("small", [ball(0.2, 0.1, 0, 1.5)], 1),
]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("bodies", "count"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_counts(bodies: list[Body], count: int, seed: int) -> None:
    volume = render(bodies, seed=seed)
    labels = split(fill_enclosed(volume > MU / 2), SplitSpec())
    sizes = np.bincount(labels.ravel())[1:]
    assert np.count_nonzero(sizes >= 15) == count


def test_the_dividing_plane_lies_between_the_bodies() -> None:
    bodies = [ball(-5, 0, 0, 6), ball(5, 0, 0, 4)]
    labels = split(fill_enclosed(render(bodies) > MU / 2), SplitSpec())
    sizes = np.sort(np.bincount(labels.ravel())[1:]) * 0.512**3
    assert sizes == pytest.approx(sorted(body.volume for body in bodies), rel=0.05)


def parts_in_noise(ends: float, radius: float, seed: int, *, gap: float = 0.0) -> int:
    """Parts of 15 voxels and more of a rod with round ends, or of the two balls at its ends where there is a `gap`, in
    any direction; in voxels; blurred by 0.9 voxels, at an SNR of 7 with noise that hangs together over a voxel."""
    random = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(random.standard_normal((3, 3)))
    half = math.ceil(ends + radius) + 3
    x, y, z = np.moveaxis(np.moveaxis(np.indices((2 * half + 1,) * 3) - half, 0, -1) @ turn, -1, 0)
    along = abs(abs(x) - ends) if gap else np.maximum(abs(x) - ends, 0)
    distance = np.hypot(np.hypot(y + 0.3, z - 0.2), along) - radius
    noise = ndimage.gaussian_filter(random.standard_normal(distance.shape), 1.0)
    grey = 0.5 * special.erfc(distance / 0.9 / math.sqrt(2)) + noise / noise.std() / 7
    labels = split(fill_enclosed((grey > 0.5) & (distance < 3)), SplitSpec())
    return int(np.count_nonzero(np.bincount(labels.ravel())[1:] >= 15))


@pytest.mark.parametrize("radius", [2.6, 3.0, 3.5])
def test_a_thin_rod_that_noise_has_dented_is_one(radius: float) -> None:
    """Five times as long as thick. Where any narrow place was a neck, 2, 8 and 9 of these were parted."""
    assert sum(parts_in_noise(4 * radius, radius, seed) > 1 for seed in range(16)) <= 2


@pytest.mark.parametrize("radius", [3.0, 3.5])
def test_two_balls_of_the_same_size_are_two_in_the_same_noise(radius: float) -> None:
    """With a neck of 0.3 of their radius."""
    ends = math.sqrt(1 - 0.3**2) * radius
    assert sum(parts_in_noise(ends, radius, seed, gap=1) == 2 for seed in range(16)) >= 14


def test_nothing_to_split() -> None:
    assert split(np.zeros((16, 16, 16), bool), SplitSpec()).max() == 0


def test_fill_enclosed_is_six_connected() -> None:
    shell = np.zeros((9, 9, 9), bool)
    shell[2:7, 2:7, 2:7] = True
    shell[4, 4, 4] = False
    shell[3, 3, 4] = False
    assert fill_enclosed(shell)[4, 4, 4]
    shell[2, 2, 4] = False
    assert fill_enclosed(shell)[3, 3, 4], "a way over an edge is no leak"
    shell[2, 3, 4] = False
    assert not fill_enclosed(shell)[3, 3, 4]


@pytest.mark.parametrize(
    ("name", "least", "most"), [("neck_ratio", None, 1), ("min_dynamic_voxels", 0, 1000), ("smoothing_voxels", 0, 5)]
)
def test_settings_end_where_they_mean_nothing_more(name: str, least: float | None, most: float) -> None:
    """A neck wider than the particle, say."""
    for value in (most, *(() if least is None else (least,))):
        assert getattr(SplitSpec.model_validate({name: value}), name) == value
    for value in (1.01 * most, 0.0 if least is None else least - 0.01):
        with pytest.raises(ValidationError):
            SplitSpec.model_validate({name: value})
