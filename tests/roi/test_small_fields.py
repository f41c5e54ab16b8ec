"""Single tiles, in which one particle may be most of what there is: of the other generator, and pieces put there."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import finding, powders
from xrm_control.roi.bodies import Bodies, Shape, shadow
from xrm_control.roi.count import Count
from xrm_control.roi.merging import merged
from xrm_control.roi.outlines import outlined
from xrm_control.roi.particles2d import count_particles

BLUR_PX = 0.7


@pytest.mark.parametrize(
    ("case", "seed"),
    [("hollow 0.7", 3), ("hollow 0.7", 4), ("flakes 1:3", 3), ("flakes 1:3", 4), ("prolate 1:2", 4), ("one layer", 0)],
)
def test_a_tile_is_counted(case: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "SIZE_UM", (64.0, 64.0))
    scene = finding.CASES[case](np.random.default_rng(seed))
    found, count = count_particles(scene.mosaic(seed), powders.MU_PER_UM)
    score = finding.score(found, scene, 0.0)
    assert (score.found, score.f1) == (score.true, pytest.approx(1.0))
    assert isinstance(count, Count)
    assert count.doubt == ""


def test_in_layers_what_explains_less_than_half_of_itself_makes_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second search on bodies are found among others that were fitted to some of what they hide: kept, these
    would leave seven of 45 to be found."""
    monkeypatch.setattr(finding, "SIZE_UM", (64.0, 64.0))
    scene = finding.CASES["layers, T 0.6"](np.random.default_rng(0))
    found, _ = count_particles(scene.mosaic(0), powders.MU_PER_UM)
    score = finding.score(found, scene, 0.0)
    assert score.true == 45
    assert score.recall > 0.7
    assert score.precision > 0.75


def one(column: float, row: float, radius: float, **form: float) -> Bodies:
    body = Bodies.spheres(np.array([column]), np.array([row]), np.array([radius]))
    usual = {"along": 0.0, "across": 0.0, "high": 1.0, "hollow": 0.0}
    body.table[0, 3:] = [form.get(name, value) for name, value in usual.items()]
    return body


def mapped(bodies: Bodies) -> tuple[np.ndarray, np.ndarray]:
    chords = shadow(bodies, (80, 80), BLUR_PX) + np.random.default_rng(1).normal(0, 0.7, (80, 80))
    return chords, np.full(chords.shape, 1 / 0.7**2)


@pytest.mark.parametrize(
    "true", [one(40, 38, 25), one(40, 38, 25, hollow=0.7), one(30, 40, 20, high=0.3), one(35, 40, 15, along=0.35)]
)
def test_an_outline_is_where_the_body_is_whatever_it_is_like_within(true: Bodies) -> None:
    chords, weight = mapped(true)
    first = outlined(chords, weight, 5.0, 70.0).table[0]
    assert np.allclose(first[:2], true.table[0, :2], atol=0.5)
    assert np.exp(first[2]) == pytest.approx(true.radius[0], rel=0.08)
    assert np.allclose(first[3:5], true.table[0, 3:5], atol=0.05)


def test_bare_tape_has_no_outline() -> None:
    assert len(outlined(*mapped(Bodies.none()), 5.0, 70.0)) == 0


def test_pieces_within_a_body_are_joined_to_it() -> None:
    chords, weight = mapped(one(40, 38, 22, hollow=0.6))
    pieces = one(40, 38, 19).and_also(one(55, 38, 5)).and_also(one(30, 25, 6)).and_also(one(36, 54, 4))
    residual = chords - shadow(pieces, chords.shape, BLUR_PX)
    joined = merged(residual, weight, pieces, BLUR_PX)
    assert [Shape(int(kind)) for kind in joined.shape] == [Shape.SHELL]
    assert joined.radius[0] == pytest.approx(22, rel=0.02)
    assert np.std(residual) == pytest.approx(0.7, rel=0.1)


def test_a_body_above_another_stays_a_body() -> None:
    both = one(40, 38, 20).and_also(one(50, 45, 7))
    chords, weight = mapped(both)
    assert len(merged(chords - shadow(both, chords.shape, BLUR_PX), weight, both, BLUR_PX)) == 2
