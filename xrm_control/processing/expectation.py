"""Whole particles that the mosaic promises of each region, corrected by what the regions before it held."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from xrm_control.contracts.expectation import ExpectedParticles
from xrm_control.contracts.quality import QualityMetrics
from xrm_control.contracts.rois import RoiRecord
from xrm_control.processing.trust.checks.expected import EXPECTED, FOUND, ExpectedCheck


def found_in(quality: QualityMetrics) -> tuple[int, int] | None:
    """(expected, found) in a region, as its check has counted them; None where it did not."""
    for check in quality.checks:
        if check.check == ExpectedCheck().kind:
            numbers = {one.name: one.value for one in check.evidence}
            expected, found = numbers.get(EXPECTED), numbers.get(FOUND)
            if expected is not None and found is not None:
                return round(expected), round(found)
    return None


def expectations(rois: Iterable[RoiRecord], quality: Mapping[str, QualityMetrics]) -> tuple[ExpectedParticles, ...]:
    """Of every region, in the order in which they are scanned. quality: of those that were measured, by name."""
    told: list[ExpectedParticles] = []
    promised = held = 0
    for roi in rois:
        counted = found_in(quality[roi.name]) if roi.name in quality else None
        told.append(
            ExpectedParticles(
                roi=roi.name,
                expected=roi.expected_particles,
                corrected=round(roi.expected_particles * held / promised, 1) if promised else None,
                found=None if counted is None else counted[1],
            )
        )
        if counted is not None:
            promised, held = promised + counted[0], held + counted[1]
    return tuple(told)
