"""The source: what says whether there is light. Shutters: see `shutter`."""

from __future__ import annotations

import math

from xrm_control.core.errors import DeviceError
from xrm_control.devices.epics.pv_map import PvMap
from xrm_control.devices.epics.registry import Registry
from xrm_control.devices.protocols import SourceReading


class EpicsSource:
    """See `protocols.Source`."""

    def __init__(self, pv_map: PvMap, registry: Registry) -> None:
        self._map = pv_map.source
        self._registry = registry
        statuses = (*self._map.available, *self._map.permits)
        names = [pv_map.full(status.pv) for status in statuses]
        self._names = (*names, *([pv_map.full(self._map.flux)] if self._map.flux is not None else ()))

    @property
    def reading_pvs(self) -> tuple[str, ...]:
        """What `read` asks for."""
        return self._names

    async def read(self) -> SourceReading:
        """See `Source.read`."""
        values = await self._registry.read(*self._names)
        about = self._map
        statuses = (*about.available, *about.permits)
        said = [
            status.is_good(value, self._registry.choices(name))
            for status, name, value in zip(statuses, self._names, values, strict=False)
        ]
        beam, permit = all(said[: len(about.available)]), all(said[len(about.available) :])
        flux = self._flux(values[-1]) if about.flux is not None else 1.0
        available = beam and permit
        return SourceReading(available, flux if available else 0.0, permit)

    def _flux(self, value: object) -> float:
        """Relative to nominal; NaN counts as none. Raises DeviceError for what is no number."""
        if not isinstance(value, int | float):
            raise DeviceError(
                "the flux is not a number",
                where=self._names[-1],
                value=repr(value),
                remedy="correct source.flux in the PV map",
            )
        return value / self._map.nominal_flux if math.isfinite(value) else 0.0


def pvs(pv_map: PvMap) -> list[str]:
    """All PVs of shutters and source."""
    source = pv_map.source
    names = [name for blade in pv_map.shutter.in_order for name in blade.pvs]
    names += [status.pv for status in (*source.available, *source.permits)]
    names += [source.flux] if source.flux else []
    return [pv_map.full(name) for name in names]
