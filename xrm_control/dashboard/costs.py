"""What one more place would cost, before anybody confirms it."""

from __future__ import annotations

import math

from xrm_control.contracts.commands import Add
from xrm_control.contracts.plan import PLAN
from xrm_control.dashboard.models import Cost
from xrm_control.dashboard.mosaic import rois_of
from xrm_control.storage.run_folder import RunFolder


def cost_of(folder: RunFolder, add: Add) -> Cost:
    """As the run's other scans were planned. particles: as many as the mosaic shows on average of such an area; None
    before it is there. Raises DataError for a run without a plan.
    """
    plan = PLAN.read(folder.plan)
    fov_um = plan.field_of_view_um
    width_um = add.width_um or fov_um
    sizes = (width_um, add.height_um or width_um)
    windows = math.prod(max(1, math.ceil(size / fov_um - 1e-6)) for size in sizes)
    scans = [stage for stage in plan.stages if stage.name.startswith("roi-")]
    mean_s = sum(stage.seconds for stage in scans) / max(1, len(scans))
    mean_bytes = sum(stage.bytes for stage in scans) / max(1, len(scans))
    known = rois_of(folder)
    particles = None
    if known is not None:
        rows, columns = known.mosaic.shape
        seen_um2 = rows * columns * known.mosaic.pixel_size_um**2
        particles = known.mosaic.particles / seen_um2 * windows * fov_um**2
    return Cost(
        windows=windows,
        seconds=windows * mean_s,
        dose_gy=windows * plan.dose_per_scan_gy,
        bytes=round(windows * mean_bytes),
        particles=particles,
    )
