"""What the placing of a mosaic's tiles came to, for whoever listens."""

from __future__ import annotations

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
