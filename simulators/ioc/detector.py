"""The area detector of the simulated beamline: camera `cam1:` and plugins for arrays, files, regions and statistics."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from simulators.ioc.detector_camera import TRIGGER_MODES, Camera
from simulators.ioc.detector_hdf5 import Hdf5Plugin
from simulators.ioc.detector_image import ImagePlugin
from simulators.ioc.detector_roi import RoiPlugin
from simulators.ioc.detector_stats import StatsPlugin
from simulators.ioc.detector_tiff import TiffPlugin
from simulators.ioc.pacing import IocTime
from simulators.ioc.pv import Pv
from simulators.microscope import Microscope

_RATES_EVERY_WALL_S = 1.0


class Detector:
    """Serves `{prefix}Det:` with `cam1:`, `image1:`, `HDF1:`, `TIFF1:`, `ROI1:` and `Stats1:`.

    array_kind: what image1:ArrayData holds, see `detector_image`. trigger_modes: see `Camera`. Frames are rendered and
    files are written in threads, so the loop stays free.
    """

    def __init__(
        self,
        prefix: str,
        microscope: Microscope,
        time: IocTime,
        array_kind: str = "int16",
        trigger_modes: tuple[str, ...] = TRIGGER_MODES,
    ) -> None:
        self._time = time
        self._renderer = ThreadPoolExecutor(1, "render")
        self._writer = ThreadPoolExecutor(1, "files")
        sensor, p = microscope.describe().camera, f"{prefix}Det:"
        camera = self.camera = Camera(f"{p}cam1:", microscope, time, self._renderer, trigger_modes)
        pixels = sensor.width_px * sensor.height_px
        image = ImagePlugin(f"{p}image1:", "Image1", camera, time, pixels, array_kind)
        self._files = (
            Hdf5Plugin(f"{p}HDF1:", "FileHDF1", camera, time, self._writer),
            TiffPlugin(f"{p}TIFF1:", "FileTIFF1", camera, time, self._writer),
        )
        views = RoiPlugin(f"{p}ROI1:", "ROI1", camera, time), StatsPlugin(f"{p}Stats1:", "Stats1", camera, time)
        self._plugins = (image, *self._files, *views)
        self.camera.plugins = self._plugins
        for plugin in self._plugins:
            plugin.outputs = tuple(other for other in self._plugins if other is not plugin)

    def pvs(self) -> dict[str, Pv]:
        """All records by their full names."""
        return {name: pv for part in (self.camera, *self._plugins) for name, pv in part.pvs().items()}

    async def run(self) -> None:
        """Acquire, deliver and write, for ever; open files are closed at the end."""
        try:
            async with asyncio.TaskGroup() as group:
                for part in (self.camera, *self._plugins):
                    group.create_task(part.run())
                group.create_task(self._rates())
        finally:
            for plugin in self._files:
                plugin.close()
            self._renderer.shutdown(wait=False, cancel_futures=True)
            self._writer.shutdown(wait=True, cancel_futures=True)

    async def _rates(self) -> None:
        parts = (self.camera, *self._plugins)
        before = [part.arrays for part in parts]
        while True:
            await self._time.wait_wall(_RATES_EVERY_WALL_S)
            now = [part.arrays for part in parts]
            for part, rise in zip(parts, (b - a for a, b in zip(before, now, strict=True)), strict=True):
                await part.show_rate(rise / _RATES_EVERY_WALL_S)
            before = now
