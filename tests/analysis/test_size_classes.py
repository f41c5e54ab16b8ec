"""Weights by the mosaic's sizes: against sums in closed form, and what they say they cannot know."""

from __future__ import annotations

import numpy as np
import pytest

from xrm_control.analysis import population
from xrm_control.analysis.mosaic_scale import rescaled
from xrm_control.analysis.population import population_weights
from xrm_control.analysis.size_classes import MosaicSizes, size_classes
from xrm_control.contracts.columns import KNOWN_PARTICLE_COLUMNS
from xrm_control.contracts.population import Population
from xrm_control.contracts.rows import Rows
from xrm_control.contracts.tables import Particle

POWDER = np.exp(np.random.default_rng(3).normal(np.log(8), 0.3, 3000))


def rows(diameters_um: np.ndarray, voided: np.ndarray | None = None) -> Rows:
    found = [
        {
            "particle_id": n,
            "roi": f"roi-{n % 3 + 1:02d}",
            "volume_um3": np.pi / 6 * d**3,
            "equivalent_diameter_um": d,
            "void_count": 0 if voided is None else int(voided[n - 1]),
            "touches_boundary": 0,
            "weight": 1.0,
        }
        for n, d in enumerate(diameters_um.tolist(), start=1)
    ]
    return Rows.of(found, KNOWN_PARTICLE_COLUMNS)


def preferring_small(count: int, seed: int) -> np.ndarray:
    """A choice that takes a particle half as often where it is e times as large."""
    chance = POWDER**-0.7
    return np.random.default_rng(seed).choice(POWDER, count, replace=False, p=chance / chance.sum())


def test_each_class_counts_what_the_mosaic_holds_of_it() -> None:
    measured = preferring_small(150, 1)
    classes = size_classes(measured, MosaicSizes(tuple(POWDER)))
    assert classes is not None
    assert len(classes.counts) > 4
    weights = classes.weights(np.ones((1, 150)))[0]
    assert np.bincount(classes.member, weights=weights) == pytest.approx(classes.counts)
    assert weights.sum() == pytest.approx(len(POWDER))
    assert np.log(measured) @ weights / weights.sum() == pytest.approx(np.log(POWDER).mean(), abs=1e-3)
    assert (weights >= 0).all()


@pytest.mark.parametrize(("widest", "classes"), [(1.02, "one"), (1.1, "one"), (4.0, "several")])
def test_sizes_that_are_nearly_equal_are_one_class(widest: float, classes: str) -> None:
    """The largest is so many times the smallest: a class spans no less than a step of sizes."""
    even = np.exp(np.linspace(np.log(8), np.log(8 * widest), 600))
    found = size_classes(even[::2], MosaicSizes(tuple(even)))
    assert found is not None
    assert (len(found.counts) == 1) == (classes == "one")
    assert found.counts.sum() == len(even)


def test_a_choice_of_small_ones_no_longer_shows() -> None:
    mosaic = MosaicSizes(tuple(POWDER))
    plain, weighted = [], []
    for seed in range(10):
        chosen = rows(preferring_small(150, seed))
        for found, into in ((None, plain), (mosaic, weighted)):
            into.append(
                population.pool(chosen, None, mosaic=found).population.quantities["equivalent_diameter_um"].mean
            )
    assert np.mean(plain) / POWDER.mean() < 0.96
    assert np.mean(weighted) == pytest.approx(POWDER.mean(), rel=0.003)


def weighting_of(measured: np.ndarray, mosaic: MosaicSizes) -> Population:
    return population.pool(rows(measured), None, mosaic=mosaic).population


@pytest.mark.parametrize(
    ("measured", "mosaic", "kind", "said"),
    [
        (POWDER[:200], MosaicSizes(tuple(POWDER)), "mosaic", ""),
        (POWDER[:200], MosaicSizes(tuple(POWDER), doubt="too deep"), "border", "too deep"),
        (POWDER[:200], MosaicSizes(()), "border", "fewer than 6"),
        (POWDER[:5], MosaicSizes(tuple(POWDER)), "border", "fewer than 6"),
        (POWDER[POWDER < 9][:200], MosaicSizes(tuple(POWDER)), "mosaic", "have no measured one of like size"),
    ],
)
def test_what_cannot_be_known_is_said(measured: np.ndarray, mosaic: MosaicSizes, kind: str, said: str) -> None:
    weighting = weighting_of(measured, mosaic).weighting
    assert weighting is not None
    assert weighting.kind == kind
    assert said in weighting.reason
    assert weighting.unbiased == (not said)


def test_a_few_giants_spoil_what_is_weighted_by_volume_alone() -> None:
    found = weighting_of(POWDER[:300], MosaicSizes((*POWDER, *[34.0] * 20))).weighting
    assert found is not None
    assert found.unbiased
    assert "of the volume" in found.volume_reason


def test_what_the_mosaic_is_too_coarse_for_counts_like_its_smallest() -> None:
    fines = np.full(20, 2.0)
    weights = population_weights(rows(np.concatenate([POWDER[:200], fines])), MosaicSizes(tuple(POWDER), 2.5))
    assert weights[:200].sum() == pytest.approx(len(POWDER))
    assert (weights[200:] > 0).all()


def test_without_a_mosaic_nothing_is_told_of_weights() -> None:
    assert population.pool(rows(POWDER[:50]), None).population.weighting is None


def test_the_shares_interval_widens_where_regions_disagree() -> None:
    """The same share, in one case all in one region."""
    measured, third = POWDER[:150], np.arange(1, 151) % 3 == 0
    spread = np.arange(150) % 9 < 3
    mosaic = MosaicSizes(tuple(POWDER))
    widths = []
    for voided in (spread, third):
        share = population.pool(rows(measured, voided), None, mosaic=mosaic).population.voided_fraction
        assert share is not None
        widths.append(float(share.interval[1] or 0) - float(share.interval[0] or 0))
    assert widths[1] > 2 * widths[0]


def seen_smaller(by: float, spread: float, places: bool = True) -> tuple[Rows, MosaicSizes]:
    """200 particles of 3000 are measured; the mosaic reads all of them this much smaller, and the small ones more."""
    random = np.random.default_rng(8)
    x, y = random.uniform(0, 2000, (2, len(POWDER)))
    shown = POWDER * (1 - by) * (POWDER / 8) ** 0.02 * np.exp(random.normal(0, spread, len(POWDER)))
    measured = rows(POWDER[:200])
    for axis, places_um in zip("xy", (x, y), strict=True):
        measured = measured.having(Particle.stage_um[axis], places_um[:200] + random.normal(0, 0.2, 200))
    at = tuple(zip(x.tolist(), y.tolist(), strict=True)) if places else ()
    return measured, MosaicSizes(tuple(shown.tolist()), 2.5, places_um=at)


def test_sizes_of_a_mosaic_that_reads_small_are_put_right() -> None:
    measured, mosaic = seen_smaller(0.03, 0.02)
    put_right = np.array(rescaled(measured, mosaic).diameters_um)
    assert np.mean(mosaic.diameters_um) / POWDER.mean() < 0.98
    assert put_right.mean() == pytest.approx(POWDER.mean(), rel=0.004)
    assert np.percentile(put_right, (10, 90)) == pytest.approx(np.percentile(POWDER, (10, 90)), rel=0.01)


def test_without_places_or_pairs_they_are_left_alone() -> None:
    measured, mosaic = seen_smaller(0.03, 0.02, places=False)
    assert rescaled(measured, mosaic) is mosaic
    measured, mosaic = seen_smaller(0.03, 0.02)
    assert rescaled(rows(POWDER[:200]), mosaic) is mosaic
    assert rescaled(measured.take(range(5)), mosaic) is mosaic
