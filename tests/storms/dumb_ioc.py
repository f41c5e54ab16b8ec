"""An IOC on the real server (EPICS base, by softioc) whose PVs of supervision are plain memory: it decides nothing.

`python -m tests.storms.dumb_ioc PREFIX` serves a beat, a stroke, an owner and a target until its standard input ends.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

BEAT_S = 0.2


def main() -> None:
    """Serve."""
    from softioc import asyncio_dispatcher, builder, softioc

    dispatcher = asyncio_dispatcher.AsyncioDispatcher()
    builder.SetDeviceName(sys.argv[1].rstrip(":"))
    beat = builder.longIn("IOC:Beat_RBV", initial_value=0)
    builder.longOut("Watchdog:Stroke", initial_value=0)
    builder.stringOut("Owner", initial_value="")
    builder.aOut("Target", initial_value=0.0)
    builder.LoadDatabase()
    softioc.iocInit(dispatcher)

    async def beats() -> None:
        count = 0
        while True:
            await asyncio.sleep(BEAT_S)  # noqa: TID251  a process of its own, with the wall clock's time
            count += 1
            beat.set(count)

    dispatcher(beats)
    print("ready", flush=True)
    sys.stdin.read()


def pv_map(prefix: str, template: Any) -> Any:
    """The shipped map with nothing that this IOC has not."""
    supervision = template.supervision.model_copy(update={"tripped": None, "speed": None})
    return template.model_copy(update={"prefix": prefix, "supervision": supervision})


if __name__ == "__main__":
    main()
