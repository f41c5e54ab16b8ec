"""The verdict on the lot of a run: its particles against its recipe's specification, and what is in doubt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from xrm_control.analysis.lot import judge_lot
from xrm_control.analysis.size_classes import MosaicSizes
from xrm_control.contracts.lot import LotVerdict
from xrm_control.contracts.quality import QualityMetrics
from xrm_control.contracts.rows import Rows
from xrm_control.contracts.trust import TrustVerdict
from xrm_control.recipe.document import Recipe


def lot_verdict(
    recipe: Recipe,
    particles: Rows,
    quality: Mapping[str, QualityMetrics],
    measured: tuple[str, ...],
    mosaic: MosaicSizes,
) -> LotVerdict | None:
    """None where the recipe specifies nothing. measured: the regions that the particles are of."""
    if not recipe.specification:
        return None
    limits_um = [quality[roi].voids_seen_from_um for roi in measured if roi in quality]
    limit_um = max((one for one in limits_um if one is not None), default=None)
    return judge_lot(
        particles,
        recipe.specification,
        seed=recipe.analysis.seed,
        mosaic=mosaic,
        doubts=tuple(_doubts(quality, measured)),
        scope="" if limit_um is None else f"voids of {limit_um:.2g} um and more alone, which this scan can see",
    )


def _doubts(quality: Mapping[str, QualityMetrics], measured: tuple[str, ...]) -> Iterator[str]:
    if not measured:
        yield "no region was measured"
    for roi in measured:
        found = quality.get(roi)
        if found is None or found.verdict not in (TrustVerdict.DOUBT, TrustVerdict.REDO):
            continue
        why = "; ".join(check.reason for check in found.checks if check.verdict is found.verdict)
        yield f"the numbers of {roi} are in doubt ({found.verdict}): {why}"
