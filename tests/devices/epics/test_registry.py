"""What is asked for ahead of a read is read once, while it is fresh, and only if nothing was written in between."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from tests.devices.epics.soft_bench import Other, running_site, site_map, with_registry
from tests.ioc_process import IocProcess
from xrm_control.core.clock import Clock
from xrm_control.core.errors import InstrumentUnreachable
from xrm_control.devices.epics import registry as registry_module
from xrm_control.devices.epics.registry import Registry

BEFORE, AFTER = 1.0, 2.0


@pytest.fixture(scope="module")
def soft() -> Iterator[IocProcess]:
    with running_site() as process:
        yield process


@pytest.fixture
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_module, "_FRESH_S", 3600.0)


def read_after(
    soft: IocProcess, then: Callable[[Registry, str], Coroutine[Any, Any, Any]], *, urgent: bool = False
) -> tuple[float, float]:
    """Asked for ahead, changed by somebody else, then `then`: what the next two reads say."""
    pv, other = f"{soft.prefix}Ring", Other(soft.prefix)
    other.put("Ring", BEFORE)

    async def session(registry: Registry, _: Clock) -> tuple[float, float]:
        registry.look_ahead((pv,))
        # An answer that comes after it: the one that was asked for is there, or on its way in front of it.
        await registry.read(f"{soft.prefix}Gap")
        await other.soon("Ring", AFTER)
        await then(registry, pv)
        (first,), (second,) = await registry.read(pv, urgent=urgent), await registry.read(pv)
        return first, second

    return with_registry(site_map(soft), [pv, f"{soft.prefix}Gap"], session)


async def nothing(registry: Registry, pv: str) -> None:
    pass


async def write(registry: Registry, pv: str) -> None:
    await registry.write(pv, AFTER)


async def command(registry: Registry, pv: str) -> None:
    registry.command(pv, AFTER)
    await registry.read(pv, urgent=True)


async def forget(registry: Registry, pv: str) -> None:
    registry.forget_ahead()


async def lose(registry: Registry, pv: str) -> None:
    registry.suspend(InstrumentUnreachable("it hangs"))
    with pytest.raises(InstrumentUnreachable, match="it hangs"):
        await registry.read(pv)
    registry.suspend(None)


@pytest.mark.usefixtures("always_fresh")
def test_what_was_asked_for_ahead_is_read_once(soft: IocProcess) -> None:
    assert read_after(soft, nothing) == (BEFORE, AFTER)


@pytest.mark.usefixtures("always_fresh")
@pytest.mark.parametrize("then", [write, command, forget, lose])
def test_it_is_read_afresh_after(soft: IocProcess, then: Callable[[Registry, str], Coroutine[Any, Any, Any]]) -> None:
    assert read_after(soft, then) == (AFTER, AFTER)


@pytest.mark.usefixtures("always_fresh")
def test_what_stopping_reads_is_always_fresh(soft: IocProcess) -> None:
    assert read_after(soft, nothing, urgent=True)[0] == AFTER


def test_what_was_asked_for_long_ago_is_read_afresh(soft: IocProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_module, "_FRESH_S", 0.0)
    assert read_after(soft, nothing) == (AFTER, AFTER)


def test_nothing_is_told_or_asked_of_a_channel_that_was_given_back(soft: IocProcess) -> None:
    """What the server has posted may wait for the loop while the channels are closed: Channel Access would crash."""
    pv, other = f"{soft.prefix}Ring", Other(soft.prefix)
    other.put("Ring", BEFORE)

    async def session(registry: Registry, clock: Clock) -> list[float]:
        told: list[float] = []
        registry.watch(pv, lambda value: told.append(registry.spoken(pv, value)))
        while not told:
            await clock.sleep(0.01)
        other.put("Ring", AFTER)
        # The loop has not had its turn since.
        registry.close()
        await clock.sleep(0.2)
        for ask in (registry.elements, registry.kind, registry.may_write):
            with pytest.raises(InstrumentUnreachable, match="the connection is lost"):
                ask(pv)
        assert registry.port(pv) == ""
        return told

    assert with_registry(site_map(soft), [pv], session) == [BEFORE]
