"""Small particles on larger ones are particles of their own; lumps, rods and plates are not."""

import numpy as np
import pytest

from benchmarks.star_bodies import sphere_points
from tests.analysis.phantoms import MU, VOXEL_UM, Body, ball, render
from xrm_control.analysis.core import AnalysisSpec, analyze_volume
from xrm_control.analysis.splitting import SplitSpec, fill_enclosed, split


def on(host: float, satellite: float, sunk: float, number: int) -> list[Body]:
    """A ball on another, in one of many directions; um."""
    x, y, z = ((host + satellite - sunk) * sphere_points(40)[number]).tolist()
    return [ball(0, 0, 0, host), ball(x, y, z, satellite)]


CASES = [
    # name, bodies, how many particles
    *((f"a satellite of 0.4, direction {n}", on(4.5, 1.8, 0.15, n), 2) for n in (3, 11, 22, 37)),
    *((f"a satellite of 0.35, grown in, direction {n}", on(5.0, 1.75, 0.2, n), 2) for n in (5, 18, 30)),
    ("two satellites", [*on(5.0, 1.9, 0.1, 4), on(5.0, 1.9, 0.1, 35)[1]], 3),
    *((f"half a ball sunk in is a lump, direction {n}", on(4.5, 1.8, 1.8, n), 1) for n in (3, 22)),
    ("a rod", [ball(x, 0, 0, 1.5) for x in np.arange(-4, 4.1, 0.4)], 1),
    ("a plate", [Body((0, 0, 0), (5, 1.2, 5))], 1),
]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("bodies", "count"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_counts(bodies: list[Body], count: int, seed: int) -> None:
    labels = split(fill_enclosed(render(bodies, fwhm_voxels=2.0, seed=seed) > MU / 2), SplitSpec())
    assert np.count_nonzero(np.bincount(labels.ravel())[1:] >= 15) == count


def test_the_satellite_has_its_own_volume() -> None:
    """Of the ball; its cap in the crevice, which the blur fills, goes to the host."""
    bodies = on(5.0, 2.0, 0.1, 9)
    labels = split(fill_enclosed(render(bodies, fwhm_voxels=2.0) > MU / 2), SplitSpec())
    sizes = np.sort(np.bincount(labels.ravel())[1:]) * 0.512**3
    assert sizes == pytest.approx(sorted(body.volume for body in bodies), rel=0.25)
    assert sizes[1] == pytest.approx(bodies[0].volume, rel=0.03)


def test_one_too_small_to_be_measured_adds_nothing_to_its_host() -> None:
    """Balls of 1.9 um, below the least size of 2 um, on balls of 6 um: three of a hundred of their volumes."""
    hosts = [ball(x, y, z, 3.0) for x in (-8, 8) for y in (-8, 8) for z in (-8, 8)]
    small = [ball(x + np.sign(x) * 3.95, y, z, 0.95) for x, y, z in (host.centre for host in hosts)]
    found = analyze_volume(render([*hosts, *small], (80, 80, 80)), VOXEL_UM, AnalysisSpec())
    assert len(found.particles) == len(hosts)
    assert np.median([row["volume_um3"] for row in found.particles]) == pytest.approx(hosts[0].volume, rel=0.01)
