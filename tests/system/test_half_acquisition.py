"""A field wider than the camera's, by a full turn about an axis that is kept off its middle: held against the truth."""

from __future__ import annotations

import csv
from typing import Any

import numpy as np
import pytest

from tests.system.conftest import SHORT, write_recipe
from xrm_control import app
from xrm_control.contracts.handoff import HANDOFF
from xrm_control.contracts.results import RESULTS
from xrm_control.core.sample import SampleSpec
from xrm_control.core.states import Verdict
from xrm_control.storage.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("white_figures", "searched_once")

WIDE: dict[str, Any] = {
    "instrument": {**SHORT["instrument"], "rotation": "full"},
    "mosaic": {"columns": 2, "rows": 1},
    "scan": {
        "start_deg": 0, "end_deg": 360, "axis_offset_um": 21, "projections": 181, "useful_diameter_um": 60,
        "references": {"kind": "both", "count": 5}, "darks": 5,
    },
    "reconstruction": {"rows": [32, 96]},
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = tmp_path_factory.mktemp("wide")
    return RunFolder.open(app.run(app.load(write_recipe(folder, **WIDE)), folder / "runs", None).folder)


def test_sizes_and_attenuation_hold_over_the_whole_width(run: RunFolder) -> None:
    results = RESULTS.read(run.results)
    assert results.verdict.status is Verdict.COMPLETE, results.verdict
    truth = results.truth
    assert truth is not None
    assert truth.n_matched == truth.n_true > 12
    assert truth.diameter_error_percent_median == pytest.approx(0, abs=1)
    assert truth.rotation_axis_error_px["roi-01"] == pytest.approx(0, abs=0.2)
    with run.particles.open(newline="") as file:
        particles = [row for row in csv.DictReader(file) if row["touches_boundary"] in ("0", "False")]
    away_um = np.array([np.hypot(float(row["x_um"]), float(row["y_um"])) for row in particles])
    mu = np.array([float(row["mean_attenuation_per_um"]) for row in particles])
    d_um = np.array([float(row["equivalent_diameter_um"]) for row in particles])
    tabulated = SampleSpec().mu_per_um(5.4)
    # Within the camera's field, and beyond it.
    for part in (away_um < 32, away_um > 34):
        large = part & (d_um > 8)
        assert large.sum() >= 3
        assert np.median(mu[large]) == pytest.approx(tabulated, rel=0.01)


def test_the_volume_is_as_wide_as_the_plan_says(run: RunFolder) -> None:
    handoff = HANDOFF.read(run.roi("roi-01").handoff)
    assert handoff.shape is not None
    assert handoff.shape[2] * handoff.voxel_size_um == pytest.approx(65.536 + 42, abs=6)
    assert any("half acquisition" in warning for warning in handoff.warnings)
