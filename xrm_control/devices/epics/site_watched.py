"""What an examination says of the values that a recipe's conditions watch."""

from __future__ import annotations

from collections.abc import Sequence

from xrm_control.core.clock import Clock, utc_now
from xrm_control.core.findings import Finding
from xrm_control.devices.epics.pv_map import PvMap
from xrm_control.devices.epics.watched import WatchedValues


async def look(pv_map: PvMap, names: Sequence[str]) -> list[Finding]:
    """Each value as a run would read it."""
    values = WatchedValues(pv_map, Clock(utc_now()))
    values.watch(names)
    try:
        await values.connect()
        found = [(name, await values.observe(name)) for name in names]
    finally:
        values.close()
    remedy = "a run would hold for it: look at the IOC, or correct conditions in the recipe and watched in the PV map"
    return [
        Finding(f"condition {name}", not seen.problem, seen.problem or f"{seen.value}", remedy if seen.problem else "")
        for name, seen in found
    ]
