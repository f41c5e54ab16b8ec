"""What the placing of a mosaic's tiles came to: for its file, and for whoever listens."""

from __future__ import annotations

from xrm_control.contracts.rois import RegistrationRecord
from xrm_control.core.events import MosaicDoubted, MosaicPlaced
from xrm_control.mosaic.tiles import Mosaic
from xrm_control.session.context import RunContext


def tell(run: RunContext, mosaic: Mosaic) -> None:
    """Say how well the tiles lie, or why that is not known."""
    found = mosaic.registration
    if found is None:
        return
    if found.refused:
        run.events.emit(MosaicDoubted(found.refused))
        return
    run.events.emit(
        MosaicPlaced(
            mosaic.residual_um,
            found.pairs,
            found.rejected,
            found.rotation_deg,
            found.scale,
            found.gain_percent,
            found.note,
        )
    )


def registration_record(mosaic: Mosaic) -> RegistrationRecord | None:
    """As rois.json holds it."""
    found = mosaic.registration
    if found is None:
        return None
    return RegistrationRecord(
        picture_to_stage=found.picture_to_stage.tolist(),
        picture_to_stage_u=found.picture_to_stage_u.tolist(),
        rotation_deg=found.rotation_deg,
        scale=found.scale,
        pairs=found.pairs,
        rejected=found.rejected,
        clipped=found.clipped,
        gain_percent=found.gain_percent,
        refused=found.refused,
        note=found.note,
    )
