"""The family of thresholds, and what each does to a sphere's volume."""

import pytest
from pydantic import ValidationError

from tests.analysis.phantoms import MU, VOXEL_UM, ball, render
from xrm_control.analysis.core import AnalysisSpec, analyze_volume
from xrm_control.analysis.threshold import Threshold
from xrm_control.core.family import Family

SPHERE = ball(0, 0, 0, 5)


def test_members() -> None:
    assert list(Family("xrm_control.analysis.thresholds").members(Threshold)) == ["fixed", "iso50", "otsu"]


@pytest.mark.parametrize(
    ("threshold", "share"),
    [
        ({"kind": "iso50"}, 0.5),
        ({"kind": "iso50", "per_particle": False}, 0.5),
        ({"kind": "fixed", "level_per_um": 0.3 * MU}, 0.3),
    ],
)
def test_level_as_a_share_of_the_contrast(threshold: dict, share: float) -> None:
    spec = AnalysisSpec.model_validate({"threshold": threshold})
    found = analyze_volume(render([SPHERE]), VOXEL_UM, spec).quality.threshold_per_um
    assert found is not None
    assert found / MU == pytest.approx(share, abs=0.01)


def test_otsu_sits_low_and_particles_grow() -> None:
    volume = render([SPHERE], fwhm_voxels=2.5)
    voxels = {}
    for kind in ("iso50", "otsu"):
        result = analyze_volume(volume, VOXEL_UM, AnalysisSpec.model_validate({"threshold": {"kind": kind}}))
        voxels[kind] = result.particles[0]["volume_voxels_um3"]
        assert result.particles[0]["volume_um3"] == pytest.approx(SPHERE.volume, rel=0.02)
    # Blur of sigma moves the half-way surface inwards by sigma^2 / R.
    shrunk = SPHERE.volume * (1 - 3 * (2.5 / 2.3548 * VOXEL_UM / 5) ** 2)
    assert voxels["iso50"] == pytest.approx(shrunk, rel=0.015)
    assert voxels["otsu"] > 1.03 * voxels["iso50"]


def test_a_misspelt_kind_or_key_is_refused() -> None:
    for bad in ({"kind": "iso5"}, {"kind": "fixed"}, {"kind": "otsu", "level": 1}):
        with pytest.raises(ValidationError):
            AnalysisSpec.model_validate({"threshold": bad})
