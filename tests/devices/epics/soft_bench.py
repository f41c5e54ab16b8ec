"""Parts of the backend against a site on EPICS base (`soft_site.py`): a map of its records, and another client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import epics

from tests.devices.benches import epics_map
from tests.ioc_process import IocProcess, running_soft_ioc
from xrm_control.core.clock import Clock, run, utc_now
from xrm_control.devices.epics.pv_map import PvMap
from xrm_control.devices.epics.registry import Registry


@contextmanager
def running_site() -> Iterator[IocProcess]:
    """The IOC of `soft_site.py`."""
    with running_soft_ioc(Path(__file__).with_name("soft_site.py")) as process:
        yield process


def site_map(soft: IocProcess, **parts: Any) -> PvMap:
    """The shipped map with parts replaced; $(P) is the prefix of the site."""
    return epics_map(soft.prefix, **{name: json.dumps(part) for name, part in parts.items()})


class Other:
    """Another client of the same IOC; plain pyepics, in threads of its own."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def put(self, name: str, value: Any) -> None:
        epics.ca.use_initial_context()
        assert epics.caput(self._prefix + name, value, wait=True, timeout=120) == 1, f"{name} was not written"

    def go(self, name: str, value: Any) -> None:
        """Write, and wait for nothing."""
        epics.ca.use_initial_context()
        epics.caput(self._prefix + name, value, wait=False, timeout=120)

    def get(self, name: str) -> Any:
        epics.ca.use_initial_context()
        value = epics.caget(self._prefix + name, as_string=True, use_monitor=False, timeout=120, connection_timeout=120)
        assert value is not None, f"{name} was not read"
        return value

    def trace(self) -> list[str]:
        """What was commanded, in order."""
        return str(self.get("Trace")).split()

    async def soon(self, name: str, value: Any) -> None:
        """`put` while the loop goes on."""
        await asyncio.get_running_loop().run_in_executor(None, self.put, name, value)


def with_registry(
    pv_map: PvMap, names: list[str], session: Callable[[Registry, Clock], Coroutine[Any, Any, Any]], speed: float = 1.0
) -> Any:
    """`session(registry, clock)`; everything can also be reached on the urgent circuit."""

    async def main() -> Any:
        clock = Clock(utc_now())
        registry = Registry(names, clock, pv_map.channel_access, names)
        try:
            await registry.connect()
            return await session(registry, clock)
        finally:
            registry.close()

    return run(main(), speed)
