"""The voided share with the mosaic's radiographs: unbiased whatever these say, narrower where they are good.

Strips of particles that are drawn, not rendered; `python -m benchmarks.double_sampling` renders them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from xrm_control.analysis.double_sampling import double_sampled
from xrm_control.analysis.population import pool, share_of, weigh
from xrm_control.analysis.size_classes import MosaicSizes, Window
from xrm_control.analysis.table1 import voided_of
from xrm_control.contracts.columns import KNOWN_PARTICLE_COLUMNS
from xrm_control.contracts.population import DoubleSampling
from xrm_control.contracts.rows import Rows

SIDE_UM, SEEDS = 65.0, 60
WINDOWS = tuple(
    Window(f"roi-{n:02d}", x, y, 4.0, SIDE_UM, SIDE_UM)
    for n, (x, y) in enumerate(((-70, -150), (60, -80), (-60, 10), (80, 60), (0, 150), (-90, 210)), start=1)
)


def share_at(d_um: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(0.1 + 0.06 * (d_um - 3), 0.1, 0.8)


@dataclass(frozen=True)
class Strip:
    """rows: measured in the windows, cut ones too."""

    rows: Rows
    mosaic: MosaicSizes


def strip(seed: int, kind: str, windows: tuple[Window, ...] = WINDOWS) -> Strip:
    random = np.random.default_rng(seed)
    n = 1000
    x, y = random.uniform(-160, 160, n), random.uniform(-260, 260, n)
    d = np.clip(random.lognormal(np.log(6), 0.4, n), 3, 20)
    voided = random.random(n) < share_at(d)
    scores = {
        "good": np.where(voided, 2.4, 0.0) + random.normal(size=n),
        "useless": random.normal(size=n),
        "size": np.log(d),
        "place": y / 100 + x / 300,
    }[kind]
    scores = np.where(random.random(n) < 0.1, np.nan, scores)
    # The finder sees all but a few, and some that are none.
    shown = random.random(n) < 0.97
    phantoms = 40
    at = np.concatenate((np.column_stack((x, y))[shown], random.uniform((-160, -260), (160, 260), (phantoms, 2))))
    seen = np.concatenate((d[shown], random.choice(d, phantoms)))
    mosaic = MosaicSizes(
        tuple(seen.tolist()),
        2.5,
        "",
        tuple(zip(*at.T.tolist(), strict=True)),
        tuple(np.concatenate((scores[shown], np.full(phantoms, 4.0))).tolist()),
        windows,
    )
    rows: list[dict[str, float | str]] = []
    for window in windows:
        room = SIDE_UM / 2 - d / 2
        aside = np.maximum(np.hypot(x - window.x_um, d / 2 - window.z_um), np.abs(y - window.y_um))
        for i in np.flatnonzero(aside < SIDE_UM / 2 + d / 2).tolist():
            rows.append(
                {
                    "particle_id": i,
                    "roi": window.roi,
                    "equivalent_diameter_um": float(d[i]),
                    "volume_um3": float(d[i] ** 3),
                    "void_count": int(voided[i]),
                    "touches_boundary": int(aside[i] > room[i]),
                    "weight": float((1 - d[i] / SIDE_UM) ** -2) if aside[i] <= room[i] else 0.0,
                    "stage_x_um": float(x[i] + random.normal(0, 0.1)),
                    "stage_y_um": float(y[i] + random.normal(0, 0.1)),
                }
            )
    return Strip(Rows.of(rows, KNOWN_PARTICLE_COLUMNS), mosaic)


def both(one: Strip) -> tuple[float, DoubleSampling]:
    """The share by CT alone, and with the radiographs."""
    found, _ = weigh(one.rows, one.mosaic, 1)
    voided = voided_of(found.rows)
    assert voided is not None
    plain = share_of(voided, found)
    return plain[0], double_sampled(one.rows, found, voided, plain, one.mosaic)


LAW = float(share_at(np.clip(np.random.default_rng(0).lognormal(np.log(6), 0.4, 1_000_000), 3, 20)).mean())


@pytest.mark.parametrize(("kind", "gain"), [("good", 1.3), ("useless", 0.9), ("size", 0.9), ("place", 0.9)])
def test_unbiased_whatever_the_radiographs_say(kind: str, gain: float) -> None:
    """Of 60 strips: the mean error within 3.5 of its own, the interval holds the law's share, no narrower than so."""
    errors, held, worth = [], [], []
    for seed in range(SEEDS):
        plain, joined = both(strip(seed, kind))
        assert joined.value is not None
        assert joined.interval is not None
        low, high = joined.interval
        errors.append((plain - LAW, joined.value - LAW))
        held.append((low or 0) <= LAW <= (high or 0))
        worth.append((joined.worth or 0) / joined.n)
    error = np.array(errors)
    assert abs(error[:, 1].mean()) < 3.5 * error[:, 1].std() / np.sqrt(SEEDS)
    assert 0.9 <= np.mean(held) <= 1.0
    ratio = error[:, 0].var() / error[:, 1].var()
    assert ratio > gain
    if kind == "good":
        assert np.median(worth) == pytest.approx(ratio, rel=0.35)
    else:
        assert ratio < 1.12
        assert 0.9 < np.median(worth) < 1.1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"doubt": "many layers"}, "many layers"),
        ({"void_scores": ()}, "no radiographs"),
        ({"places_um": ()}, "no radiographs"),
        ({"void_scores": (float("nan"),) * 2000}, "no radiographs"),
    ],
)
def test_nothing_is_stated_without_a_mosaic_that_tells(change: dict[str, object], words: str) -> None:
    one = strip(1, "good")
    _, joined = both(replace(one, mosaic=replace(one.mosaic, **change)))
    assert (joined.value, joined.interval) == (None, None)
    assert words in joined.reason


def test_nothing_is_stated_of_one_region_or_few_particles() -> None:
    assert "one region alone" in both(strip(1, "good", WINDOWS[:1]))[1].reason
    one = strip(1, "good", WINDOWS[:2])
    few = one.rows.where(np.arange(len(one.rows)) % 6 == 0)
    assert "at least" in both(replace(one, rows=few))[1].reason
    blind = replace(one.mosaic, void_scores=(float("nan"),) * len(one.mosaic.void_scores))
    assert "0 particles were judged" in both(replace(one, mosaic=blind))[1].reason


def test_it_stands_beside_the_plain_share_which_is_as_it_was() -> None:
    one = strip(2, "good")
    told = pool(one.rows, None, mosaic=one.mosaic).population
    before = pool(one.rows, None, mosaic=replace(one.mosaic, void_scores=())).population
    assert told.voided_fraction == before.voided_fraction
    assert told.voided_fraction_by_mosaic is not None
    assert told.voided_fraction_by_mosaic.value is not None
    assert pool(one.rows, None).population.voided_fraction_by_mosaic is None
    # What should have a counterpart and has none, and what should have been measured and was not, is told.
    assert told.voided_fraction_by_mosaic.n_without > 0
    assert told.voided_fraction_by_mosaic.n_lost > 0
