"""Is a scanned region what the mosaic showed there? The view that faces the beam is held against the map."""

from __future__ import annotations

from xrm_control.core.events import RoiMoved, RoiNotCompared, RoiPlaced
from xrm_control.core.events.regions import beside
from xrm_control.core.states import FrameKind
from xrm_control.mosaic.blending import straightened
from xrm_control.mosaic.displacement import displacement
from xrm_control.mosaic.tiles import Mosaic, Picture, transmission
from xrm_control.roi.strategy import Roi
from xrm_control.session.context import RunContext

# A view that is turned more looks different from the mosaic.
_FACING_DEG = 3.0


async def compare_with_mosaic(run: RunContext, roi: Roi, mosaic: Mosaic) -> str | None:
    """Hold the view nearest to 0 degrees against the mosaic; None unless the region has moved, else by how much."""
    shown = await run.on_disk(_near_zero, run, roi) if run.shows_sample else None
    if shown is None:
        run.events.emit(RoiNotCompared(roi.name, "no view near 0 degrees"))
        return None
    image, pixel_um, at_um = shown
    field_um, allowed_um = run.description.camera.field_of_view_um, run.recipe.scan.moved_allowed_um
    if mosaic.registration is not None:
        image = await run.on_disk(straightened, image, mosaic.registration.picture_to_stage)
    off = await run.on_disk(displacement, image, pixel_um, at_um, mosaic, field_um / 2)
    if off is None:
        run.events.emit(RoiNotCompared(roi.name, "nothing to recognise there"))
        return None
    if not off.recognised:
        found = f"correlation {off.likeness:.2f}"
        return f"does not look like the mosaic at its place, nor within {field_um / 2:.0f} um of it ({found})"
    if off.distance_um > allowed_um:
        run.events.emit(RoiMoved(roi.name, off.x_um, off.y_um, off.likeness))
        moved = f"has moved by {beside(off.x_um, off.y_um)}, more than {allowed_um:g} um"
        return f"{moved}: was an axis given another offset?"
    run.events.emit(RoiPlaced(roi.name, off.x_um, off.y_um, off.likeness))
    return None


def _near_zero(run: RunContext, roi: Roi) -> tuple[Picture, float, tuple[float, float]] | None:
    """The kept view nearest to 0 degrees as transmission, its pixel in um, and its stage position (x, y)."""
    stored = [(frame.exposure.actual, plan) for plan, frame in run.journal.stored_frames(roi.name)]
    of_kind = {kind: [(plan.frame_id, pose) for pose, plan in stored if plan.kind == kind] for kind in FrameKind}
    views = sorted((abs(pose.theta_deg), name, pose) for name, pose in of_kind[FrameKind.PROJECTION])
    if not views or views[0][0] > _FACING_DEG:
        return None
    _, name, pose = views[0]
    flat, dark = (
        run.frames.load_stack([name for name, _ in of_kind[kind]]) for kind in (FrameKind.FLAT, FrameKind.DARK)
    )
    pixel_um = run.description.camera.binned_pixel_um(run.recipe.scan.binning)
    return transmission(run.frames.load(name), flat, dark), pixel_um, (pose.x_um, pose.y_um)
