"""A stand-in for a vendor's SDK: calls that return at once, error codes, nanometres and millidegrees.

Behind it is the simulated microscope, `speed` times faster than the wall clock.
"""

from __future__ import annotations

import threading
import time

import numpy as np
from numpy.typing import NDArray

from simulators.faults import Fault
from simulators.microscope import Microscope, MicroscopeConfig
from simulators.specimen import SpecimenConfig

SCALE = {"X": ("x", 1000.0), "Y": ("y", 1000.0), "Z": ("z", 1000.0), "ROT": ("theta", 1000.0)}
E_RANGE, E_NO_FRAME = -12, -31


class AcmeError(Exception):
    """What every call raises; `code` is from the vendor's manual."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"ACME error {code}: {text}")
        self.code = code


class AcmeMicroscope:
    """A connection to a microscope; safe to use from several threads."""

    def __init__(self, address: str, seed: int = 1, speed: float = 1.0, faults: tuple[Fault, ...] = ()) -> None:
        if not address.startswith("acme://"):
            raise AcmeError(-1, f"no microscope at {address}")
        config = MicroscopeConfig(seed=seed, specimen=SpecimenConfig(preset="nmc811"), faults=faults)
        self._physics, self._speed, self._began = Microscope(config), speed, time.monotonic()
        self._lock, self._ready_s = threading.RLock(), 0.0

    def _now_s(self) -> float:
        return (time.monotonic() - self._began) * self._speed

    def MoveTo(self, axis: str, position: int) -> None:
        """Begin a move, in nm or mdeg."""
        name, scale = SCALE[axis]
        with self._lock:
            report = self._physics.move(name, position / scale, self._now_s())
        if not report.accepted:
            raise AcmeError(E_RANGE, f"{axis}: {report.reason}")

    def Position(self, axis: str) -> tuple[int, bool]:
        """Position in nm or mdeg, and whether the axis is busy."""
        name, scale = SCALE[axis]
        with self._lock:
            state = self._physics.axis(name, self._now_s())
        return round(state.position * scale), state.moving

    def Stop(self, axis: str) -> None:
        """Brake."""
        with self._lock:
            self._physics.stop(SCALE[axis][0], self._now_s())

    def SetShutter(self, position: int) -> None:
        """1 opens, 0 closes."""
        with self._lock:
            self._physics.set_shutter(bool(position), self._now_s())

    def ShutterPosition(self) -> int:
        """1 open, 0 closed, -1 on its way."""
        with self._lock:
            state = self._physics.shutter(self._now_s())
        return -1 if state.moving else int(state.open)

    def SetCamera(self, binning: int, milliseconds: int) -> None:
        """Binning and exposure time."""
        with self._lock:
            self._physics.configure_camera(binning, milliseconds / 1000, self._now_s())

    def Trigger(self) -> int:
        """Begin an exposure; its number."""
        with self._lock:
            exposure = self._physics.expose(self._now_s())
            self._ready_s = exposure.ready_s
        return exposure.number

    def FrameReady(self) -> bool:
        """Whether the last exposure can be fetched."""
        return self._now_s() >= self._ready_s

    def Fetch(self, number: int) -> tuple[NDArray[np.uint16], int]:
        """The image (rows, columns) and the camera's counter."""
        with self._lock:
            frame = self._physics.read(number, self._now_s())
        if frame is None:
            raise AcmeError(E_NO_FRAME, f"frame {number} was dropped")
        return frame.image, frame.unique_id

    def AbortExposure(self) -> None:
        """End the exposure in hand."""
        with self._lock:
            self._physics.abort_exposure(self._now_s())

    def BeamOn(self) -> bool:
        """Whether the source delivers."""
        with self._lock:
            return self._physics.source(self._now_s()).available
