"""Can the PVs of a map ever say, and take, what the map expects of them? Asked before an instrument is believed.

A status whose words the IOC does not know is never good, so that a shutter that is open counts as closed; a command
that the record does not take is noticed when the shutter does not close.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from xrm_control.core.errors import SafetyRefusal
from xrm_control.devices.epics import libca
from xrm_control.devices.epics.axis_map import PlainAxisMap
from xrm_control.devices.epics.inventory import all_pvs, written_pvs
from xrm_control.devices.epics.pv_map import PvMap
from xrm_control.devices.epics.shutter_map import BladeMap
from xrm_control.devices.epics.status import Command, Status


class Site(Protocol):
    """What is known of PVs: a registry, or what an examination has read."""

    def has(self, name: str) -> bool:
        """Whether it is there."""
        ...

    def kind(self, name: str) -> str:
        """number, choice, text or bytes."""
        ...

    def choices(self, name: str) -> tuple[str, ...]:
        """Texts of an enum, in order."""
        ...

    def may_write(self, name: str) -> bool:
        """Whether the server lets us write it."""
        ...


def of_blade(blade: BladeMap) -> tuple[Status | Command, ...]:
    """What a shutter, or the opaque blade, says and takes."""
    return (blade.open, blade.close, *blade.open_statuses, *blade.closed_statuses)


def impossible(words: Sequence[Status | Command], pv_map: PvMap, site: Site) -> list[str]:
    """What no value of the PVs can ever mean, and what none of them can take."""
    found: dict[str, None] = {}
    for one in words:
        pv = pv_map.full(one.pv)
        if site.has(pv) and (never := one.never(site.kind(pv), site.choices(pv))):
            found[f"{pv}: {never}"] = None
    return list(found)


def refuse_unfit(pv_map: PvMap, site: Site) -> None:
    """Raise SafetyRefusal, naming all at once, where the map's words are not those of the IOC, where a PV that a run
    commands is read-only for us, and where two servers have the same PV.
    """
    problems = impossible(tuple(_words(pv_map)), pv_map, site)
    if problems:
        raise SafetyRefusal(
            "the PV map expects of PVs what they can never say or take",
            where="PV map",
            value="; ".join(problems),
            remedy="correct good, value and rest in the PV map; the IOC's own words are those of its records",
        )
    locked = [pv for pv in _commanded(pv_map) if not site.may_write(pv)]
    if locked:
        raise SafetyRefusal(
            "what a run must command, and stop, is read-only for us",
            where=", ".join(locked[:6]) + (f" and {len(locked) - 6} more" if len(locked) > 6 else ""),
            value="no write access",
            limit="write access",
            remedy="change the IOC's access security for this machine and user",
        )
    if (twice := answered_twice(pv_map)) is not None:
        raise SafetyRefusal(
            "two servers have the same PVs: which of them a run would command is chance",
            where=twice,
            remedy="end the one that does not belong here, or name one address alone in EPICS_CA_ADDR_LIST; also where"
            " it is one IOC that answers by two network cards",
        )


def answered_twice(pv_map: PvMap) -> str | None:
    """PVs of the map that two servers have answered for, and which; None where there are none."""
    twice = libca.library().answered_twice(all_pvs(pv_map))
    if not twice:
        return None
    pv, servers = next(iter(twice.items()))
    return f"{pv}{f' and {len(twice) - 1} more' if len(twice) > 1 else ''}, on {servers}"


def _words(pv_map: PvMap) -> Iterator[Status | Command]:
    for blade in (*pv_map.shutter.in_order, *(() if pv_map.blocker is None else (pv_map.blocker,))):
        yield from of_blade(blade)
    yield from (*pv_map.source.available, *pv_map.source.permits)
    for about in pv_map.axes.values():
        if isinstance(about, PlainAxisMap):
            yield from (one for one in (about.done, about.stop) if one is not None)


def _commanded(pv_map: PvMap) -> list[str]:
    """What a run writes and cannot do without: not its signs for operators, nor the last means of stopping an axis."""
    shown = None if pv_map.scan_status is None else pv_map.full(pv_map.scan_status.prefix)
    return [
        pv
        for pv in written_pvs(pv_map)
        if not pv.endswith(".SPMG") and not (shown is not None and pv.startswith(shown))
    ]
