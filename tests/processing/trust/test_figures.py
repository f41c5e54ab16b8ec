"""Figures that checks rest on, against what was put there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from tests.processing.trust import faults
from xrm_control.processing.trust.checks.stray_light import _slope
from xrm_control.processing.trust.photon_noise import PhotonNoise, photon_noise
from xrm_control.processing.trust.residual import Residual, residual
from xrm_control.reconstruction.projecting import Projector


def test_the_picture_of_what_is_left_has_the_root_mean_square_that_is_told() -> None:
    """Over the noise where that is known, else over what the volume shows: no noise is taken off then."""
    sound = faults.evidence_of(faults.Region(faults.scan()))
    unknown = replace(sound)
    vars(unknown)["noise_variance"] = None
    found, without = residual(sound), residual(unknown)
    assert isinstance(found, Residual)
    assert isinstance(without, Residual)
    assert found.normalised is not None
    assert 1.0 < found.normalised < 2.5
    assert np.sqrt(np.mean(found.image**2)) == pytest.approx(found.normalised, rel=0.1)
    assert without.normalised is None
    assert np.sqrt(np.mean(without.image**2)) == pytest.approx(without.whole, rel=1e-3)
    assert found.whole < without.whole < 1


@pytest.mark.parametrize(("views", "told"), [(2, False), (3, True), (4, True)])
def test_noise_is_told_from_three_views_on(views: int, told: bool) -> None:
    sound = faults.evidence_of(faults.Region(faults.scan()))
    kept = np.linspace(0, faults.VIEWS - 1, views).astype(int)
    found = photon_noise(replace(sound, scan=sound.scan.without(sorted({*range(faults.VIEWS)} - {*kept.tolist()}))))
    assert found == "too few views" if not told else isinstance(found, PhotonNoise)


MU_PER_UM, SIDE = 0.05, 96
PROJECTOR = Projector(SIDE, (SIDE - 1) / 2, SIDE, (SIDE - 1) / 2)


@pytest.mark.parametrize(("rays", "told"), [(0, False), (49, False), (50, True), (400, True)])
def test_what_the_rays_in_particles_hold_back_is_told_from_fifty_of_them_on(rays: int, told: bool) -> None:
    """On tape and beam that vary slowly, by the length of each ray in them."""
    random = np.random.default_rng(3)
    chords = np.zeros((40, SIDE), np.float32)
    low, high = PROJECTOR.inner(0.6)
    place = random.permutation(40 * (high - low))[:rays]
    chords[:, low:high].flat[place] = random.uniform(2.0, 12.0, rays)
    ground = ndimage.gaussian_filter(random.normal(0, 1, chords.shape), 30) + 0.3
    slope = _slope(chords, (MU_PER_UM * chords + ground).astype(np.float32), PROJECTOR)
    assert slope == (pytest.approx(MU_PER_UM, rel=0.03) if told else None)
