"""What was asked for ahead is taken once, while it is fresh, and by who asks for just these PVs."""

from __future__ import annotations

from typing import Any, cast

import pytest

from xrm_control.core.clock import VIRTUAL, Clock, run, utc_now
from xrm_control.devices.epics.ahead import AskedAhead

FRESH_S = 0.05
ANSWER: Any = object()


@pytest.mark.parametrize(
    ("after_s", "names", "taken"),
    [(0.0, ("a", "b"), True), (0.04, ("a", "b"), True), (0.06, ("a", "b"), False), (0.0, ("a",), False)],
)
def test_an_answer_is_taken_while_it_is_fresh(after_s: float, names: tuple[str, ...], taken: bool) -> None:
    async def main() -> list[object]:
        clock = Clock(utc_now())
        await clock.sleep(100.0)
        ahead = AskedAhead(clock)
        ahead.begin({("a", "b"): cast("Any", ANSWER)})
        await clock.sleep(after_s)
        return [ahead.take(names, FRESH_S), ahead.take(names, FRESH_S)]

    assert run(main(), VIRTUAL) == [ANSWER if taken else None, None]
