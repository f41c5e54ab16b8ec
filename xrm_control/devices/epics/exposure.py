"""What changes while a frame is exposed, latched by monitors: a look before and after would miss what comes and goes.

A frame says nothing of an axis that was moved away and back, of a shutter that closed for half of its time, of another
exposure time. All of it is posted by the servers when it happens. What is posted between the begin of an exposure and
the fetching of its frame is held against what was there at the begin; the camera's settings against what was set.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from xrm_control.devices.epics import axis
from xrm_control.devices.epics.axis_map import AxisMap, PlainAxisMap
from xrm_control.devices.epics.libca import INVALID, CaReply
from xrm_control.devices.epics.pv_map import PvMap
from xrm_control.devices.epics.registry import Registry
from xrm_control.devices.epics.status import Status
from xrm_control.devices.protocols import Disturbance, DisturbanceKind

# What gives an axis' positions their meaning; and the pixels theirs, where the camera and the frames' plugin have it.
_MEANING = ("OFF", "DIR", "SET", "MRES", "EGU")
_OF_CAMERA = ("ReverseX_RBV", "ReverseY_RBV", "Gain_RBV", "ColorMode_RBV")
_OF_PLUGIN = ("NDArrayPort_RBV",)
# Flux that falls below this part of what it was is beam that was lost for a moment.
_FLUX_DIP = 0.5
_SAME_REL = 1e-3

# Of a value that was posted: what is wrong with it, or None.
_Judge = Callable[[Any], str | None]


class ExposureWatch:
    """Made once; `watch` when connected; `remember` at each connection; `begin` and `end` around each exposure."""

    def __init__(self, pv_map: PvMap, registry: Registry) -> None:
        self._registry = registry
        self._judges: dict[str, tuple[DisturbanceKind, _Judge]] = {}
        self._meaning: dict[str, str] = {}
        self._remembered: dict[str, Any] = {}
        self._camera: Mapping[str, object] = {}
        self._now: dict[str, Any] = {}
        self._before: dict[str, Any] = {}
        self._found: dict[str, Disturbance] | None = None
        self._watching = False
        self._optional = optional_pvs(pv_map)
        for name, about in pv_map.axes.items():
            if isinstance(about, PlainAxisMap):
                self._judge_plain(name, about, pv_map)
            else:
                self._judge_motor(name, about, pv_map)
        for blade in pv_map.shutter.in_order:
            for status in (*blade.open_statuses, *blade.closed_statuses):
                pv = pv_map.full(status.pv)
                self._judges[pv] = ("shutter", partial(self._shutter, status, pv))
        source = pv_map.source
        for status in (*source.available, *source.permits):
            pv = pv_map.full(status.pv)
            self._judges[pv] = ("beam", partial(self._beam, status, pv))
        if source.flux is not None:
            self._judges[pv_map.full(source.flux)] = ("beam", partial(self._flux, pv_map.full(source.flux)))

    def _judge_motor(self, name: str, about: AxisMap, pv_map: PvMap) -> None:
        fields = axis.pvs(pv_map.full(about.record))
        self._judges[fields["DMOV"]] = ("axis", partial(_moved, name))
        travelled = partial(self._travelled, name, fields["RBV"], about.to_stage, about.tolerance, about.units)
        self._judges[fields["RBV"]] = ("axis", travelled)
        self._meaning |= {fields[field]: f"{field} of axis {name}" for field in _MEANING}
        if about.readback is not None:
            encoder, scale = pv_map.full(about.readback.pv), about.readback.to_stage
            travelled = partial(self._travelled, name, encoder, scale, about.tolerance, about.units)
            self._judges[encoder] = ("axis", travelled)

    def _judge_plain(self, name: str, about: PlainAxisMap, pv_map: PvMap) -> None:
        for pv in (pv_map.full(about.setpoint), pv_map.full(about.readback)):
            travelled = partial(self._travelled, name, pv, about.to_stage, about.tolerance, about.units)
            self._judges[pv] = ("axis", travelled)

    def watch(self) -> None:
        """Follow everything; once."""
        if not self._watching:
            self._watching = True
            self._meaning |= {pv: pv for pv in self._optional if self._registry.has(pv)}
            for pv in (*self._judges, *self._meaning):
                self._registry.watch_replies(pv, partial(self._posted, pv))

    def watch_camera(self, pvs: Mapping[str, object]) -> None:
        """The camera's read-backs as they were set: from now on they must stay so."""
        for pv in pvs:
            if pv not in self._now:
                self._registry.watch_replies(pv, partial(self._posted, pv))
        self._camera = dict(pvs)
        self._now.update(pvs)

    async def remember(self) -> None:
        """Take the axes' settings of the first connection for the right ones; those of now are held against them."""
        own = [pv for pv in self._meaning if pv not in self._optional]
        values = dict(zip(own, await self._registry.read(*own), strict=True))
        others = [pv for pv in self._optional if pv in self._meaning]
        replies = zip(others, await self._registry.readings(*others, may_be_invalid=True), strict=True)
        values |= {pv: reply.value for pv, reply in replies if reply.severity < INVALID}
        self._remembered = {**values, **self._remembered}
        self._now.update(values)

    def settings_changed(self) -> tuple[Disturbance, ...]:
        """See `Instrument.settings_changed`."""
        return tuple(
            Disturbance(
                "camera" if pv in self._optional else "axis",
                f"{what} was {self._remembered[pv]}, is now {self._now[pv]}",
                pv,
            )
            for pv, what in self._meaning.items()
            if pv in self._remembered and not _same(self._remembered[pv], self._now[pv])
        )

    def begin(self) -> None:
        """An exposure begins now."""
        self._before = dict(self._now)
        self._found = {}

    def end(self) -> tuple[Disturbance, ...]:
        """The frame is there: what disturbed its exposure."""
        found, self._found = self._found or {}, None
        for pv, value in self._camera.items():
            if not _same(value, self._now[pv]):
                found.setdefault(pv, Disturbance("camera", f"{pv} was set to {value}, is {self._now[pv]}", pv))
        return (*found.values(), *self.settings_changed())

    def _posted(self, pv: str, reply: CaReply) -> None:
        value = self._now[pv] = self._registry.spoken(pv, reply.value)
        if self._found is None:
            return
        if reply.severity >= INVALID:
            kind = self._judges[pv][0] if pv in self._judges else "camera" if pv in self._camera else "axis"
            self._found.setdefault(pv, Disturbance(kind, f"the IOC called {value} INVALID", pv))
        if pv in self._judges:
            kind, judge = self._judges[pv]
            wrong = judge(value)
            if wrong is not None:
                self._found.setdefault(pv, Disturbance(kind, wrong, pv))
        elif pv in self._camera and not _same(self._camera[pv], value):
            self._found.setdefault(pv, Disturbance("camera", f"{pv} was set to {self._camera[pv]}, is {value}", pv))

    def _travelled(
        self, name: str, pv: str, to_stage: Callable[[float], float], tolerance: float, units: str, value: Any
    ) -> str | None:
        before, now = (to_stage(float(one)) for one in (self._before.get(pv, value), value))
        if abs(now - before) <= tolerance:
            return None
        return f"axis {name} moved from {before:.3f} to {now:.3f} {units}"

    def _shutter(self, status: Status, pv: str, value: Any) -> str | None:
        choices = self._registry.choices(pv)
        if status.says(self._before.get(pv, value), choices) is status.says(value, choices):
            return None
        return f"the shutter went from {self._before.get(pv)} to {value}"

    def _beam(self, status: Status, pv: str, value: Any) -> str | None:
        return None if status.is_good(value, self._registry.choices(pv)) else f"is {value}"

    def _flux(self, pv: str, value: Any) -> str | None:
        before = self._before.get(pv, value)
        if isinstance(value, int | float) and isinstance(before, int | float) and value >= _FLUX_DIP * before:
            return None
        return f"the flux went from {before} to {value}"


def optional_pvs(pv_map: PvMap) -> list[str]:
    """Full names of settings of camera and plugin that pictures and counts depend on; a site may not have them."""
    camera, plugin = pv_map.full(pv_map.camera.prefix), pv_map.full(pv_map.camera.frames.prefix)
    return [*(camera + field for field in _OF_CAMERA), *(plugin + field for field in _OF_PLUGIN)]


def _moved(name: str, done: Any) -> str | None:
    return None if done else f"axis {name} was set in motion"


def _same(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, int | float) and isinstance(found, int | float):
        return math.isclose(wanted, found, rel_tol=_SAME_REL, abs_tol=1e-9)
    return wanted == found
