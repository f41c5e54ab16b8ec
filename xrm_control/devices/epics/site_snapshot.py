"""Every PV of a site as it stands now, read once: what an examination goes by.

Besides the PVs of the map there are `extras`: fields that a run does not need and a site may not have (DISP, BDST,
NDArrayPort ...). What cannot be read is no number, no text and no error; whoever asks gets None.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Iterable
from typing import Any

from xrm_control.core.clock import Clock, utc_now
from xrm_control.core.errors import XrmError
from xrm_control.devices.epics import libca
from xrm_control.devices.epics.libca import CaReply
from xrm_control.devices.epics.pv_map import ChannelAccess
from xrm_control.devices.epics.registry import Registry

# Fields that a site does not have are waited for so long.
_EXTRAS_S = 2.0
# Some hundred PVs are asked for at once, of a server that may share a busy machine with us.
_ALL_AT_ONCE_S = 15.0


class Snapshot:
    """Made by `take`."""

    def __init__(self, names: Iterable[str], settings: ChannelAccess) -> None:
        self._names = list(dict.fromkeys(names))
        self._settings = settings
        self._registries: dict[str, Registry] = {}
        self._answers: dict[str, CaReply | XrmError] = {}
        self._opened: list[Registry] = []

    async def take(self, extras: Iterable[str]) -> None:
        """Reach what there is, and read it."""
        own = set(self._names)
        quick = self._settings.model_copy(update={"connect_s": min(_EXTRAS_S, self._settings.connect_s)})
        await asyncio.gather(
            self._reach(self._names, self._settings),
            self._reach([name for name in dict.fromkeys(extras) if name not in own], quick),
        )
        await asyncio.gather(*(self._read(name) for name in self._registries))

    def close(self) -> None:
        """Give all channels back."""
        for registry in self._opened:
            registry.close()

    @property
    def missing(self) -> set[str]:
        """PVs of the map that do not answer."""
        return {name for name in self._names if name not in self._registries}

    @property
    def invalid(self) -> list[str]:
        """PVs of the map whose value the IOC calls INVALID."""
        found = ((name, self._answers.get(name)) for name in self._names)
        return [name for name, one in found if isinstance(one, CaReply) and one.severity >= libca.INVALID]

    @property
    def unreadable(self) -> dict[str, str]:
        """PVs of the map that are there and cannot be read, and why."""
        found = ((name, self._answers.get(name)) for name in self._names)
        return {name: one.what for name, one in found if isinstance(one, XrmError)}

    def has(self, name: str) -> bool:
        """Whether it is there."""
        return name in self._registries

    def registry(self, name: str) -> Registry:
        """Where it is reached; only for what `has` says yes to."""
        return self._registries[name]

    def value(self, name: str) -> Any:
        """What it holds, an enum as its text; None when it cannot be read."""
        found = self._answers.get(name)
        return found.value if isinstance(found, CaReply) else None

    def believed(self, name: str) -> Any:
        """`value`, but None for what the IOC calls INVALID."""
        found = self._answers.get(name)
        return found.value if isinstance(found, CaReply) and found.severity < libca.INVALID else None

    def number(self, name: str, *, believed: bool = False) -> float | None:
        """A finite number, the place of an enum's text; None for everything else, `believed`: also for INVALID."""
        value, choices = self.believed(name) if believed else self.value(name), self.choices(name)
        if isinstance(value, str) and value in choices:
            return float(choices.index(value))
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None

    def choices(self, name: str) -> tuple[str, ...]:
        """Texts of an enum, in order."""
        return self._registries[name].choices(name) if name in self._registries else ()

    def kind(self, name: str) -> str:
        """number, choice, text or bytes; empty when it is not there."""
        return self._registries[name].kind(name) if name in self._registries else ""

    def may_write(self, name: str) -> bool:
        """Whether the server lets us write it."""
        return name in self._registries and self._registries[name].may_write(name)

    async def _reach(self, names: list[str], settings: ChannelAccess) -> None:
        """Connect; when some are not there, once more with the others alone, whose choices are then known."""
        if not names:
            return
        registry = self._open(names, settings)
        with contextlib.suppress(XrmError):
            await registry.connect()
        missing = set(registry.missing)
        if missing and len(missing) < len(names):
            names = [name for name in names if name not in missing]
            registry = self._open(names, settings)
            with contextlib.suppress(XrmError):
                await registry.connect()
            missing = set(registry.missing)
        self._registries |= {name: registry for name in names if name not in missing}

    def _open(self, names: list[str], settings: ChannelAccess) -> Registry:
        patient = settings.model_copy(update={"get_s": max(_ALL_AT_ONCE_S, settings.get_s)})
        registry = Registry(names, Clock(utc_now()), patient)
        self._opened.append(registry)
        return registry

    async def _read(self, name: str) -> None:
        try:
            (self._answers[name],) = await self._registries[name].readings(name, may_be_invalid=True)
        except XrmError as error:
            self._answers[name] = error
