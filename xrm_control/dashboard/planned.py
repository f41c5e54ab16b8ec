"""What a run has before it, as its regions are now: no plan knows how many are found, added or skipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xrm_control.contracts.plan import PLAN
from xrm_control.core.errors import XrmError
from xrm_control.core.states import RoiState
from xrm_control.dashboard.mosaic import rois_of
from xrm_control.storage.records import RoiStateRecord, StageProgress
from xrm_control.storage.run_folder import RunFolder

_SCAN = "roi-"


@dataclass(frozen=True)
class Planned:
    """Frames of the whole run, and the instrument time that they take."""

    images: int
    seconds: float


def planned_of(folder: RunFolder, stages: Sequence[StageProgress], lives: Mapping[str, RoiStateRecord]) -> Planned:
    """Each region that is known takes what the plan has for one, or what its stage was planned with; one that was set
    aside what it has come to.
    """
    known = sum(stage.planned for stage in stages)
    try:
        plan = PLAN.read(folder.plan)
    except XrmError:
        return Planned(known, 0.0)
    scans = [stage for stage in plan.stages if stage.name.startswith(_SCAN)]
    rois, frames = rois_of(folder), sum(stage.frames for stage in scans)
    if rois is None or not frames:
        return Planned(max(known, sum(stage.frames for stage in plan.stages)), plan.total_s)
    begun = {stage.roi: stage for stage in stages if stage.roi}
    images = 0
    for roi in rois.rois:
        stage, life = begun.get(roi.name), lives.get(roi.name)
        if life is not None and life.state is RoiState.QUARANTINED:
            images += 0 if stage is None else stage.done
        else:
            images += round(frames / len(scans)) if stage is None else stage.planned
    scans_s = sum(stage.seconds for stage in scans)
    others = sum(stage.frames for stage in plan.stages) - frames
    return Planned(others + images, plan.total_s + scans_s * (images / frames - 1))
