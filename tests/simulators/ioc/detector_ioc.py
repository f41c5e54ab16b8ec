"""A small IOC that serves the detector alone: `python tests/simulators/ioc/detector_ioc.py [--instant] [...]`.

Prints `ready port=N` when it serves, and ends on SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal

from simulators.camera import CameraConfig
from simulators.faults import Fault
from simulators.ioc.pacing import IocTime
from simulators.ioc.server import listen, serve
from simulators.microscope import Microscope, MicroscopeConfig
from simulators.optics import BINNINGS
from simulators.specimen import SpecimenConfig

PREFIX = "T:"


def microscope(instant: bool = False, faults: tuple[Fault, ...] = (), read_noise: float = 24.0) -> Microscope:
    """Without a specimen; `instant`: no time passes in the read-out."""
    readout_s = tuple((binning, 0.0 if instant else 0.1) for binning in BINNINGS)
    camera = CameraConfig(gain=39.0, read_noise=read_noise, readout_s=readout_s)
    return Microscope(MicroscopeConfig(camera=camera, specimen=SpecimenConfig("empty"), faults=faults))


async def _main(arguments: argparse.Namespace) -> None:
    from simulators.ioc.detector import Detector

    faults = tuple(Fault(**json.loads(text)) for text in arguments.fault)
    time = IocTime(arguments.speed)
    detector = Detector(PREFIX, microscope(arguments.instant, faults), time, arguments.array_type)
    held = listen("127.0.0.1", 0)
    serving = asyncio.ensure_future(
        serve(
            detector.pvs(),
            [detector.run()],
            lambda: print(f"ready port={held.getsockname()[1]}", flush=True),
            held,
        )
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, serving.cancel)
    try:
        await serving
    except asyncio.CancelledError:
        return


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--instant", action="store_true")
    parser.add_argument("--speed", type=float, default=20.0)
    parser.add_argument("--array-type", default="int16")
    parser.add_argument("--fault", action="append", default=[])
    os.environ["EPICS_CAS_INTF_ADDR_LIST"] = "127.0.0.1"
    os.environ["EPICS_CAS_AUTO_BEACON_ADDR_LIST"] = "NO"
    os.environ["EPICS_CAS_BEACON_ADDR_LIST"] = "127.0.0.1"
    asyncio.run(_main(parser.parse_args()))
