"""Virtual time jumps when nothing is ready, stands still while real work is in flight, and tells when it would hang."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from xrm_control.core.clock import VIRTUAL, Clock, NothingToWaitFor, new_loop, run, stopwatch, utc_now


def virtually(main: Coroutine[Any, Any, Any]) -> Any:
    return run(main, VIRTUAL)


def test_a_night_passes_at_once() -> None:
    async def night() -> float:
        clock = Clock(utc_now())
        await clock.sleep(12 * 3600)
        return clock.now_s()

    assert virtually(night()) == pytest.approx(12 * 3600)


def test_sleepers_wake_in_order_of_time() -> None:
    async def main() -> list[float]:
        clock, woken = Clock(utc_now()), []

        async def sleeper(seconds: float) -> None:
            await clock.sleep(seconds)
            woken.append(seconds)

        async with asyncio.TaskGroup() as group:
            for seconds in (5, 1, 3, 2, 4):
                group.create_task(sleeper(seconds))
        return woken

    assert virtually(main()) == [1, 2, 3, 4, 5]


def test_time_stands_still_while_real_work_is_in_flight() -> None:
    async def main() -> tuple[float, float, list[float]]:
        clock, ticks = Clock(utc_now()), []
        gate = threading.Event()

        async def ticker() -> None:
            for _ in range(3):
                await clock.sleep(1.0)
                ticks.append(clock.now_s())

        ticking = asyncio.create_task(ticker())
        await clock.sleep(0.5)
        before = clock.now_s()
        work = asyncio.get_running_loop().run_in_executor(None, gate.wait)
        threading.Timer(0.05, gate.set).start()
        await work
        after = clock.now_s()
        await ticking
        return before, after, ticks

    before, after, ticks = virtually(main())
    assert before == after
    assert ticks == pytest.approx([1.0, 2.0, 3.0])


def test_a_program_that_would_hang_is_told_so() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(NothingToWaitFor):
        virtually(main())


def test_sleep_until_never_wakes_too_early() -> None:
    async def main() -> bool:
        clock = Clock(utc_now())
        moments = [0.1 * k + 1e-7 * k for k in range(1, 200)]
        late = []
        for moment in moments:
            await clock.sleep_until(moment)
            late.append(clock.now_s() - moment)
        return min(late) >= 0 and max(late) < 1e-5

    assert virtually(main())


def test_an_error_in_real_work_comes_back_and_time_goes_on() -> None:
    async def main() -> float:
        clock = Clock(utc_now())

        def fail() -> None:
            raise ValueError("broken")

        with pytest.raises(ValueError, match="broken"):
            await asyncio.get_running_loop().run_in_executor(None, fail)
        await clock.sleep(7)
        return clock.now_s()

    assert virtually(main()) == pytest.approx(7)


def test_a_scaled_clock_runs_faster_than_the_wall() -> None:
    async def main() -> float:
        clock = Clock(utc_now())
        start = clock.now_s()
        await clock.sleep(20.0)
        return clock.now_s() - start

    passed = stopwatch()
    assert run(main(), 1000) >= 20.0
    # Twenty instrument seconds at speed 1000 take 20 ms; a clock that did not scale would need 20 s.
    assert passed() < 10.0


@pytest.mark.parametrize("speed", [0, -1.0, "fast"])
def test_speeds_that_cannot_be_are_refused(speed: Any) -> None:
    with pytest.raises(ValueError):
        new_loop(speed)


def test_the_clock_may_be_asked_from_another_thread() -> None:
    async def main() -> float:
        clock = Clock(utc_now())
        await clock.sleep(3)
        return await asyncio.get_running_loop().run_in_executor(None, clock.now_s)

    assert virtually(main()) == pytest.approx(3)


@pytest.mark.parametrize(
    ("pace", "speed", "passing_s"), [(VIRTUAL, math.inf, 2.0), (1, 1.0, 2.0), (0.5, 0.5, 1.0), (250.0, 250.0, 500.0)]
)
def test_what_passes_on_the_instrument_in_two_seconds_of_the_wall(pace: Any, speed: float, passing_s: float) -> None:
    async def main() -> tuple[float, float]:
        clock = Clock(utc_now())
        return clock.speed, clock.wall_s(2.0)

    assert run(main(), pace) == (speed, passing_s)


def test_a_time_out_of_the_wall_clock_leaves_room_for_what_is_quick_there() -> None:
    """Half an instrument minute at speed 1000 is 30 ms: well within ten seconds of the wall, beyond ten of its own."""

    async def main() -> str:
        clock = Clock(utc_now())

        async def answer() -> str:
            await clock.sleep(30.0)
            return "here"

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(answer(), 10.0)
        return await asyncio.wait_for(answer(), clock.wall_s(10.0))

    assert run(main(), 1000) == "here"


def test_a_plain_event_loop_keeps_the_wall_clock() -> None:
    async def main() -> float:
        return Clock(utc_now()).speed

    assert asyncio.run(main()) == 1.0
