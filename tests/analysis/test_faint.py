"""Small bodies fainter than particles of their size are told; what is smaller than asked for is left out."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.convex_bodies import ball
from tests.analysis.test_matter import MU, PLACES_UM, VOXEL_UM, Specimen, balls, volume
from xrm_control.analysis.core import AnalysisSpec, analyze_volume
from xrm_control.analysis.faint import too_many_faint

SMALL_UM = [np.array([0.3, y, z]) for y in (-13.6, 0.1, 13.4) for z in (-12.6, -7.4, -2.3, 2.9, 7.6, 12.7)]


def dust(radius_um: float, share: float) -> Specimen:
    """Eighteen balls in closed form, beside eight particles of 11 um."""
    return [*balls(), *((ball(place, radius_um), share) for place in SMALL_UM)]


@pytest.mark.parametrize("snr", [7, 15])
@pytest.mark.parametrize(
    ("radius_um", "share", "faint"),
    [(1.3, 1.0, False), (1.6, 1.0, False), (2.0, 1.0, False), (1.5, 0.68, True), (1.8, 0.68, True)],
)
def test_small_particles_are_held_to_the_grey_of_their_size(
    radius_um: float, share: float, faint: bool, snr: float
) -> None:
    found = analyze_volume(volume(dust(radius_um, share), snr), VOXEL_UM, AnalysisSpec())
    doubt = too_many_faint(found.quality)
    if not faint:
        assert len(found.particles) == len(PLACES_UM) + len(SMALL_UM)
        assert doubt is None
        return
    assert len(found.particles) > len(PLACES_UM) + 4
    assert doubt is not None
    assert "too faint for their size" in doubt[0]
    # What is to be left out are these bodies, and none of the particles.
    assert 2.0 <= (found.quality.faint_up_to_um or 0.0) < 2.2 * radius_um


def test_what_is_too_small_at_its_own_threshold_is_left_out_and_counted() -> None:
    """On a brighter ground, as on glue, the volume's one threshold takes in what hardly passes that of its place."""
    ground: Specimen = [(ball(np.array([0.0, 60.0, 0.0]), 55.0), 0.3)]
    whole: Specimen = [(ball(place, 5.5), 1.0 if place[1] < 0 else 0.7) for place in PLACES_UM]
    places = [np.array([x, 13.0, z]) for x in (-9.0, 0.0, 9.0) for z in (-14.0, 0.3, 14.4)]
    bumps: Specimen = [(ball(place, 1.3), 0.35) for place in places]
    found = analyze_volume(volume([*ground, *whole, *bumps], 25), VOXEL_UM, AnalysisSpec())
    least = np.pi / 6 * (AnalysisSpec().min_particle_um / VOXEL_UM) ** 3
    counts = np.bincount(found.labels.ravel())[1:]
    assert counts.min() >= least
    assert (found.quality.bodies_too_small or 0) >= 1
    assert sorted(row["particle_id"] for row in found.particles) == list(range(1, len(counts) + 1))


def lines(grey: NDArray[np.float32], share: float, along: tuple[int, int]) -> NDArray[np.float32]:
    """With twelve streaks of seven voxels in a slice, one voxel wide, as bright as `share` of the particles.

    Put in behind the blur: no body of the specimen makes them.
    """
    found = grey.copy()
    middle = np.array(grey.shape) // 2
    for n, place in enumerate(SMALL_UM[:12]):
        z, y, x = np.rint(np.asarray(place)[[0, 1, 2]] / VOXEL_UM).astype(int) + middle
        for step in range(-3, 4):
            at = (z + n % 3 - 1, y + step * along[0], x + step * along[1])
            found[at] = share * MU
            for side in (-1, 1):
                found[at[0], at[1] + side * along[1], at[2] + side * along[0]] = 0.62 * share * MU
    return found


@pytest.mark.parametrize("along", [(0, 1), (1, 0)])
@pytest.mark.parametrize("share", [1.0, 1.15])
def test_streaks_are_thinner_than_a_particle_looks(share: float, along: tuple[int, int]) -> None:
    found = analyze_volume(lines(volume(balls(), 15), share, along), VOXEL_UM, AnalysisSpec(min_particle_um=1.2))
    assert len(found.particles) >= len(PLACES_UM) + 10
    doubt = too_many_faint(found.quality)
    assert doubt is not None
    assert (found.quality.faint_particles or 0) >= len(found.particles) - len(PLACES_UM) - 1
