"""Parts of a site on EPICS base itself: `python soft_site.py PREFIX` serves until it is ended.

| record | what |
|---|---|
| Piezo | an ao; an ai, Piezo_RBV, follows it by 5 um each 50 ms; its own limits (DRVL, DRVH) are 80 |
| Piezo_Done, Piezo_Stop | of the same |
| Fast:Open, Fast:Close | pulses for a shutter: they return to 0 |
| Fast:Status, Fast:Blade | where it is, as an mbbi with four states and as a number |
| Front:Open, Front:Close, Front:Status | another shutter |
| Blind | a bo that opens and closes something that nothing tells of |
| Stuck | 1: neither piezo nor shutters follow |
| Permit, Ring, Gap | mbbi (Denied, Granted), ai, ai |
| Array:TYPE:*, Cam:DataType* | an array plugin for each type of elements, and its camera's type |
| Trace | what was commanded, in order |
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from softioc import asyncio_dispatcher, builder, softioc

TYPES = ("uint8", "int16", "uint16", "int32", "float32", "float64")
DATA_TYPES = ("Int8", "UInt8", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float32", "Float64")
PIXELS = 12
_STEP_S, _STEP_UM = 0.05, 5.0


class Site:
    """The records and what they do."""

    def __init__(self) -> None:
        self.stuck = builder.boolOut("Stuck", "No", "Yes", initial_value=0)
        self.trace = builder.longStringIn("Trace", initial_value="", length=20_000)
        self.said: list[str] = []
        self.piezo()
        for name in ("Fast", "Front"):
            self.shutter(name)
        builder.boolOut("Blind", "Closed", "Open", always_update=True, on_update=self.note("Blind"))
        builder.mbbOut("Permit", "Denied", "Granted", initial_value=1)
        builder.aOut("Ring", initial_value=102.0)
        builder.aOut("Gap", initial_value=7.5)
        builder.mbbOut("Cam:DataType", *DATA_TYPES, initial_value=3, always_update=True, on_update=self.data_type)
        self.cam = builder.mbbIn("Cam:DataType_RBV", *DATA_TYPES, initial_value=3)
        for kind in TYPES:
            self.array(kind)

    def note(self, name: str) -> Callable[[Any], None]:
        def heard(value: Any) -> None:
            self.said.append(f"{name}={value}")
            self.trace.set(" ".join(self.said))

        return heard

    def piezo(self) -> None:
        self.target = self.at = 0.0
        self.out = builder.aOut("Piezo", initial_value=0.0, DRVL=-80, DRVH=80, always_update=True, on_update=self.aim)
        self.rbv = builder.aIn("Piezo_RBV", initial_value=0.0)
        self.done = builder.boolIn("Piezo_Done", "No", "Yes", initial_value=1)
        builder.boolOut("Piezo_Stop", "0", "1", always_update=True, on_update=self.halt)

    def aim(self, value: float) -> None:
        self.note("Piezo")(value)
        self.target = value
        self.done.set(0)

    def halt(self, value: int) -> None:
        self.note("Piezo_Stop")(value)
        self.target = self.at

    async def follow(self) -> None:
        """The piezo's loop, for ever."""
        while True:
            await asyncio.sleep(_STEP_S)  # noqa: TID251
            if not self.stuck.get():
                self.at += float(np.clip(self.target - self.at, -_STEP_UM, _STEP_UM))
                self.rbv.set(self.at + 0.01)
            self.done.set(int(abs(self.target - self.at) < 0.1))

    def shutter(self, name: str) -> None:
        states = ("Closed", "Open", "Moving", "Fault")
        status = builder.mbbIn(f"{name}:Status", *states, initial_value=0)
        blade = builder.aIn(f"{name}:Blade", initial_value=0.0)

        def act(open_: bool) -> Callable[[int], Any]:
            async def acted(value: int) -> None:
                if not value:
                    return
                self.note(f"{name}:{'Open' if open_ else 'Close'}")(value)
                if self.stuck.get():
                    return
                status.set(2)
                await asyncio.sleep(0.1)  # noqa: TID251
                blade.set(5.0 if open_ else 0.0)
                status.set(int(open_))

            return acted

        for verb, open_ in (("Open", True), ("Close", False)):
            builder.boolOut(f"{name}:{verb}", "0", "1", HIGH=0.05, always_update=True, on_update=act(open_))

    def array(self, kind: str) -> None:
        name = f"Array:{kind}:"
        data = np.arange(PIXELS).astype(kind)
        builder.WaveformOut(name + "ArrayData", initial_value=data, length=2000)
        builder.boolOut(name + "EnableCallbacks", "Disable", "Enable", initial_value=0)
        builder.longOut(name + "UniqueId_RBV", initial_value=1)
        builder.longOut(name + "ArraySize0_RBV", initial_value=4)
        builder.longOut(name + "ArraySize1_RBV", initial_value=3)
        builder.mbbOut(name + "DataType_RBV", *DATA_TYPES, initial_value=3)

    def data_type(self, value: int) -> None:
        self.note("DataType")(value)
        if not self.stuck.get():
            self.cam.set(value)


def main(prefix: str) -> None:
    """Serve."""
    dispatcher = asyncio_dispatcher.AsyncioDispatcher()
    builder.SetDeviceName(prefix.rstrip(":"))
    site = Site()
    builder.LoadDatabase()
    softioc.iocInit(dispatcher, enable_pva=False)
    dispatcher(site.follow)
    print(f"ready prefix={prefix}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1])
