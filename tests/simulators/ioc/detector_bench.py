"""A detector in this process, without Channel Access: clients' writes by the names of the records."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.camera import CameraConfig
from simulators.faults import Fault
from simulators.ioc.detector import Detector
from simulators.ioc.pacing import IocTime
from simulators.microscope import Microscope, MicroscopeConfig
from simulators.optics import BINNINGS
from simulators.specimen import SpecimenConfig

READOUT_S = 0.1
_WITHIN_S = 20.0


def microscope(*faults: Fault, readout_s: float = READOUT_S) -> Microscope:
    """Without a specimen."""
    camera = CameraConfig(gain=39.0, readout_s=tuple((binning, readout_s) for binning in BINNINGS))
    return Microscope(MicroscopeConfig(camera=camera, specimen=SpecimenConfig("empty"), faults=faults))


class Bench:
    """Names are e.g. "cam1:Acquire"."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self._pvs: dict[str, Any] = detector.pvs()

    async def put(self, **values: Any) -> None:
        """Write to the camera, and wait for the completions."""
        for name, value in values.items():
            await self.write(f"cam1:{name}", value)

    async def file(self, **values: Any) -> None:
        """Write to the file plugin, and wait for the completions."""
        for name, value in values.items():
            await self.write(f"HDF1:{name}", value)

    async def plugin(self, port: str, **values: Any) -> None:
        """Write to another plugin, and wait for the completions."""
        for name, value in values.items():
            await self.write(f"{port}:{name}", value)

    async def write(self, name: str, value: Any) -> None:
        """A client's write, with completion."""
        async with asyncio.timeout(_WITHIN_S):
            await self._pvs[f"T:Det:{name}"].write(value)

    def get(self, name: str) -> Any:
        """A value; the text of an enumeration."""
        return self._pvs[f"T:Det:{name}"].now

    def alarmed(self, name: str) -> bool:
        """Whether its severity is INVALID."""
        return self._pvs[f"T:Det:{name}"].alarm.severity.value == 3

    def image(self) -> NDArray[Any]:
        """What image1 holds: (rows, columns), as uint16 where it is int16."""
        data = np.asarray(self._pvs["T:Det:image1:ArrayData"].value)
        shape = self.get("image1:ArraySize1_RBV"), self.get("image1:ArraySize0_RBV")
        return (data.view(np.uint16) if data.dtype == np.int16 else data).reshape(shape)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the detector work until it is so."""
        async with asyncio.timeout(_WITHIN_S):
            while not condition():
                await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=0.002)

    async def start(self, name: str, value: Any) -> asyncio.Task[None]:
        """A write whose completion is not waited for; it has reached the record when this returns."""
        task = asyncio.create_task(self.write(name, value))
        await asyncio.wait([task], timeout=0.02)
        return task


@asynccontextmanager
async def running(
    *faults: Fault, speed: float = 50.0, readout_s: float = READOUT_S, **options: Any
) -> AsyncIterator[Bench]:
    """A detector at work, binning 8, exposures of 0.1 s, that waits for its plugins."""
    detector = Detector("T:", microscope(*faults, readout_s=readout_s), IocTime(speed), **options)
    work = asyncio.create_task(detector.run())
    try:
        bench = Bench(detector)
        await bench.put(BinX=8, AcquireTime=0.1, WaitForPlugins="Yes")
        yield bench
    finally:
        work.cancel()
        await asyncio.wait([work])
        if not work.cancelled():
            work.result()


def darks(count: int, exposure_s: float = 0.1) -> list[NDArray[Any]]:
    """What a twin of the camera sees with a closed shutter, binning 8: noise that depends on the number alone."""
    twin, t_s, found = microscope(), 0.0, []
    twin.configure_camera(8, exposure_s, t_s)
    for _ in range(count):
        exposure = twin.expose(t_s)
        t_s = exposure.ready_s
        frame = twin.read(exposure.number, t_s)
        assert frame is not None
        found.append(frame.image)
    return found
