"""What one more place would cost, before anybody confirms it; and why it would be refused."""

from __future__ import annotations

from xrm_control.contracts.commands import Add
from xrm_control.contracts.plan import PLAN
from xrm_control.contracts.rois import MosaicRecord
from xrm_control.core.states import RoiState
from xrm_control.dashboard.models import Cost
from xrm_control.dashboard.mosaic import rois_of
from xrm_control.roi.named_places import Place, check_places, cover, require_inside
from xrm_control.roi.strategy import Limits, PlannedMosaic
from xrm_control.storage.journal_reader import JournalReader
from xrm_control.storage.run_folder import RunFolder


def cost_of(folder: RunFolder, add: Add) -> Cost:
    """As the run's other scans were planned. particles: as many as the mosaic shows on average of such an area; None
    before it is there.

    Raises RecipeError for a place beside the mosaic, or over a region that stands; SafetyRefusal beyond the stage's
    limits; DataError for a run without a plan. The run itself looks again when it is told.
    """
    plan, known = PLAN.read(folder.plan), rois_of(folder)
    fov_um = plan.field_of_view_um
    width_um = add.width_um or fov_um
    places = cover(Place(add.x_um, add.y_um, add.z_um or 0.0, "the place"), width_um, add.height_um or width_um, fov_um)
    if known is not None:
        for place in places:
            require_inside(place, _extent(known.mosaic), fov_um)
    check_places(
        [*_standing(folder), *places], Limits(plan.limits["x"], plan.limits["y"]), fov_um, plan.volume_width_um
    )
    scans = [stage for stage in plan.stages if stage.name.startswith("roi-")]
    mean_s = sum(stage.seconds for stage in scans) / max(1, len(scans))
    mean_bytes = sum(stage.bytes for stage in scans) / max(1, len(scans))
    particles = None
    if known is not None:
        rows, columns = known.mosaic.shape
        seen_um2 = rows * columns * known.mosaic.pixel_size_um**2
        particles = known.mosaic.particles / seen_um2 * len(places) * fov_um**2
    return Cost(
        windows=len(places),
        seconds=len(places) * mean_s,
        dose_gy=len(places) * plan.dose_per_scan_gy,
        bytes=round(len(places) * mean_bytes),
        particles=particles,
    )


def _standing(folder: RunFolder) -> list[Place]:
    """The regions that are scanned or will be: one that is set aside is in nobody's way."""
    known = rois_of(folder)
    if known is None:
        return []
    with JournalReader.open(folder.journal) as journal:
        lives = journal.roi_states()
    gone = {name for name, life in lives.items() if life.state is RoiState.QUARANTINED}
    return [Place(roi.x_um, roi.y_um, roi.z_um, roi.name) for roi in known.rois if roi.name not in gone]


def _extent(mosaic: MosaicRecord) -> PlannedMosaic:
    pixel_um, (rows, columns) = mosaic.pixel_size_um, mosaic.shape
    left, top = mosaic.x0_um - pixel_um / 2, mosaic.y0_um - pixel_um / 2
    return PlannedMosaic((left, left + columns * pixel_um), (top, top + rows * pixel_um), pixel_um)
