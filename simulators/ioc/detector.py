"""The area detector of the simulated beamline: camera `cam1:`, array plugin `image1:`, file plugin `HDF1:`."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from simulators.ioc.detector_camera import PORT, Camera
from simulators.ioc.detector_hdf5 import Hdf5Plugin
from simulators.ioc.detector_image import ImagePlugin
from simulators.ioc.pacing import IocTime
from simulators.ioc.pv import Pv
from simulators.microscope import Microscope

_RATES_EVERY_WALL_S = 1.0


class Detector:
    """Serves `{prefix}Det:cam1:`, `{prefix}Det:image1:` and `{prefix}Det:HDF1:`.

    array_kind: what image1:ArrayData holds, int16 (the bits of uint16) or float32. Frames are rendered and files are
    written in threads, so the loop stays free.
    """

    def __init__(self, prefix: str, microscope: Microscope, time: IocTime, array_kind: str = "int16") -> None:
        self._time = time
        self._renderer = ThreadPoolExecutor(1, "render")
        self._writer = ThreadPoolExecutor(1, "files")
        sensor = microscope.describe().camera
        self.camera = Camera(f"{prefix}Det:cam1:", microscope, time, self._renderer)
        pixels = sensor.width_px * sensor.height_px
        self.image = ImagePlugin(f"{prefix}Det:image1:", "Image1", self.camera, PORT, time, pixels, array_kind)
        self.hdf5 = Hdf5Plugin(f"{prefix}Det:HDF1:", "FileHDF1", self.camera, PORT, time, self._writer)
        self.camera.plugins = (self.image, self.hdf5)

    def pvs(self) -> dict[str, Pv]:
        """All records by their full names."""
        return {**self.camera.pvs(), **self.image.pvs(), **self.hdf5.pvs()}

    async def run(self) -> None:
        """Acquire, deliver and write, for ever; an open file is closed at the end."""
        try:
            async with asyncio.TaskGroup() as group:
                for part in (self.camera, self.image, self.hdf5):
                    group.create_task(part.run())
                group.create_task(self._rates())
        finally:
            self.hdf5.close()
            self._renderer.shutdown(wait=False, cancel_futures=True)
            self._writer.shutdown(wait=True, cancel_futures=True)

    async def _rates(self) -> None:
        parts = (self.camera, self.image, self.hdf5)
        before = [part.arrays for part in parts]
        while True:
            await self._time.wait_wall(_RATES_EVERY_WALL_S)
            now = [part.arrays for part in parts]
            for part, rise in zip(parts, (b - a for a, b in zip(before, now, strict=True)), strict=True):
                await part.show_rate(rise / _RATES_EVERY_WALL_S)
            before = now
