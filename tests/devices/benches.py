"""The instruments that one suite holds to the same promises: in this process, and over Channel Access."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol

from simulators.faults import Fault
from simulators.microscope import Microscope, MicroscopeConfig
from simulators.specimen import SpecimenConfig
from tests.ioc_process import IocProcess, client_environment, running_ioc
from xrm_control.core.clock import VIRTUAL, Clock, run, utc_now
from xrm_control.core.errors import InstrumentUnreachable, XrmError
from xrm_control.devices.protocols import Instrument
from xrm_control.devices.simulated import SimulatedInstrument

MAP = Path(__file__).parents[2] / "recipes" / "instruments" / "simulated_ioc.yaml"
# Instrument seconds per wall second of the IOC.
SPEED = 20.0


class Hands(Protocol):
    """What happens to an instrument without its session: faults, and other people."""

    async def fault(self, kind: str, **words: Any) -> None:
        """Bring a fault about, now."""
        ...

    async def clear(self) -> None:
        """End all faults."""
        ...

    async def stop_axis(self, axis: str) -> None:
        """Somebody else presses STOP."""
        ...


Session = Callable[[Instrument, Clock, Hands], Coroutine[Any, Any, Any]]


class SimulatedBench:
    """`devices.simulated`: the microscope in this process."""

    name = "simulated"

    def run(self, session: Session) -> Any:
        async def main() -> Any:
            clock = Clock(utc_now())
            microscope = Microscope(MicroscopeConfig(specimen=SpecimenConfig("empty")))
            instrument = SimulatedInstrument(microscope, clock)
            await instrument.connect()
            return await session(instrument, clock, _InProcess(microscope, clock))

        return run(main(), VIRTUAL)


class _InProcess:
    def __init__(self, microscope: Microscope, clock: Clock) -> None:
        self._microscope, self._clock = microscope, clock

    async def fault(self, kind: str, **words: Any) -> None:
        self._microscope.add_fault(Fault(kind, at_s=self._clock.now_s(), **words))

    async def clear(self) -> None:
        self._microscope.clear_faults(self._clock.now_s())

    async def stop_axis(self, axis: str) -> None:
        self._microscope.stop(axis, self._clock.now_s())


class EpicsBench:
    """`devices.epics` against an IOC in another process; one IOC serves a whole module, brought to rest before each."""

    name = "epics"

    def __init__(self, ioc: IocProcess) -> None:
        self._ioc = ioc

    def run(self, session: Session, **changes: Any) -> Any:
        from xrm_control.devices.epics import EpicsBackend

        backend = EpicsBackend(map=epics_map(self._ioc.prefix, **changes))

        async def main() -> Any:
            clock = Clock(utc_now())
            hands = _OverTheNetwork(self._ioc.prefix)
            await hands.clear()
            instrument = backend.open(clock)
            try:
                await instrument.connect()
                await instrument.make_safe()
                await instrument.home()
                return await session(instrument, clock, hands)
            finally:
                await hands.clear()
                # Only what is safe frees the instrument at once.
                with contextlib.suppress(XrmError):
                    await instrument.make_safe()
                await instrument.disconnect()

        return run(main(), backend.speed())


async def connect_again(instrument: Instrument, clock: Clock) -> None:
    """As a run does: news that was still on its way may end the first try, and not the fifth."""
    for tries_left in (4, 3, 2, 1, 0):
        try:
            await instrument.connect()
        except InstrumentUnreachable:
            if not tries_left:
                raise
            await clock.sleep(clock.wall_s(0.2))
        else:
            return


class _OverTheNetwork:
    """Another client of the same IOC: plain pyepics."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    async def fault(self, kind: str, **words: Any) -> None:
        await self._put("Sim:Fault", json.dumps({"kind": kind, **words}))

    async def clear(self) -> None:
        await self._put("Sim:Clear", 1)

    async def stop_axis(self, axis: str) -> None:
        """Without completion: with it, STOP waits in the record's line until the motion has ended by itself."""
        record = {"x": "X", "y": "Y", "z": "Z", "theta": "Theta"}[axis]
        await self._put(f"Sample:{record}.STOP", 1, completion=False)

    async def _put(self, name: str, value: Any, *, completion: bool = True) -> None:
        def put() -> None:
            import epics

            epics.ca.use_initial_context()
            done = epics.caput(self._prefix + name, value, wait=completion, timeout=120)
            assert done == 1, f"{name} was not written"

        await asyncio.get_running_loop().run_in_executor(None, put)


def epics_map(prefix: str, **changes: Any) -> Any:
    """The shipped map with another prefix; changes are dotted keys with __ for the dots."""
    from xrm_control.devices.epics.pv_map import PvMap
    from xrm_control.recipe.loading import load_document

    client_environment()
    overrides = {"prefix": json.dumps(prefix), **{key.replace("__", "."): str(value) for key, value in changes.items()}}
    return load_document(MAP, PvMap, overrides)[0]


def ioc_for(kind: str) -> AbstractContextManager[IocProcess | None]:
    """What a bench needs running."""
    return running_ioc(speed=SPEED) if kind == "epics" else nullcontext()
