"""Is this site what its map says? Every PV, its type, limits, put-completion, round trip, array size, clock.

Nothing moves and nothing is exposed: the only writes put a value back that was just read.
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Mapping

from xrm_control.core.clock import Clock, run, stopwatch, utc_now
from xrm_control.core.errors import XrmError
from xrm_control.core.findings import Finding
from xrm_control.devices.epics import axis, beam, camera, frames_array, libca
from xrm_control.devices.epics.inventory import all_pvs, groups
from xrm_control.devices.epics.pv_map import ArrayFrames, AxisMap, PvMap
from xrm_control.devices.epics.registry import Registry

_TEXTS = ("EGU", "StatusMessage_RBV", "FilePath", "FileName", "FileTemplate", "FullFileName_RBV", "WriteMessage",
          "RunName", "ScanStatus")  # fmt: skip
# A beat may be half a second old when it is read.
_SLOW_MS, _CLOCK_S = 20.0, 2.0


def examine(pv_map: PvMap, limits: Mapping[str, tuple[float, float] | None]) -> list[Finding]:
    """All findings; `limits` are the recipe's own by axis, None where it has none."""

    async def all_of_it() -> list[Finding]:
        names = [*all_pvs(pv_map), *_written_back(pv_map)]
        registry = Registry(names, Clock(utc_now()), pv_map.channel_access)
        try:
            return await _Site(pv_map, registry).examine(limits)
        finally:
            registry.close()

    return run(all_of_it(), 1.0)


class _Site:
    def __init__(self, pv_map: PvMap, registry: Registry) -> None:
        self._map = pv_map
        self._registry = registry

    async def examine(self, limits: Mapping[str, tuple[float, float] | None]) -> list[Finding]:
        with contextlib.suppress(XrmError):
            await self._registry.connect()
        missing = set(self._registry.missing)
        found = [self._group(name, pvs, missing) for name, pvs in groups(self._map).items()]
        if missing:
            return found
        found += [await self._axis(name, about, limits.get(name)) for name, about in self._map.axes.items()]
        found += [self._array(), await self._completion(), await self._round_trip(), await self._clock()]
        found += await self._supervision()
        return found

    def _group(self, name: str, pvs: list[str], missing: set[str]) -> Finding:
        gone = [pv for pv in pvs if pv in missing]
        if gone:
            where = "look whether the IOC runs and is reached (EPICS_CA_ADDR_LIST), and at the names in the PV map"
            return Finding(name, False, f"{len(gone)} of {len(pvs)} PVs missing: {', '.join(gone[:6])}", where)
        odd = [f"{pv} is {kind}" for pv in pvs if (kind := self._wrong_type(pv))]
        if odd:
            return Finding(name, False, "; ".join(odd[:4]), "another record than expected has this name")
        locked = [pv for pv in pvs if pv in self._written() and not self._registry.may_write(pv)]
        if locked:
            return Finding(
                name, False, f"read-only for us: {', '.join(locked[:6])}", "change the IOC's access security"
            )
        return Finding(name, True, f"{len(pvs)} PVs")

    def _wrong_type(self, pv: str) -> str:
        """What the PV is, if that is not what it should be."""
        kind, elements = self._registry.kind(pv), self._registry.elements(pv)
        field = pv.rpartition(":")[2].rpartition(".")[2]
        about = self._map.supervision
        if field == "ArrayData":
            return "" if elements > 1 and kind != "text" else f"a single {kind}"
        if field in _TEXTS or (about.owner and pv == self._map.full(about.owner)):
            return "" if kind == "text" or (kind == "bytes" and elements > 1) else kind
        return "text" if kind == "text" else ("an array" if elements > 1 and kind != "bytes" else "")

    def _written(self) -> set[str]:
        """PVs that a run writes."""
        full, about = self._map.full, self._map
        commands = [about.shutter.open.pv, about.shutter.close.pv]
        commands += [pv for pv in (about.supervision.stroke, about.supervision.owner) if pv]
        found = {full(pv) for pv in commands}
        for one in about.axes.values():
            fields = axis.pvs(full(one.record))
            found |= {fields["VAL"], fields["STOP"]}
        cam = camera.pvs(full(about.camera.prefix))
        return found | {pv for field, pv in cam.items() if not field.endswith("_RBV")}

    async def _axis(self, name: str, about: AxisMap, own: tuple[float, float] | None) -> Finding:
        record = axis.EpicsAxis(name, about, self._map.full(about.record), self._registry, Clock(utc_now()))
        what = f"axis {name}: limits, units, ready"
        try:
            described = await record.examine()
            reading = await record.read()
        except XrmError as error:
            return Finding(what, False, f"{error.what}: {error.value} (limit {error.limit})", error.remedy or "")
        low, high = described.low_limit, described.high_limit
        if own is not None and not low <= own[0] < own[1] <= high:
            text = f"the recipe's [{own[0]:g}, {own[1]:g}] {about.units} lie outside [{low:g}, {high:g}]"
            return Finding(what, False, text, f"narrow safety.{name} in the recipe")
        return Finding(what, True, f"[{low:g}, {high:g}] {about.units}, at {reading.position:g}")

    def _array(self) -> Finding:
        about = self._map.camera
        if not isinstance(about.frames, ArrayFrames):
            return Finding("array size", True, "frames come by file")
        room = self._registry.elements(frames_array.pvs(self._map.full(about.frames.prefix))["ArrayData"])
        binning = min(about.readout_s)
        needed = (about.width_px // binning) * (about.height_px // binning)
        text = f"room for {room} pixels, a frame at binning {binning} has {needed}"
        remedy = "give the IOC's waveform more elements (NELM), or take frames by file (camera.frames.kind: hdf5)"
        largest = libca.array_limit_bytes()
        if room >= needed and largest is not None and largest < 2 * needed:
            remedy = "set EPICS_CA_AUTO_ARRAY_BYTES=YES, or channel_access.max_array_bytes in the map"
            return Finding("array size", False, f"{text}; EPICS_CA_MAX_ARRAY_BYTES is {largest}", remedy)
        return Finding("array size", room >= needed, text, remedy)

    async def _completion(self) -> Finding:
        """Put back what is there, with completion: the camera's answer and each motor's must come."""
        names = _written_back(self._map)
        try:
            for pv in names:
                (value,) = await self._registry.read(pv)
                await self._registry.write(pv, float(value))
        except XrmError as error:
            return Finding("put-completion", False, str(error), "the IOC must answer writes with completion")
        return Finding("put-completion", True, f"camera and {len(names) - 1} motors: written back and completed")

    async def _round_trip(self) -> Finding:
        pv = next(iter(groups(self._map)["axis x"]))
        times_ms = [await self._timed(lambda: self._registry.read(pv)) for _ in range(50)]
        median_ms, worst_ms = statistics.median(times_ms), max(times_ms)
        return Finding(
            "round trip of a read",
            median_ms < _SLOW_MS,
            f"median {median_ms:.2f} ms, worst {worst_ms:.2f} ms",
            "a slow or busy network, or Nagle's algorithm in the server (TCP_NODELAY)",
        )

    async def _timed(self, call: Callable) -> float:
        passed_s = stopwatch()
        await call()
        return passed_s() * 1000

    async def _clock(self) -> Finding:
        """A fresh time stamp: that of the beat, else of a written-back value."""
        about = self._map.supervision
        pv = (
            self._map.full(about.beat)
            if about.beat
            else camera.pvs(self._map.full(self._map.camera.prefix))["AcquireTime"]
        )
        (reading,) = await self._registry.readings(pv, may_be_invalid=True)
        late_s = utc_now().timestamp() - reading.timestamp_s
        return Finding(
            "clocks agree",
            abs(late_s) < _CLOCK_S,
            f"the IOC's time stamps are {late_s:+.2f} s behind this machine's clock",
            "let both machines follow the same time server (NTP)",
        )

    async def _supervision(self) -> list[Finding]:
        about, full = self._map.supervision, self._map.full
        found = []
        if about.owner is not None:
            (owner,) = await self._registry.read(full(about.owner))
            found.append(Finding("owner", True, f"controlled by {owner}" if owner else "free"))
        try:
            source = await beam.EpicsSource(self._map, self._registry, Clock(utc_now())).read()
        except XrmError as error:
            return [*found, Finding("beam", False, str(error), error.remedy or "look at source in the PV map")]
        text = f"beam {'yes' if source.available else 'no'}, flux {source.flux_relative:.2f} of nominal"
        found.append(Finding("beam", True, text))
        if not source.permit:
            found.append(Finding("interlock", False, "no permit", "close the hutch and reset the interlock by hand"))
        return found


def _written_back(pv_map: PvMap) -> list[str]:
    """A harmless setting of the camera, and of each motor: the step of its tweak buttons."""
    exposure = camera.pvs(pv_map.full(pv_map.camera.prefix))["AcquireTime"]
    return [exposure, *(f"{pv_map.full(about.record)}.TWV" for about in pv_map.axes.values())]
