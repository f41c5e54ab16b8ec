"""Time of the IOC: the wall clock, `speed` times faster. An IOC is a process of its own and owns its clock."""

from __future__ import annotations

import asyncio
import time

# Rounding must not wake a sleeper a hair before what it waits for has happened.
_JUST_AFTER_S = 1e-6


class IocTime:
    """Instrument time in s since the start. `speed` is instrument seconds per second of the wall clock."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._started_s = time.monotonic()

    def now_s(self) -> float:
        """Instrument time: what the microscope is asked with."""
        return (time.monotonic() - self._started_s) * self.speed

    def wall_s(self) -> float:
        """Seconds of the wall clock since the start, for what guards people and machines (watchdog, heartbeat)."""
        return time.monotonic() - self._started_s

    def unix_s(self) -> float:
        """Time of day, for time stamps."""
        return time.time()

    async def wait_until(self, moment_s: float) -> None:
        """Wait until the instrument time `moment_s` has passed."""
        while (left_s := moment_s - self.now_s()) >= 0:
            await asyncio.sleep(left_s / self.speed + _JUST_AFTER_S)

    async def wait(self, seconds: float) -> None:
        """Wait for `seconds` of instrument time."""
        await self.wait_until(self.now_s() + seconds)

    async def wait_wall(self, seconds: float) -> None:
        """Wait for `seconds` of the wall clock."""
        await asyncio.sleep(seconds)

    def block_wall(self, seconds: float) -> None:
        """Hold up everything in this process: what a hung IOC looks like from outside."""
        time.sleep(seconds)
