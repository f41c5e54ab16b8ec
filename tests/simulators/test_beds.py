"""Powder in several layers, and what is light among the particles."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import xraydb
from scipy.spatial import KDTree

from simulators.powder import make_specimen
from simulators.render import Grid
from simulators.slices import slice_mu
from simulators.specimen import Specimen, SpecimenConfig

SMALL = SpecimenConfig(tape=False, strip_width_um=120.0, strip_height_um=120.0, difficulty=1.0)
WHOLE = Grid(560, 560, 0.25, 0.25, -70.0, -70.0)
FORMULAS = {"graphite": ("C", 2.2), "binder": ("C2H2F2", 1.78)}


@cache
def bed(preset: str = "nmc811", **changed: float) -> Specimen:
    return make_specimen(replace(SMALL, preset=preset, **changed), 4)


def whole_um2(specimen: Specimen) -> float:
    """Of the attenuation over the whole strip, seen from the front."""
    return float(specimen.attenuation((0.0, 0.0, 0.0), 0.0, WHOLE).sum(dtype=float)) * WHOLE.column_um * WHOLE.row_um


@pytest.mark.parametrize("preset", ["nmc811", "lfp"])
def test_pieces_rest_on_each_other_and_go_through_none(preset: str) -> None:
    particles = bed(preset, layers=4).particles
    centres = np.array([p.centre_um for p in particles])
    reach = np.array([p.envelope.radius_max_um for p in particles])
    group = np.array([min(p.nature.group) for p in particles if p.nature])
    rests = np.array([p.centre_um[2] + p.envelope.lowest_z_um for p in particles]) < 1e-6
    for n, m in KDTree(centres).query_pairs(2.0 * float(reach.max())):
        if group[n] != group[m]:
            apart = float(np.linalg.norm(centres[n] - centres[m]))
            assert apart > reach[n] + reach[m] - 1e-6
            if apart < reach[n] + reach[m] + 1e-6:
                # The higher one rests on the lower one.
                rests[n if centres[n, 2] > centres[m, 2] else m] = True
    supported = {int(one) for one in group[rests]}
    # A piece of several may rest on its neighbour's side, so that its own member is the lower one.
    assert len(supported) > 0.97 * len(set(group.tolist()))


def test_each_layer_takes_the_same_share_of_the_light() -> None:
    """In a bed laid at random each layer is another one of the same; what they take multiplies."""
    once, four = bed("nmc622", layers=1, difficulty=0.0), bed("nmc622", layers=4, difficulty=0.0)
    assert len(four.particles) == pytest.approx(4 * len(once.particles), rel=0.02)
    middle = (slice(80, -80), slice(80, -80))
    seen = {
        layers: float(np.exp(-one.attenuation((0.0, 0.0, 0.0), 0.0, WHOLE)[middle]).mean())
        for layers, one in ((1, once), (4, four))
    }
    # Those in one layer are laid beside each other, where little light goes past two.
    assert 0.6 < math.log(seen[4]) / (4 * math.log(seen[1])) < 1.1


@pytest.mark.parametrize("preset", ["nmc622", "silicon"])
@pytest.mark.parametrize(("graphite", "binder"), [(10.0, 0.0), (0.0, 4.0), (8.0, 3.0)])
def test_light_bodies_weigh_what_was_asked_for(preset: str, graphite: float, binder: float) -> None:
    specimen = bed(preset, graphite_weight_percent=graphite, binder_weight_percent=binder)
    truth = specimen.truth()
    weight = {
        "powder": specimen.material.density_g_cm3 * sum(p["solid_volume_um3"] for p in truth["particles"]),
        **{
            name: density * sum(c["volume_um3"] for c in truth["companions"] if c["material"] == name)
            for name, (_, density) in FORMULAS.items()
        },
    }
    for name, wanted in (("graphite", graphite), ("binder", binder)):
        # On so small a strip one flake more or less is a good part of all graphite.
        near = {"graphite": 0.25, "binder": 0.05}[name]
        assert 100.0 * weight[name] / sum(weight.values()) == pytest.approx(wanted, rel=near, abs=0.02)
    for body in truth["companions"]:
        formula, density = FORMULAS[body["material"]]
        expected_per_cm = xraydb.material_mu(formula, 5400.0, density=density)
        assert body["mu_per_um"] == pytest.approx(1e-4 * expected_per_cm, rel=1e-6)


@pytest.mark.parametrize("preset", ["nmc622", "metal"])
def test_no_matter_counts_twice(preset: str) -> None:
    """What the light bodies take from all the light is what their volumes would, and no place holds two bodies."""
    with_them = bed(preset, graphite_weight_percent=8.0, binder_weight_percent=3.0)
    without = bed(preset)
    assert len(with_them.particles) == len(without.particles)
    lost_um2 = sum(one["mu_per_um"] * one["volume_um3"] for one in with_them.truth()["companions"])
    assert whole_um2(with_them) - whole_um2(without) == pytest.approx(lost_um2, rel=0.01)
    alone = with_them.path_length((0.0, 0.0, 0.0), 0.0, WHOLE)
    assert np.array_equal(alone, without.path_length((0.0, 0.0, 0.0), 0.0, WHOLE))
    x, z = np.arange(-60.0, 60.0, 0.3), np.arange(-1.0, 40.0, 0.3)
    for y_um in (-31.05, 0.05, 20.05):
        light, solid = slice_mu(with_them, y_um, x, z), slice_mu(without, y_um, x, z)
        among = (solid > 0.2 * with_them.mu_per_um) & (np.abs(light - solid) > 1e-6)
        assert among.sum() < 0.005 * np.count_nonzero(solid)
        assert np.count_nonzero(light) > np.count_nonzero(solid)
        # Two light bodies in one place would attenuate more than the heavier of them.
        most = max(one["mu_per_um"] for one in with_them.truth()["companions"])
        twice = (solid == 0) & (light > 1.01 * most)
        assert twice.sum() < 0.002 * np.count_nonzero(light > solid)


@pytest.mark.parametrize(
    "wrong",
    [{"layers": 0}, {"layers": 13}, {"graphite_weight_percent": -1.0}, {"binder_weight_percent": 95.0}],
)
def test_what_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be from"):
        make_specimen(replace(SMALL, **wrong), 1)
