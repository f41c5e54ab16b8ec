"""Is this site what its map says, and fit for this recipe? Every PV that a run reads or writes, looked at.

Nothing moves: the only writes put a value back that was just read, to see that the server completes them, and none is
made while somebody else is in control. `expose` takes frames as a run would, with the shutter closed.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

from xrm_control.core.clock import Clock, run, stopwatch, utc_now
from xrm_control.core.errors import XrmError
from xrm_control.core.findings import Finding
from xrm_control.devices.backend import Needs
from xrm_control.devices.epics import access, camera, fitness, site_axes, site_camera, site_watched
from xrm_control.devices.epics.inventory import all_pvs, groups, written_pvs
from xrm_control.devices.epics.pv_map import AxisMap, PvMap
from xrm_control.devices.epics.site_beam import Beam
from xrm_control.devices.epics.site_snapshot import Snapshot

_TEXTS = ("EGU", "StatusMessage_RBV", "FilePath", "FileName", "FileTemplate", "FullFileName_RBV", "WriteMessage",
          "RunName", "ScanStatus")  # fmt: skip
# Of an IOC that has made no frame since its start these are UDF, and no fault.
_UNDEFINED_AT_FIRST = ("FullFileName_RBV", "WriteMessage", "UniqueId_RBV", "ArrayData")
_ROUND_TRIP = "round trip of a read"
# A beat may be half a second old when it is read.
_SLOW_MS, _CLOCK_S = 20.0, 2.0
_NAP_S, _WAKINGS = 0.001, 3  # client's loop, its network thread, and a server on this machine
_NOT_THERE = "look whether the IOC runs and is reached (EPICS_CA_ADDR_LIST), and at the names in the PV map"


def examine(pv_map: PvMap, needs: Needs, *, expose: bool = False) -> list[Finding]:
    """All findings, for what a recipe needs."""

    async def look() -> tuple[list[Finding], bool]:
        site = Snapshot(all_pvs(pv_map), pv_map.channel_access)
        try:
            written = [record_field(pv, "DISP") for pv in written_pvs(pv_map)]
            await site.take([*site_axes.extras(pv_map), *site_camera.extras(pv_map), *written])
            return await _Site(pv_map, site, needs).findings(), bool(site.missing)
        finally:
            site.close()

    found, missing = run(look(), 1.0)
    if needs.watched:
        found += run(site_watched.look(pv_map, needs.watched), 1.0)
    if expose:
        found.append(_exposure(pv_map, needs, missing))
    return found


def _exposure(pv_map: PvMap, needs: Needs, missing: bool) -> Finding:
    from xrm_control.devices.epics import site_exposure

    if missing:
        return Finding("test frame", False, "not taken: PVs are missing", "mend what is missing first")
    binning, exposure_s = needs.exposures[-1] if needs.exposures else (max(pv_map.camera.readout_s), 1.0)
    try:
        speed = access.speed(pv_map)
    except XrmError as error:
        return Finding("test frame", False, error.message(), error.remedy or "")
    return run(site_exposure.take(pv_map, binning, exposure_s), speed)


def record_field(pv: str, field: str) -> str:
    """Another field of the record that a PV belongs to."""
    return f"{pv.partition('.')[0]}.{field}"


class _Site:
    def __init__(self, pv_map: PvMap, site: Snapshot, needs: Needs) -> None:
        self._map, self._site, self._needs = pv_map, site, needs
        self._written = set(written_pvs(pv_map))

    async def findings(self) -> list[Finding]:
        site, pv_map = self._site, self._map
        found = [self._group(name, pvs) for name, pvs in groups(pv_map).items()]
        if len(site.missing) == len(set(all_pvs(pv_map))):
            return found
        beam = Beam(pv_map, site)
        found += [self._one_server(), self._disabled(), self._values()]
        found += site_axes.findings(pv_map, site, self._needs)
        found += site_camera.findings(pv_map, site, self._needs)
        found += [*beam.shutters(), *beam.source(), *await beam.life()]
        owner = await beam.owner()
        found += [owner] if owner else []
        occupied = owner is not None and not owner.ok
        completion = await self._completion(occupied)
        written = completion.ok and not occupied
        return [*found, completion, await self._round_trip(), await self._clock(written)]

    def _group(self, name: str, pvs: list[str]) -> Finding:
        gone = [pv for pv in pvs if not self._site.has(pv)]
        if gone:
            text = f"{len(gone)} of {len(pvs)} PVs missing: {', '.join(gone[:6])}"
            remedy = _NOT_THERE
            if name == "camera" and all(pv.rpartition(":")[2].startswith("Bin") for pv in gone):
                remedy = "a camera without binning: set camera.has_binning to false in the PV map"
            return Finding(name, False, text, remedy)
        odd = [f"{pv} is {kind}" for pv in pvs if (kind := self._wrong_type(pv))]
        if odd:
            return Finding(name, False, "; ".join(odd[:4]), "another record than expected has this name")
        locked = [pv for pv in pvs if pv in self._written and not self._site.may_write(pv)]
        if locked:
            text = f"read-only for us: {', '.join(locked[:6])}"
            return Finding(name, False, text, "change the IOC's access security")
        return Finding(name, True, f"{len(pvs)} PVs")

    def _wrong_type(self, pv: str) -> str:
        """What the PV is, if that is not what it should be."""
        kind, elements = self._site.kind(pv), self._site.registry(pv).elements(pv)
        field = pv.rpartition(":")[2].rpartition(".")[2]
        about = self._map.supervision
        if field == "ArrayData":
            return "" if elements > 1 and kind != "text" else f"a single {kind}"
        if field in _TEXTS or (about.owner and pv == self._map.full(about.owner)):
            return "" if kind == "text" or (kind == "bytes" and elements > 1) else kind
        if pv in self._statuses():
            return "an array" if elements > 1 and kind not in ("bytes", "text") else ""
        return "text" if kind == "text" else ("an array" if elements > 1 and kind != "bytes" else "")

    def _statuses(self) -> set[str]:
        """PVs that may hold text: what they must say is told by the map."""
        about = self._map
        statuses = [*about.source.available, *about.source.permits]
        for blade in about.shutter.in_order:
            statuses += [*blade.open_statuses, *blade.closed_statuses]
        statuses += [about.supervision.tripped] if about.supervision.tripped else []
        return {about.full(status.pv) for status in statuses}

    def _one_server(self) -> Finding:
        """Each PV is one server's: else it is chance which of them a run commands."""
        twice = fitness.answered_twice(self._map)
        if twice is None:
            return Finding("servers", True, "each PV is one server's")
        remedy = "end the one that does not belong here, or name one address alone in EPICS_CA_ADDR_LIST"
        return Finding("servers", False, f"two servers have {twice}", remedy)

    def _disabled(self) -> Finding:
        """DISP = 1 refuses every write from outside."""
        records = dict.fromkeys(record_field(pv, "DISP") for pv in self._written)
        shut = [name for name in records if self._site.number(name)]
        text = (
            f"set: {', '.join(shut[:6])}" if shut else f"0 where served ({sum(map(self._site.has, records))} records)"
        )
        return Finding("writes disabled (DISP)", not shut, text, "set DISP to 0 in the IOC" if shut else "")

    def _values(self) -> Finding:
        """What a run reads must be readable, and not INVALID."""
        site = self._site
        excused = {pv for pv in self._written if "." in pv or not pv.endswith("_RBV")}
        excused -= {self._map.full(one.record) for one in self._map.axes.values() if isinstance(one, AxisMap)}
        invalid = [pv for pv in site.invalid if pv not in excused and not pv.endswith(_UNDEFINED_AT_FIRST)]
        problems = [f"{pv} is INVALID" for pv in invalid] + [f"{pv}: {why}" for pv, why in site.unreadable.items()]
        remedy = "the IOC has lost the device behind it, or never read it: look at the device and the IOC's console"
        if problems:
            more = f" and {len(problems) - 6} more" if len(problems) > 6 else ""
            return Finding("values", False, "; ".join(problems[:6]) + more, remedy)
        return Finding("values", True, "every PV can be read, none is INVALID")

    async def _completion(self, occupied: bool) -> Finding:
        """Put back what is there, with completion: the camera's answer and each motor's must come."""
        what = "put-completion"
        if occupied:
            return Finding(what, True, "not tried", "somebody is in control: nothing was written")
        names = [pv for pv in _written_back(self._map) if self._site.number(pv) is not None]
        tried = 0
        try:
            for pv in names:
                registry = self._site.registry(pv)
                if self._site.may_write(pv) and not self._site.number(record_field(pv, "DISP")):
                    (value,) = await registry.read(pv)
                    await registry.write(pv, float(value))
                    tried += 1
        except XrmError as error:
            return Finding(what, False, error.message(), "the IOC must answer writes with completion")
        return Finding(what, True, f"{tried} of {len(names)} settings written back and completed")

    async def _round_trip(self) -> Finding:
        what = _ROUND_TRIP
        pv = next((pv for pv in groups(self._map)["axis x"] if self._site.value(pv) is not None), None)
        if pv is None:
            return Finding(what, False, "no PV of axis x can be read", _NOT_THERE)
        name, registry = pv, self._site.registry(pv)
        try:
            clock, times_ms, late_ms = Clock(utc_now()), list[float](), list[float]()
            for _ in range(50):
                times_ms.append(await _timed(lambda: registry.readings(name, may_be_invalid=True)))
                late_ms.append(await _timed(lambda: clock.sleep(_NAP_S)) - 1000 * _NAP_S)
        except XrmError as error:
            return Finding(what, False, error.message(), _NOT_THERE)
        return round_trip(statistics.median(times_ms), max(times_ms), statistics.median(late_ms))

    async def _clock(self, written: bool) -> Finding:
        """A fresh time stamp: that of the beat, else of a setting that was written back just now."""
        what, about = "clocks agree", self._map.supervision
        pv = self._map.full(about.heartbeat) if about.heartbeat else _written_back(self._map)[0]
        if not self._site.has(pv) or not (about.heartbeat or written):
            return Finding(what, True, "not compared: nothing has a fresh time stamp")
        try:
            (reading,) = await self._site.registry(pv).readings(pv, may_be_invalid=True)
        except XrmError as error:
            return Finding(what, False, error.message(), _NOT_THERE)
        late_s = utc_now().timestamp() - reading.timestamp_s
        apart = abs(late_s) >= _CLOCK_S
        text = f"the IOC's time stamps are {late_s:+.2f} s behind this machine's clock"
        return Finding(what, not apart, text, "let both machines follow the same time server (NTP)" if apart else "")


def round_trip(median_ms: float, worst_ms: float, late_ms: float) -> Finding:
    """What the times of readings say; late_ms: by how much this machine is late in waking who waits, up to three times
    for a reading from a server of its own."""
    what, text = _ROUND_TRIP, f"median {median_ms:.2f} ms, worst {worst_ms:.2f} ms"
    if median_ms < _SLOW_MS:
        return Finding(what, True, text)
    if median_ms - _WAKINGS * late_ms < _SLOW_MS:
        busy = f"{text}, on a machine that is {late_ms:.1f} ms late in waking who waits"
        return Finding(what, True, busy, "other work on this machine takes the processors; look again without it")
    return Finding(what, False, text, "a slow or busy network, or Nagle's algorithm in the server (TCP_NODELAY)")


async def _timed(call: Callable) -> float:
    passed_s = stopwatch()
    await call()
    return passed_s() * 1000


def _written_back(pv_map: PvMap) -> list[str]:
    """A harmless setting of the camera, and of each motor: the step of its tweak buttons."""
    exposure = camera.pvs(pv_map.full(pv_map.camera.prefix))["AcquireTime"]
    motors = [about for about in pv_map.axes.values() if isinstance(about, AxisMap)]
    return [exposure, *(f"{pv_map.full(about.record)}.TWV" for about in motors)]
