"""All frames of one region's scan, as it was begun or as it is to be."""

from __future__ import annotations

from xrm_control.acquisition.references import standing_out
from xrm_control.acquisition.steps import Acquisition
from xrm_control.core.errors import SafetyRefusal
from xrm_control.core.geometry import Pose
from xrm_control.core.states import FrameKind
from xrm_control.roi.strategy import Roi
from xrm_control.session.context import RunContext
from xrm_control.session.stages import require_reach


def centre_of(roi: Roi) -> Pose:
    """The stage position of a ROI's centre at theta = 0."""
    return Pose(roi.x_um, roi.y_um, roi.z_um, 0.0)


def scan_of(run: RunContext, roi: Roi) -> Acquisition:
    """All frames of a ROI's scan; of one that was begun, as they were planned then.

    Flats are taken as far beside the strip as the mosaic lets powder stand out of it, where the stage may go there.
    """
    scan, planned = run.recipe.scan, run.journal.planned_frames(roi.name)
    if not run.journal.takes_new_kinds:
        # A run that an earlier version has begun ends as it was begun.
        scan = scan.model_copy(update={"repeat_view": False})
    blockers = scan.blockers(run.description) if run.journal.takes_new_kinds else 0
    if planned:
        blockers = sum(plan.kind is FrameKind.BLOCKER for plan in planned)
    stated = run.recipe.sample
    tall = standing_out(stated, None if roi.edge_on is None else roi.edge_on.highest_um)
    scans = [
        scan.acquisition(roi.name, centre_of(roi), sample, run.description.camera, blockers=blockers)
        for sample in ([stated] if tall is stated else [tall, stated])
    ]
    if planned:
        begun = {plan.frame_id: plan.target for plan in planned}
        fits = (one for one in scans if all(begun.get(step.frame_id, step.pose) == step.pose for step in one.steps))
    else:
        # What one view takes for high need not be: it keeps nobody from a region.
        fits = (one for one in scans if _allowed(run, one))
    return next(fits, scans[-1])


def _allowed(run: RunContext, scan: Acquisition) -> bool:
    try:
        require_reach(run, scan)
    except SafetyRefusal:
        return False
    return True
