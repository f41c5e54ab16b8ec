"""Starting Channel Access for a map, and the one question that is asked before a session exists."""

from __future__ import annotations

import sys

from xrm_control.core.clock import Clock, run, utc_now
from xrm_control.core.errors import RecipeError
from xrm_control.devices.epics import libca
from xrm_control.devices.epics.pv_map import PvMap
from xrm_control.devices.epics.registry import Registry

# Answers arrive in other threads; with Python's 5 ms each could wait that long for a thread that computes.
_SWITCH_S = 5e-4


def prepare(pv_map: PvMap) -> None:
    """Set the addresses and start the library. Raises RecipeError when it already runs with other ones."""
    late = libca.start(pv_map.channel_access.environment())
    if late:
        raise RecipeError(
            "Channel Access was started in this process with other settings, which cannot be changed any more",
            where="instrument.map.channel_access",
            value=", ".join(f"{name}={value}" for name, value in late.items()),
            remedy="use one set of addresses for all instruments of a process",
        )
    libca.library()
    sys.setswitchinterval(_SWITCH_S)


def speed(pv_map: PvMap) -> float:
    """Instrument seconds per wall second, as a simulation states it; 1 without such a PV."""
    pv = pv_map.supervision.speed
    if pv is None:
        return 1.0

    async def ask() -> float:
        registry = Registry([pv_map.full(pv)], Clock(utc_now()), pv_map.channel_access)
        try:
            await registry.connect()
            (found,) = await registry.read(pv_map.full(pv))
        finally:
            registry.close()
        return float(found)

    return run(ask(), 1.0)
