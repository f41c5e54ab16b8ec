"""Records on EPICS base itself, as a process of its own: `python soft_ioc.py PREFIX` serves until it is ended.

| record | what |
|---|---|
| Busy | a put stays under way until Release is written, at most `HOLD_S` seconds |
| Release | ends it |
| Other | done at once |
| Undefined | never got a value |
"""

from __future__ import annotations

import asyncio
import sys
import threading

from softioc import asyncio_dispatcher, builder, softioc

HOLD_S = 90.0


def main(prefix: str) -> None:
    """Serve."""
    dispatcher = asyncio_dispatcher.AsyncioDispatcher()
    held: set[asyncio.Event] = set()

    async def hold(_: float) -> None:
        released = asyncio.Event()
        held.add(released)
        try:
            await asyncio.wait_for(released.wait(), HOLD_S)
        except TimeoutError:
            pass
        finally:
            held.discard(released)

    async def release(_: float) -> None:
        for event in held:
            event.set()

    builder.SetDeviceName(prefix.rstrip(":"))
    builder.aOut("Busy", initial_value=0.0, always_update=True, blocking=True, on_update=hold)
    builder.aOut("Release", initial_value=0.0, always_update=True, on_update=release)
    builder.aOut("Other", initial_value=0.0)
    builder.records.stringin("Undefined")  # type: ignore[attr-defined]
    builder.LoadDatabase()
    softioc.iocInit(dispatcher, enable_pva=False)
    print(f"ready prefix={prefix}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1])
