"""What an examination says of shutters, beam, interlocks, owner and signs of life."""

from __future__ import annotations

import asyncio

from xrm_control.core.clock import Clock, utc_now
from xrm_control.core.findings import Finding
from xrm_control.devices.epics.fitness import impossible, of_blade
from xrm_control.devices.epics.pv_map import PvMap
from xrm_control.devices.epics.shutter import Position, judge
from xrm_control.devices.epics.shutter_map import BladeMap
from xrm_control.devices.epics.site_snapshot import Snapshot
from xrm_control.devices.epics.status import Command, Status

_INTERLOCK = "close the hutch and reset the interlock by hand"
_FUTURE = "look at source in the PV map, and at the source"


class Beam:
    """Made of a map and what stands there now."""

    def __init__(self, pv_map: PvMap, site: Snapshot) -> None:
        self._map, self._site, self._full = pv_map, site, pv_map.full

    def shutters(self) -> list[Finding]:
        """Each shutter of the map."""
        blades = self._map.shutter.in_order
        return [
            self._shutter("shutter" if len(blades) == 1 else f"shutter {number} of {len(blades)}", blade)
            for number, blade in enumerate(blades, start=1)
        ]

    def source(self) -> list[Finding]:
        """Beam, flux and permits."""
        about = self._map.source
        found = [*self._impossible("beam", about.available), *self._impossible("interlock", about.permits)]
        flux = None if about.flux is None else self._site.number(self._full(about.flux), believed=True)
        if about.flux is not None and flux is None:
            text = f"{self._full(about.flux)} is {self._site.value(self._full(about.flux))!r}: INVALID, or no number"
            found.append(Finding("flux", False, text, "correct source.flux in the PV map, or look at the monitor"))
        bad = [self._says(one) for one in about.available if not self._good(one)]
        text = "no: " + "; ".join(bad) if bad else "yes"
        if flux is not None:
            text += f", flux {flux / about.nominal_flux:.2f} of nominal"
        dark = bool(bad) or (flux is not None and flux <= 0)
        remedy = "a run holds until there is beam; " + _FUTURE if dark else ""
        found.append(Finding("beam", True, text, remedy))
        denied = [self._says(one) for one in about.permits if not self._good(one)]
        if denied:
            found.append(Finding("interlock", False, "no permit: " + "; ".join(denied), _INTERLOCK))
        return found

    async def owner(self) -> Finding | None:
        """Free, or held by somebody who is alive; None when the map names no owner."""
        about = self._map.supervision
        if about.owner is None:
            return None
        owner = self._site.value(self._full(about.owner))
        if not owner:
            return Finding("owner", True, "free")
        if about.kick is None:
            remedy = "wait for that run; if nobody is left, clear this PV by hand"
            return Finding("owner", False, f"controlled by {owner}", remedy)
        if await self._changes(about.kick, 4 * about.kick_every_s):
            return Finding("owner", False, f"controlled by {owner}, who is alive", "wait for that run, or end it there")
        remedy = "a run takes the instrument over: nobody strokes the dead-man for that name"
        return Finding("owner", True, f"{owner} is named, and shows no sign of life", remedy)

    async def life(self) -> list[Finding]:
        """The IOC's beat, and the dead-man."""
        about, found = self._map.supervision, []
        if about.heartbeat is not None and self._site.has(self._full(about.heartbeat)):
            beats = await self._changes(about.heartbeat, about.heartbeat_max_age_s)
            text = "it changes" if beats else f"no change within {about.heartbeat_max_age_s:g} s"
            remedy = "" if beats else "look whether the IOC hangs, or name another PV in supervision.heartbeat"
            found.append(Finding("heartbeat of the IOC", beats, text, remedy))
        if about.tripped is not None:
            found += self._impossible("dead-man", (about.tripped,))
            if self._good(about.tripped):
                text = f"it has fallen: {self._says(about.tripped)}"
                remedy = "a session ended without disarming it: look what became of that run; the next one arms it anew"
                found.append(Finding("dead-man", False, text, remedy))
            else:
                found.append(Finding("dead-man", True, "has not fallen"))
        return found

    def _shutter(self, what: str, blade: BladeMap) -> Finding:
        if never := self._impossible(what, of_blade(blade)):
            return never[0]
        if blade.without_status:
            text = f"nothing tells the state of {self._full(blade.close.pv)}: the last command is believed"
            return Finding(
                what, True, text, "a shutter that sticks is not noticed, nor one that somebody else opens; give is_open"
            )
        statuses = (*blade.open_statuses, *blade.closed_statuses)
        position = judge([self._says_so(one) for one in blade.open_statuses],
                         [self._says_so(one) for one in blade.closed_statuses])  # fmt: skip
        shown = "; ".join(self._says(one) for one in statuses)
        if position is Position.OPEN:
            return Finding(what, False, f"open: {shown}", "close it: outside exposures it shall be closed")
        if position is Position.BETWEEN:
            return Finding(what, False, f"neither open nor closed: {shown}", "look at the shutter and at its statuses")
        return Finding(what, True, f"closed: {shown}", self._doubt(blade, statuses))

    def _doubt(self, blade: BladeMap, statuses: tuple[Status, ...]) -> str:
        """What may make one believe a shutter closed that is not; empty where nothing does."""
        several = [one for one in blade.open_statuses if len(self._site.choices(self._full(one.pv))) != 2]
        doubts = []
        if several and not blade.closed_statuses:
            doubts.append("its status has more states than two, and all others count as closed: give is_closed as well")
        if {status.pv for status in statuses} <= {blade.open.pv, blade.close.pv}:
            doubts.append("its status is its own command: a blade that sticks is not noticed; name what senses it")
        return "; ".join(doubts)

    def _impossible(self, what: str, words: tuple[Status | Command, ...]) -> list[Finding]:
        """What no value of a PV can ever mean, or none can take, as one finding."""
        why = impossible(words, self._map, self._site)
        remedy = "correct the status in the PV map, or what is written"
        return [Finding(f"{what}: values", False, "; ".join(why), remedy)] if why else []

    def _good(self, status: Status) -> bool:
        return self._says_so(status) is True

    def _says_so(self, status: Status) -> bool | None:
        pv = self._full(status.pv)
        return status.says(self._site.believed(pv), self._site.choices(pv))

    def _says(self, status: Status) -> str:
        pv = self._full(status.pv)
        return f"{pv} is {self._site.value(pv)}, yes is {status.wanted()}"

    async def _changes(self, name: str, within_s: float) -> bool:
        """Whether a PV gets another value within so long (wall clock)."""
        pv = self._full(name)
        if not self._site.has(pv):
            return False
        clock, heard, changed = Clock(utc_now()), [], asyncio.Event()

        def hear(value: object) -> None:
            heard.append(value)
            if len(heard) > 1 and heard[-1] != heard[0]:
                changed.set()

        self._site.registry(pv).watch(pv, hear)
        try:
            async with asyncio.timeout(clock.wall_s(within_s)):
                await changed.wait()
        except TimeoutError:
            return False
        return True
