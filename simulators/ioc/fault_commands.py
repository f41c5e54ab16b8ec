"""Faults on command: `Sim:Fault` takes one as JSON, in the words of `simulators.faults.Fault`, and some of its own.

`at_s` may be left out and means now: a fault of motion or of the camera then hits the next move or exposure. Beyond
the physics an IOC itself may fail:

| kind | needs | effect |
|---|---|---|
| read_only | pv (without the prefix) | the PV refuses every write |
| no_access | pv | who connects from now on has no right to write the PV |
| deaf | pv | the PV takes every write, and nothing comes of it |
| mute | pv | monitors of the PV hear nothing, as of changes within its deadband (MDEL) |
| invalid | pv | the PV's value has the alarm INVALID |
| shows | pv, value | the PV reads as this value (a number, "nan", "inf", a text), whatever it is |
| silent | duration_s | the process hangs for so long, in seconds of the wall clock |
| exit | nothing | the process ends at once, as by a crash |
"""

from __future__ import annotations

import asyncio
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from simulators.faults import Fault
from simulators.ioc.pacing import IocTime
from simulators.ioc.pv import ODDITIES, Pv, Refused, double, integer, long_text
from simulators.microscope import Microscope

_CRASHED = 1
_POSTED_EVERY_S = 0.5
_LONGEST_SILENCE_S = 600.0
# Time for the answer to whoever ordered it.
_AFTER_THE_ANSWER_S = 0.05
_TEXT_LENGTH = 255
_TYPES = {
    "kind": str, "at_s": float, "duration_s": float, "axis": str, "move": int, "frames": tuple, "times": int,
    "factor": float, "amount": float, "hidden": bool, "value": str,
}  # fmt: skip


class FaultCommands:
    """Makes the microscope, or the IOC around it, fail. `pvdb` is asked for the PVs that shall refuse writes."""

    def __init__(self, prefix: str, microscope: Microscope, time: IocTime, pvdb: Mapping[str, Any]) -> None:
        self._prefix = prefix
        self._microscope = microscope
        self._time = time
        self._pvdb = pvdb
        self._odd: list[dict[str, Any]] = []
        self._list = long_text("[]", read_only=True)
        self._now = double(units="s", precision=1, read_only=True, record="ai")
        self._now.on_get = self._post_time
        self._pvs: dict[str, Pv] = {
            f"{prefix}Sim:Fault": long_text(on_put=self._put_fault),
            f"{prefix}Sim:Clear": integer(on_put=self._put_clear, record="bo"),
            f"{prefix}Sim:Faults_RBV": self._list,
            f"{prefix}Sim:Time_RBV": self._now,
        }
        self._list.on_get = self._post_list

    def pvs(self) -> dict[str, Pv]:
        """Full name of each PV, and the PV."""
        return self._pvs

    async def run(self) -> None:
        """Show time and faults, for ever."""
        while True:
            await self._post_time()
            await self._post_list()
            await self._time.wait_wall(_POSTED_EVERY_S)

    async def order(self, command: str) -> None:
        """One fault from its JSON text. ValueError, in words for a person, when it makes no sense."""
        content = _object(command)
        kind = content.pop("kind", None)
        if kind in ODDITIES:
            await self._plant(kind, **_only(content, kind, "pv", *(("value",) if kind == "shows" else ())))
        elif kind == "silent":
            duration_s = _only(content, "silent", "duration_s")["duration_s"]
            if not isinstance(duration_s, int | float) or not 0 < duration_s <= _LONGEST_SILENCE_S:
                raise ValueError(f"fault silent: duration_s must be positive, at most {_LONGEST_SILENCE_S:g}")
            self._soon(self._time.block_wall, duration_s)
        elif kind == "exit":
            _only(content, "exit")
            self._soon(os._exit, _CRASHED)
        else:
            self._microscope.add_fault(_fault({"kind": kind, **content}, self._time.now_s()))

    def _soon(self, action: Any, argument: Any) -> None:
        asyncio.get_running_loop().call_later(_AFTER_THE_ANSWER_S, action, argument)

    async def _plant(self, kind: str, pv: Any, value: Any = None) -> None:
        name = f"{self._prefix}{pv}"
        if name not in self._pvdb:
            raise ValueError(f"fault {kind}: there is no PV {name}")
        await self._pvdb[name].make_odd(kind, value)
        self._odd.append({"kind": kind, "pv": pv, **({"value": value} if kind == "shows" else {})})

    async def _put_fault(self, command: str) -> str:
        try:
            await self.order(command)
        except ValueError as error:
            raise Refused(str(error)) from error
        await self._post_list()
        return command

    async def _put_clear(self, value: int) -> int:
        if value == 1:
            self._microscope.clear_faults(self._time.now_s())
            odd, self._odd = self._odd, []
            for one in odd:
                await self._pvdb[f"{self._prefix}{one['pv']}"].make_even()
            await self._post_list()
        return 0

    async def _post_time(self) -> None:
        await self._now.post(self._time.now_s())

    async def _post_list(self) -> None:
        told = [_words(fault) for fault in self._microscope.faults(self._time.now_s())]
        told += self._odd
        await self._list.post_change(json.dumps(told, separators=(",", ":"))[:_TEXT_LENGTH])


def parse(command: str, now_s: float) -> Fault:
    """A fault of the physics from its JSON text; without a time it is now. ValueError when it makes no sense."""
    return _fault(_object(command), now_s)


def _fault(content: dict[str, Any], now_s: float) -> Fault:
    for name, value in content.items():
        if name not in _TYPES:
            raise ValueError(f"a fault knows no {name}; it knows {', '.join(_TYPES)}")
        if value is not None and not _is(value, _TYPES[name]):
            raise ValueError(f"fault {content.get('kind')}: {name} cannot be {value!r}")
    given = {name: value for name, value in content.items() if value is not None}
    if not {"at_s", "move", "frames"} & set(given):
        given["at_s"] = now_s
    return Fault(**{"kind": "", **given})


def _is(value: Any, kind: type) -> bool:
    if kind is tuple:
        return isinstance(value, list) and all(_is(item, int) for item in value)
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float)) and math.isfinite(value) if kind is float else isinstance(value, kind)


def _object(command: str) -> dict[str, Any]:
    try:
        content = json.loads(command)
    except json.JSONDecodeError as error:
        raise ValueError(f"a fault is a JSON object: {error}") from error
    if not isinstance(content, dict):
        raise ValueError('a fault is a JSON object such as {"kind": "beam_loss", "duration_s": 10}')
    return content


def _only(content: dict[str, Any], kind: str, *wanted: str) -> dict[str, Any]:
    if set(content) != set(wanted):
        raise ValueError(
            f"fault {kind} takes {' and '.join(wanted) or 'nothing else'}, not {', '.join(content) or 'nothing'}"
        )
    return content


def _words(fault: Fault) -> dict[str, Any]:
    words = {
        name: value for name, value in asdict(fault).items() if value is not None and value is not False and value != ()
    }
    return words if fault.times > 1 else {name: value for name, value in words.items() if name != "times"}
