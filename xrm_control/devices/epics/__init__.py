"""An instrument behind EPICS Channel Access: motor records, areaDetector, shutter, source, interlocks.

The only user of pyepics. What is which PV stands in a map (recipes/instruments/*.yaml).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from xrm_control.core.clock import Clock
from xrm_control.core.findings import Finding
from xrm_control.core.model import InFile
from xrm_control.devices.backend import Backend, Needs
from xrm_control.devices.epics.pv_map import PvMap
from xrm_control.devices.protocols import InstrumentDescription

if TYPE_CHECKING:
    from xrm_control.devices.epics.instrument import EpicsInstrument


class EpicsBackend(Backend):
    """A real instrument, or `xrm ioc`, over Channel Access."""

    backend: Literal["epics"] = "epics"
    map: Annotated[PvMap, InFile()] = Field(
        default="instruments/simulated_ioc.yaml",  # type: ignore[assignment]
        validate_default=True,
        description="what is which PV: the map's file, beside the recipe, or its content",
    )

    def describe(self) -> InstrumentDescription:
        """See `Backend.describe`: what the map says."""
        return self.map.describe()

    def values(self) -> None:
        """See `Backend.values`: any PV may be named."""
        return

    def open(self, clock: Clock) -> EpicsInstrument:
        """See `Backend.open`."""
        # pyepics is loaded only when an instrument is really wanted.
        from xrm_control.devices.epics import access
        from xrm_control.devices.epics.instrument import EpicsInstrument

        access.prepare(self.map)
        return EpicsInstrument(self.map, clock)

    def examine(self, needs: Needs, *, expose: bool = False) -> list[Finding]:
        """See `Backend.examine`."""
        from xrm_control.devices.epics import access, site

        access.prepare(self.map)
        return site.examine(self.map, needs, expose=expose)

    def positions(self) -> Mapping[str, float]:
        """See `Backend.positions`: read-backs, believed unless INVALID."""
        from xrm_control.devices.epics import access, site_positions

        access.prepare(self.map)
        return site_positions.positions(self.map)

    def speed(self) -> float:
        """See `Backend.speed`: asked of the map's `supervision.speed`, which only a simulation has."""
        from xrm_control.devices.epics import access

        access.prepare(self.map)
        return access.speed(self.map)
