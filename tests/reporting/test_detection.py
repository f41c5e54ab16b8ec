"""What the report says of voids that could have been found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from xrm_control.contracts.quality import VoidDetection
from xrm_control.reporting.run_data import read_run
from xrm_control.reporting.sections.detection import detection_line

TRIED = (VoidDetection(diameter_um=1.5, tried=36, found=36, low=0.9, high=1.0),)


@pytest.mark.parametrize(
    ("averaged", "told"),
    [(None, ""), (0.004, ""), (0.0886, "passed 8.86 % of the rays that they were averaged over 1.6")],
)
def test_rays_of_few_photons_are_told_beside_the_voids(finished_run: Path, averaged: float | None, told: str) -> None:
    run = read_run(finished_run)
    first, *others = run.regions
    found = {"void_detection": TRIED, "void_pod_90_um": 1.9, "averaged_fraction": averaged, "averaged_width_px": 1.63}
    said = detection_line(
        replace(run, regions=(replace(first, quality=first.quality.model_copy(update=found)), *others))
    )
    assert "nine of ten were found from 1.9 µm on." in said
    assert said.endswith("on.") if not told else told in said
