"""Resolution, noise and reprojection on scans of other makers: a phantom of discs, and a real tooth."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from benchmarks.discs import Scan
from tests.reconstruction.phantoms import scan_of
from xrm_control.contracts.trust import TrustVerdict
from xrm_control.processing.trust.checks.noise import NoiseCheck
from xrm_control.processing.trust.checks.reprojection import ReprojectionCheck
from xrm_control.processing.trust.checks.resolution import ResolutionCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.processing.trust.half_volumes import HalfVolumes, half_volumes
from xrm_control.processing.trust.judging import judged
from xrm_control.processing.trust.of_file import evidence_of_file
from xrm_control.processing.trust.photon_noise import PhotonNoise, photon_noise
from xrm_control.reconstruction.methods.fourier import FourierReconstruction
from xrm_control.reconstruction.pipeline import ReconstructionSpec, reconstruct_scan
from xrm_control.reconstruction.scan import ScanData
from xrm_control.storage.formats.registry import read_scan

TOOTH = Path(__file__).parents[3] / ".." / "shared" / "data" / "tooth.h5"
CHECKS = (NoiseCheck(), ReprojectionCheck(), ResolutionCheck())
SIDE, ROWS, VIEWS = 96, 24, 151


def evidence_of(scan: ScanData, spec: ReconstructionSpec | None = None) -> RegionEvidence:
    """As of a file: nothing is known of the sample."""
    spec = spec or ReconstructionSpec()
    made = reconstruct_scan(scan, spec)
    return evidence_of_file(scan, spec, [made.volume], made.rotation_axis_px, made.quality, made.shifts_px)


@lru_cache(maxsize=2)
def discs(photons: float) -> RegionEvidence:
    """Three discs, the same in each row."""
    made = Scan(SIDE, VIEWS, (SIDE - 1) / 2)
    integrals = np.repeat(made.sinogram()[:, None], ROWS, axis=1)
    return evidence_of(scan_of(integrals, made.theta_deg, made.pixel_um, noise_seed=3, photons=photons))


@pytest.mark.parametrize("photons", [500.0, 5000.0])
def test_sound_discs_pass(photons: float) -> None:
    found = {one.check: one for one in judged(discs(photons), CHECKS)}
    assert {name: one.verdict for name, one in found.items()} == dict.fromkeys(found, TrustVerdict.PASS), found


@pytest.mark.parametrize("views", [25, 41, 61, 91])
def test_few_views_are_no_doubt(views: int) -> None:
    made = Scan(SIDE, views, (SIDE - 1) / 2)
    integrals = np.repeat(made.sinogram()[:, None], ROWS, axis=1)
    evidence = evidence_of(scan_of(integrals, made.theta_deg, made.pixel_um, noise_seed=3, photons=5000))
    assert {one.verdict for one in judged(evidence, CHECKS)} == {TrustVerdict.PASS}


@pytest.mark.parametrize("photons", [500.0, 5000.0])
def test_the_noise_is_that_of_the_photons(photons: float) -> None:
    found = discs(photons).once(photon_noise)
    assert isinstance(found, PhotonNoise)
    assert found.u < 0.04
    assert found.overall == pytest.approx(1.0, abs=3 * found.u)
    assert found.gain_counts == pytest.approx(20_000 / photons, rel=0.05)


def test_fewer_photons_resolve_less_as_expected() -> None:
    many, few = (discs(photons).once(half_volumes) for photons in (5000.0, 500.0))
    assert isinstance(many, HalfVolumes)
    assert isinstance(few, HalfVolumes)
    assert few.resolution_px > many.resolution_px
    assert (few.expected_px or 0) > (many.expected_px or math.inf) - 1e-9
    # What both halves have of the flats' noise, and of the finest of the discs' edges.
    for one in (many, few):
        assert one.shared == pytest.approx(one.shared_expected, abs=0.06)


@pytest.mark.parametrize("photons", [10.0, 20.0])
def test_of_few_photons_sharp_views_are_no_blur(photons: float) -> None:
    """Many fine pixels with few photons each: what is above the noise ends before a blur would be seen."""
    made = Scan(384, 301, 383 / 2)
    integrals = np.repeat(made.sinogram()[:, None], 4, axis=1)
    evidence = evidence_of(
        scan_of(integrals, made.theta_deg, made.pixel_um, noise_seed=3, photons=photons),
        ReconstructionSpec(method=FourierReconstruction(filter="parzen")),
    )
    found = evidence.once(half_volumes)
    assert isinstance(found, HalfVolumes)
    assert found.resolution_px > 10
    assert found.blur_px is None
    assert ResolutionCheck().look(evidence).verdict is TrustVerdict.PASS


def test_the_half_bit_curve() -> None:
    """van Heel and Schatz 2005, equation 17: for very many voxels 0.1716, for one it is 1."""
    found = discs(5000.0).once(half_volumes)
    assert isinstance(found, HalfVolumes)
    assert found.half_bit[0] == pytest.approx(1.0)
    assert found.half_bit[-1] > 0.1716
    assert np.all(np.diff(found.half_bit[1:-1]) < 0.02)


def test_a_real_tooth_passes() -> None:
    if not TOOTH.is_file():
        pytest.skip("the real data are not here")
    found = {one.check: one for one in judged(evidence_of(ScanData.of(read_scan(TOOTH), pixel_size_um=1.0)), CHECKS)}
    assert {name: one.verdict for name, one in found.items()} == dict.fromkeys(found, TrustVerdict.PASS), found
