"""Angles that are not those of the views are named by the views half a turn apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.processing.trust import faults
from tests.processing.trust.faults import PIXEL_UM, bed, integrals_of
from tests.reconstruction.phantoms import scan_of
from xrm_control.contracts.quality import QualityMetrics
from xrm_control.contracts.trust import CheckResult, TrustVerdict
from xrm_control.processing.trust.checks.angles import AnglesCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.reconstruction.scan import ScanData


def judged(scan: ScanData) -> CheckResult:
    evidence = RegionEvidence(
        scan=scan, spec=faults.AUTO, quality=QualityMetrics(), particles=None, volume=None, labels=None, phases=None,
        roi=None, mosaic=None, sample=faults.SAMPLE, energy_kev=faults.ENERGY_KEV, field_um=48, useful_diameter_um=36,
    )  # fmt: skip
    return AnglesCheck().look(evidence)


def scan(true_deg: np.ndarray, seed: int = 0, photons: float = 5000.0) -> ScanData:
    """As it was really turned; told are angles from -90 to 90."""
    made = scan_of(integrals_of(bed(seed), true_deg), true_deg, PIXEL_UM, noise_seed=seed, photons=photons)
    return replace(made, theta_deg=faults.THETA)


@pytest.mark.parametrize("scale", [0.5, 0.8, 0.9, 1.1, 2.0])
def test_a_scale_that_is_wrong_is_named(scale: float) -> None:
    found = judged(scan(faults.THETA * scale))
    assert found.verdict is TrustVerdict.REDO
    assert found.reason.startswith("angles do not fit the views: those at -90.0 and 90.0 degrees")
    assert {one.name for one in found.evidence} >= {"likeness of opposite views"}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("photons", [5000.0, 500.0])
def test_angles_that_are_right_are_not_doubted(seed: int, photons: float) -> None:
    assert judged(scan(faults.THETA, seed, photons)).verdict is TrustVerdict.PASS
