"""Table 1 in both conventions, and pooled statistics, on rows made by hand."""

import json

import numpy as np
import pytest

from xrm_control.analysis import population
from xrm_control.analysis.weighted_rows import bootstrap_interval
from xrm_control.contracts.columns import KNOWN_PARTICLE_COLUMNS
from xrm_control.contracts.rows import Rows
from xrm_control.contracts.table1 import PAPER
from xrm_control.contracts.tables import VOID_COLUMNS

PAPER_VALUES = PAPER.model_dump()


def pool(particles: list[dict], voids: list[dict], *, seed: int = 1) -> dict:
    """Pooled rows as they stand in results.json."""
    found = population.pool(Rows.of(particles, KNOWN_PARTICLE_COLUMNS), Rows.of(voids, VOID_COLUMNS), seed=seed)
    return {"table1": found.table1.model_dump(), "population": found.population.model_dump()}


def particle(number: int, diameter: float, weight: float, *, roi: str = "roi-01", void: float = 0.0) -> dict:
    volume = np.pi / 6 * diameter**3
    return {
        "particle_id": number,
        "roi": roi,
        "volume_um3": volume,
        "surface_area_um2": np.pi * diameter**2,
        "sphericity": 1.0,
        "surface_to_volume_per_um": 6 / diameter,
        "equivalent_diameter_um": diameter,
        "volume_voxels_um3": 1.1 * volume,
        "surface_faces_um2": 1.5 * np.pi * diameter**2,
        "void_count": int(void > 0),
        "void_volume_um3": void,
        "dead_volume_percent": 100 * void / volume,
        "touches_boundary": int(weight == 0),
        "weight": weight,
    }


def void(number: int, owner: int, volume: float, kind: str = "closed") -> dict:
    diameter = (6 * volume / np.pi) ** (1 / 3)
    return {
        "void_id": number,
        "particle_id": owner,
        "roi": "roi-01",
        "kind": kind,
        "volume_um3": volume,
        "surface_area_um2": np.pi * diameter**2,
        "sphericity": 1.0,
        "surface_to_volume_per_um": 6 / diameter,
        "equivalent_diameter_um": diameter,
        "volume_voxels_um3": 0.5 * volume,
        "surface_faces_um2": 1.4 * np.pi * diameter**2,
    }


ROWS = [particle(1, 4, 1.2), particle(2, 8, 1.5, void=10), particle(3, 12, 2.0, void=40), particle(4, 20, 0)]
VOIDS = [void(1, 2, 10), void(2, 3, 40, "ambiguous"), void(3, 3, 5, "open"), void(4, 4, 30)]


def test_unbiased() -> None:
    table = pool(ROWS, VOIDS)["table1"]["unbiased"]
    weights, diameters = np.array([1.2, 1.5, 2.0]), np.array([4, 8, 12.0])
    volumes = np.pi / 6 * diameters**3
    assert table["n_particles"] == 3
    assert table["n_voids"] == 2
    assert table["particle"]["volume_um3"] == pytest.approx(np.average(volumes, weights=weights))
    assert table["particle"]["surface_to_volume_per_um"] == pytest.approx(np.average(6 / diameters, weights=weights))
    assert table["void"]["volume_um3"] == pytest.approx((1.5 * 10 + 2.0 * 40) / 3.5)
    assert table["voided_particles_percent"] == pytest.approx(100 * 3.5 / 4.7)
    assert table["dead_volume_percent"] == pytest.approx(100 * 95 / (1.5 * volumes[1] + 2 * volumes[2]))


def test_paper_convention() -> None:
    table = pool(ROWS, VOIDS)["table1"]["paper"]
    diameters = np.array([4, 8, 12.0])
    volume, area = 1.1 * np.pi / 6 * (diameters**3).mean(), 1.5 * np.pi * (diameters**2).mean()
    cells = table["particle"]
    assert cells["volume_um3"] == pytest.approx(volume)
    assert cells["surface_area_um2"] == pytest.approx(area)
    assert cells["sphericity"] == pytest.approx(np.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / area)
    assert cells["surface_to_volume_per_um"] == pytest.approx((1.5 * 6 / 1.1 / diameters).mean())
    assert cells["equivalent_diameter_um"] == pytest.approx(1.1 ** (1 / 3) * 8)
    assert table["dead_volume_percent"] == pytest.approx(100 * 12.5 / volume)
    assert table["voided_particles_percent"] == pytest.approx(200 / 3)


def test_the_papers_own_values_fit_its_convention() -> None:
    """psi from mean V and mean SA, V_D as ratio of means: the published row reproduces itself."""
    cells = PAPER_VALUES["particle"]
    psi = np.pi ** (1 / 3) * (6 * cells["volume_um3"]) ** (2 / 3) / cells["surface_area_um2"]
    assert round(psi, 1) == cells["sphericity"]
    dead = 100 * PAPER_VALUES["void"]["volume_um3"] / cells["volume_um3"]
    assert round(dead, 1) == PAPER_VALUES["dead_volume_percent"]
    assert pool(ROWS, VOIDS)["table1"]["paper_values"] == PAPER_VALUES


@pytest.mark.parametrize(
    ("small", "large", "median_um"), [(1.0, 1.0, 8.0), (100.0, 1.0, 4.0), (9.0, 1.0, 4.0), (7.0, 1.0, 8.0)]
)
def test_by_volume_a_particle_counts_as_often_as_it_weighs(small: float, large: float, median_um: float) -> None:
    """Eight of 4 um are as much as one of 8 um."""
    rows = [*(particle(n, 4, small) for n in range(1, 11)), *(particle(n, 8, large) for n in range(11, 21))]
    assert pool(rows, [])["population"]["volume_weighted_diameter_um"]["d50"] == pytest.approx(median_um, rel=0.01)


def test_distribution_of_a_lognormal() -> None:
    rng = np.random.default_rng(5)
    rows = [particle(n, d, 1.0, roi=f"roi-{n % 5}") for n, d in enumerate(np.exp(rng.normal(np.log(6), 0.43, 2000)))]
    found = pool(rows, [])["population"]["equivalent_diameter_um"]
    assert found["sigma_ln"] == pytest.approx(0.43, rel=0.05)
    assert found["median"] == pytest.approx(6, rel=0.03)
    assert found["d10"] == pytest.approx(6 * np.exp(-1.2816 * 0.43), rel=0.05)
    assert found["d90"] == pytest.approx(6 * np.exp(1.2816 * 0.43), rel=0.05)
    low, high = found["median_interval"]
    assert low < found["median"] < high
    assert high - low < 0.8
    weighted = pool(rows, [])["population"]["volume_weighted_diameter_um"]
    assert weighted["d50"] == pytest.approx(6 * np.exp(3 * 0.43**2), rel=0.06)


def test_voided_fraction_has_wilsons_interval() -> None:
    rows = [particle(n, 6, 1.0, void=float(n % 2)) for n in range(160)]
    found = pool(rows, [])["population"]["voided_fraction"]
    assert found["value"] == 0.5
    assert found["interval"] == pytest.approx([0.423, 0.577], abs=0.002)
    assert pool(rows, [])["population"]["dead_volume_percent"]["n"] == 80


def test_nothing_whole() -> None:
    found = pool([particle(1, 5, 0)], [])
    assert found["population"]["n_whole"] == 0
    assert found["table1"]["unbiased"]["n_particles"] == 0
    assert found["table1"]["paper"]["void"]["volume_um3"] is None
    # Not 0: nothing was looked into.
    assert [found["table1"][name]["dead_volume_percent"] for name in ("unbiased", "paper")] == [None, None]
    json.dumps(found, allow_nan=False)


def test_seeded() -> None:
    assert pool(ROWS, VOIDS, seed=3) == pool(ROWS, VOIDS, seed=3)


@pytest.mark.parametrize("count", [2, 3, 10, 1000])
def test_ends_of_what_is_positive_are_positive_and_of_much_the_usual_ones(count: int) -> None:
    """Two items count for the volume of a coarse lot, and Student's t of one degree of freedom is 12.7."""
    samples = np.random.default_rng(4).normal(17.0, 3.0, 4000).clip(5.0)
    ends = bootstrap_interval(samples, 17.0, count)
    assert ends is not None
    low, high = (one or 0.0 for one in ends)
    assert 0 < low < 17.0 < high
    if count == 1000:
        assert ends == pytest.approx(np.percentile(samples, (2.5, 97.5)), rel=0.01)
    below = bootstrap_interval(samples - 16.0, 1.0, count)
    assert below is not None
    assert (below[0] or 0.0) < 0, "what may be negative stays so"
