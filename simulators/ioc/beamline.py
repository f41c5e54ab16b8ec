"""Shutters, opaque blade, safety permit and source as PVs.

Read-backs are computed when a client reads them and posted to monitors when they change, a few times a second of the
wall clock at most. While the instrument does not answer they keep their last value with the alarm INVALID, and
commands are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from simulators.errors import Disconnected
from simulators.ioc.pacing import IocTime
from simulators.ioc.pv import Pv, Refused, choice, double, integer
from simulators.microscope import Microscope

_POSTED_EVERY_S = 0.2
_BLADE = ("Closed", "Open")
_NO_YES = ("No", "Yes")
_STATES = ("Fault", "Closed", "Moving", "Open")
_OUT_IN = ("Out", "In")


class Beamline:
    """Everything between the source and the sample that lets light through or not."""

    def __init__(self, prefix: str, microscope: Microscope, time: IocTime) -> None:
        self._microscope = microscope
        self._time = time
        self._fast = choice("Closed", _BLADE, on_put=self._put_fast, record="bo")
        self._arrives_s = 0.0
        permit = ("Denied", "Granted")
        flux, energy = (double(units=u, precision=4, read_only=True, record="ai") for u in ("", "keV"))
        self._read_backs: tuple[tuple[str, Any, Callable[[float], Any]], ...] = (
            ("Shutter:Fast_RBV", _switch(_BLADE), lambda t_s: _BLADE[microscope.shutter(t_s).open]),
            ("Shutter:IsOpen_RBV", _switch(_NO_YES), lambda t_s: _NO_YES[self._state(t_s) == "Open"]),
            ("Shutter:IsClosed_RBV", _switch(_NO_YES), lambda t_s: _NO_YES[self._state(t_s) == "Closed"]),
            ("Shutter:State_RBV", choice("Closed", _STATES, read_only=True, record="mbbi"), self._state),
            ("FrontEnd:Status_RBV", _switch(_BLADE), lambda t_s: _BLADE[microscope.front_end(t_s).open]),
            ("Safety:Permit_RBV", _switch(permit), lambda t_s: permit[microscope.interlock_ok(t_s)]),
            ("Source:Available_RBV", _switch(_NO_YES), lambda t_s: _NO_YES[microscope.source(t_s).available]),
            ("Source:Flux_RBV", flux, lambda t_s: microscope.source(t_s).flux_relative),
            ("Source:Energy_RBV", energy, self._energy_kev),
        )
        self._opaque = choice("Out", _OUT_IN, on_put=self._put_opaque, record="bo")
        has_opaque = microscope.config.blocker_s is not None
        if has_opaque:
            self._read_backs += (
                ("Blade_RBV", _switch(_OUT_IN), lambda t_s: _OUT_IN[not microscope.blocker(t_s).open]),
            )
        for _, pv, look in self._read_backs:
            pv.on_get = partial(self._refresh, pv, look)
        self._pvs: dict[str, Pv] = {f"{prefix}{name}": pv for name, pv, _ in self._read_backs}
        self._pvs[f"{prefix}Shutter:Fast"] = self._fast
        if has_opaque:
            self._pvs[f"{prefix}Blade"] = self._opaque
        for name, wanted in (("Open", "Open"), ("Close", "Closed")):
            self._pvs[f"{prefix}Shutter:Pulse:{name}"] = integer(on_put=partial(self._put_pulse, wanted), record="bo")
        for name, open_ in (("Open", True), ("Close", False)):
            self._pvs[f"{prefix}FrontEnd:{name}"] = integer(on_put=partial(self._put_front_end, open_), record="bo")

    def pvs(self) -> dict[str, Pv]:
        """Full name of each PV, and the PV."""
        return self._pvs

    async def run(self) -> None:
        """Post what has changed, for ever."""
        while True:
            await self._refresh_all()
            await self._time.wait_wall(_POSTED_EVERY_S)

    def close_fast_shutter(self) -> float:
        """What the dead-man does, at once; returns when the blade should have arrived. `Disconnected` when silent."""
        self._arrives_s = self._microscope.set_shutter(False, self._time.now_s())
        return self._arrives_s

    async def fast_shutter_closed(self, arrives_s: float) -> bool:
        """Whether it is, once it should be."""
        await self._fast.post_change("Closed")
        await self._time.wait_until(arrives_s)
        await self._refresh_all()
        try:
            return not self._microscope.shutter(self._time.now_s()).open
        except Disconnected:
            return False

    async def _put_fast(self, wanted: str) -> str:
        arrives_s = self._arrives_s = self._commanded(self._microscope.set_shutter, wanted == "Open")
        # Shown at once; whoever commands something else meanwhile has the last word.
        await self._fast.post(wanted)
        await self._time.wait_until(arrives_s)
        await self._refresh_all()
        return self._fast.now

    async def _put_opaque(self, wanted: str) -> str:
        arrives_s = self._commanded(self._microscope.set_blocker, wanted == "In")
        await self._time.wait_until(arrives_s)
        await self._refresh_all()
        return wanted

    async def _put_pulse(self, wanted: str, value: int) -> int:
        """A button of the fast shutter that comes back by itself, whatever the blade does."""
        if value not in (0, 1):
            raise Refused(f"write 1 to act, not {value}")
        if value == 1:
            self._arrives_s = self._commanded(self._microscope.set_shutter, wanted == "Open")
            await self._fast.post_change(wanted)
        return 0

    def _state(self, t_s: float) -> str:
        """Of the fast shutter: it is neither open nor closed while it travels."""
        arrived = _BLADE[self._microscope.shutter(t_s).open]
        return "Moving" if t_s < self._arrives_s else arrived

    async def _put_front_end(self, open_: bool, value: int) -> int:
        if value not in (0, 1):
            raise Refused(f"write 1 to act, not {value}")
        # Without its permit the front end stays closed, and only its status says so.
        if value == 1 and not (open_ and not self._commanded(self._microscope.interlock_ok)):
            await self._time.wait_until(self._commanded(self._microscope.set_front_end, open_))
            await self._refresh_all()
        return 0

    def _commanded(self, method: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return method(*arguments, self._time.now_s())
        except Disconnected as error:
            raise Refused(str(error)) from error

    def _energy_kev(self, t_s: float) -> float:
        self._microscope.source(t_s)  # a source that does not answer has no energy either
        return self._microscope.describe().energy_kev

    async def _refresh_all(self) -> None:
        for _, pv, look in self._read_backs:
            await self._refresh(pv, look)

    async def _refresh(self, pv: Any, look: Callable[[float], Any]) -> None:
        was_invalid = pv.alarm.severity != 0
        try:
            value = look(self._time.now_s())
        except Disconnected:
            if not was_invalid:
                await pv.post(pv.now, invalid=True)
            return
        if was_invalid or value != pv.now:
            await pv.post(value, invalid=False)


def _switch(choices: tuple[str, ...]) -> Any:
    return choice(choices[0], choices, read_only=True, record="bi")
