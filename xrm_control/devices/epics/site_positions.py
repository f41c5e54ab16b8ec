"""Where the axes of a site stand: read, and nothing else. Whoever is in control is not disturbed."""

from __future__ import annotations

from xrm_control.core.clock import run
from xrm_control.core.errors import InstrumentUnreachable
from xrm_control.devices.epics.axis_map import AxisMap, PlainAxisMap, Scale
from xrm_control.devices.epics.pv_map import PvMap
from xrm_control.devices.epics.site_snapshot import Snapshot


def positions(pv_map: PvMap) -> dict[str, float]:
    """Stage position of each axis that can be read and believed, in um and degrees.

    Raises InstrumentUnreachable where none can.
    """
    sources = {name: _readback(pv_map, about) for name, about in pv_map.axes.items()}

    async def look() -> dict[str, float]:
        site = Snapshot([pv for pv, _ in sources.values()], pv_map.channel_access)
        try:
            await site.take(())
            found = {name: site.number(pv, believed=True) for name, (pv, _) in sources.items()}
        finally:
            site.close()
        return {name: sources[name][1].to_stage(value) for name, value in found.items() if value is not None}

    found = run(look(), 1.0)
    if not found:
        raise InstrumentUnreachable(
            "no axis tells where it stands",
            where=pv_map.name,
            value=", ".join(pv for pv, _ in sources.values()),
            remedy="look whether the IOC runs and is reached (EPICS_CA_ADDR_LIST)",
        )
    return found


def _readback(pv_map: PvMap, about: AxisMap | PlainAxisMap) -> tuple[str, Scale]:
    """The PV that tells the position best, and how to read it."""
    if isinstance(about, PlainAxisMap):
        return pv_map.full(about.readback), about
    if about.readback is not None:
        return pv_map.full(about.readback.pv), about.readback
    return f"{pv_map.full(about.record)}.RBV", about
