"""Axes that are no motor records: an output that a client writes and a read-back, and an encoder that stands alone."""

from __future__ import annotations

import math

from simulators.errors import Disconnected
from simulators.ioc.motor_drive import Drive
from simulators.ioc.pacing import IocTime
from simulators.ioc.pv import Pv, Refused, double

_POSTED_EVERY_S = 0.1


class Encoder:
    """Where an axis stands, by a PV that knows nothing of a motor record's offset and direction."""

    def __init__(self, name: str, drive: Drive, time: IocTime) -> None:
        self._drive, self._time, self._silent = drive, time, False
        digits = max(0, math.ceil(-math.log10(drive.config.resolution)))
        self._position = double(units=drive.config.units, precision=digits, read_only=True, record="ai")
        self._position.on_get = self._refresh
        self._pvs: dict[str, Pv] = {name: self._position}

    def pvs(self) -> dict[str, Pv]:
        """Full name of each PV, and the PV."""
        return self._pvs

    async def run(self) -> None:
        """Post where it is, for ever."""
        while True:
            await self._refresh()
            await self._time.wait_wall(_POSTED_EVERY_S)

    async def _refresh(self) -> None:
        """The last position, INVALID, while the controller is silent."""
        was_silent = self._silent
        try:
            position, self._silent = self._drive.state(self._time.now_s()).position, False
        except Disconnected:
            position, self._silent = self._position.now, True
        if position != self._position.now or self._silent != was_silent:
            await self._position.post(position, invalid=self._silent)


class PlainAxis(Encoder):
    """`NAME` is a plain output, whose put is complete at once: only `NAME_RBV` tells when the axis has arrived.

    Beyond its limits (DRVL, DRVH) an output is clipped, as an ao record does it.
    """

    def __init__(self, name: str, drive: Drive, time: IocTime) -> None:
        super().__init__(f"{name}_RBV", drive, time)
        config = drive.config
        self._limits = config.low_limit, config.high_limit
        output = double(units=config.units, precision=3, limits=self._limits, on_put=self._put)
        self._pvs[name] = output

    async def _put(self, target: float) -> float:
        low, high = self._limits
        if math.isnan(target):
            raise Refused("not a number")
        target, config = min(max(target, low), high), self._drive.config
        try:
            self._drive.move(target, self._time.now_s(), config.speed, config.acceleration, True)
        except Disconnected as error:
            raise Refused(str(error)) from error
        return target
