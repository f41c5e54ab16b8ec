"""How old a watched value is: since it was last posted, or since it has been watched where it never was."""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from tests.devices.epics.soft_bench import Other, running_site, site_map
from tests.ioc_process import IocProcess
from xrm_control.acquisition.conditions import Condition
from xrm_control.core.clock import Clock, run, utc_now
from xrm_control.devices.epics.watched import WatchedValues
from xrm_control.devices.protocols import Observation

SPEED = 1000.0  # instrument seconds to one of the wall clock
QUIET_S = 600.0
RING = "ring"
FRESH = Condition(value=RING, low=1, max_age_s=QUIET_S)


@pytest.fixture(scope="module")
def site() -> Iterator[IocProcess]:
    with running_site() as process:
        yield process


def watching(
    site: IocProcess, session: Callable[[WatchedValues, Clock], Coroutine[Any, Any, Any]], *, deaf: bool = False
) -> None:
    """`session(values, clock)` with the current of the ring, which only these tests post.

    deaf: no news of it arrive, as where a gateway lets none through.
    """

    async def main() -> None:
        clock = Clock(utc_now())
        values = WatchedValues(site_map(site, watched={RING: "$(P)Ring"}), clock)
        values.watch([RING])
        if deaf:
            values._values[RING]._heard = lambda _: None  # type: ignore[method-assign]
        await values.connect()
        try:
            await session(values, clock)
        finally:
            values.close()

    run(main(), SPEED)


async def seen_at(values: WatchedValues, clock: Clock) -> tuple[Observation, float, float]:
    """What is observed, and from when to when."""
    before_s = clock.now_s()
    seen = await values.observe(RING)
    return seen, before_s, clock.now_s()


def posted(values: WatchedValues) -> list[float]:
    """When it was, as far as that was heard."""
    return [one.t_s for one in values.observed(RING, -math.inf, math.inf)]


def test_what_nobody_posts_grows_as_old_as_time_passes(site: IocProcess) -> None:
    """Of a channel that is new the server tells its value once, and then no more."""

    async def session(values: WatchedValues, clock: Clock) -> None:
        first, _, _ = await seen_at(values, clock)
        await clock.sleep(2 * QUIET_S)
        later, before_s, after_s = await seen_at(values, clock)
        (heard_s,) = posted(values)
        assert 0 <= first.age_s <= first.t_s
        assert FRESH.wrong(first) == ""
        assert before_s - heard_s <= later.age_s <= after_s - heard_s
        assert before_s - heard_s >= 2 * QUIET_S
        assert FRESH.wrong(later) == f"102.0, {later.age_s:.0f} s old"

    watching(site, session)


def test_what_is_posted_again_is_new_though_the_same_channel_was_old(site: IocProcess) -> None:
    async def session(values: WatchedValues, clock: Clock) -> None:
        await values.observe(RING)
        await clock.sleep(2 * QUIET_S)
        put_s = clock.now_s()
        await Other(site.prefix).soon("Ring", 101.0)
        while len(posted(values)) < 2:
            await clock.sleep(1.0)
        seen, before_s, after_s = await seen_at(values, clock)
        _, heard_s = posted(values)
        assert heard_s >= put_s
        assert before_s - heard_s <= seen.age_s <= after_s - heard_s
        assert seen.value == 101.0
        await Other(site.prefix).soon("Ring", 102.0)

    watching(site, session)


def test_a_value_that_was_never_posted_is_as_old_as_its_watching(site: IocProcess) -> None:
    """What reads the same may be of any time."""

    async def session(values: WatchedValues, clock: Clock) -> None:
        await clock.sleep(2 * QUIET_S)
        seen, _, after_s = await seen_at(values, clock)
        assert posted(values) == []
        assert 2 * QUIET_S <= seen.age_s <= after_s
        assert FRESH.wrong(seen) == f"102.0, {seen.age_s:.0f} s old"

    watching(site, session, deaf=True)
