"""PVs of other kinds than a map would expect, on EPICS base itself: `python odd_site.py PREFIX` serves until ended.

| record | what |
|---|---|
| Owner | a waveform of characters |
| Kick | a longout |
| Text, Long | a stringout, and a waveform of characters, that say Open or Closed |
| State | an mbbo: Closed, Open, Moving; its texts are its fields ZRST, ONST, TWST |
| Numbers | a waveform of five numbers |
| Big | a waveform of 300 000 numbers |
"""

from __future__ import annotations

import sys
import threading

import numpy as np
from softioc import asyncio_dispatcher, builder, softioc


def main(prefix: str) -> None:
    """Serve."""
    dispatcher = asyncio_dispatcher.AsyncioDispatcher()
    builder.SetDeviceName(prefix.rstrip(":"))
    builder.longStringOut("Owner", initial_value="", length=256)
    builder.longOut("Kick", initial_value=0, always_update=True)
    builder.stringOut("Text", initial_value="Closed")
    builder.longStringOut("Long", initial_value="Closed", length=200)
    builder.mbbOut("State", "Closed", "Open", "Moving", initial_value=0)
    builder.WaveformOut("Numbers", initial_value=np.arange(5.0), length=5)
    builder.WaveformOut("Big", initial_value=np.zeros(300_000), length=300_000)
    builder.LoadDatabase()
    softioc.iocInit(dispatcher, enable_pva=False)
    print(f"ready prefix={prefix}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1])
