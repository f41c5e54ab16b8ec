"""Whether there is beam, as the source tells it."""

from __future__ import annotations

from xrm_control.core.errors import InterlockOpen
from xrm_control.devices.protocols import Source


async def has_beam(source: Source, flux_floor: float) -> bool:
    """Whether there is beam of at least `flux_floor` of the usual flux. Raises InterlockOpen where none may be."""
    now = await source.read()
    if not now.permit:
        raise InterlockOpen(
            "the interlock does not permit beam",
            where="source",
            remedy="find out why, reset it by hand, then `xrm resume` the run: it never re-arms by itself",
        )
    return now.available and now.flux_relative >= flux_floor
