"""What ophyd's EpicsMotor makes of a motor record: `python ophyd_motor.py PREFIX:RECORD` prints it as JSON."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from typing import Any

import ophyd
from ophyd.utils import LimitError

_WITHIN_S = 300.0


def until(condition: Callable[[], bool], times: int = 1) -> None:
    """Wait for something that a monitor brings, and that is so `times` times in turn."""
    in_turn = 0
    for _ in range(int(_WITHIN_S / 0.02)):
        in_turn = in_turn + 1 if condition() else 0
        if in_turn == times:
            return
        threading.Event().wait(0.02)
    raise TimeoutError("it never came")


def position(motor: Any) -> float:
    """A fresh read-back."""
    return motor.user_readback.get(use_monitor=False)


def main(record: str) -> dict[str, Any]:
    """Move, limits, homing, renaming, a switch, a stop."""
    motor: Any = ophyd.EpicsMotor(record, name="motor")
    motor.wait_for_connection(timeout=_WITHIN_S)
    found: dict[str, Any] = {"moved": motor.move(50.0, wait=True, timeout=_WITHIN_S).success}
    found["position"], found["units"] = position(motor), motor.egu
    until(lambda: 49.0 < motor.position < 51.0)
    motor.set_lim(-100.0, 60.0)
    until(lambda: tuple(motor.limits) == (-100.0, 60.0))
    found["limits"] = list(motor.limits)
    try:
        motor.move(70.0)
        found["refused"] = False
    except LimitError:
        found["refused"] = True
    found["homed"] = motor.home("forward", wait=True, timeout=_WITHIN_S).success
    found["home"] = position(motor)
    pulses: list[int] = []
    motor.motor_done_move.subscribe(lambda value, **_: pulses.append(value), run=False)
    motor.set_current_position(10.0)
    found["renamed"] = position(motor)
    # DMOV has pulsed; ophyd must not take that for the end of the next move.
    until(lambda: pulses == [0, 1])
    motor.user_offset.put(0.0, wait=True)
    for limit in (motor.high_limit_travel, motor.low_limit_travel):
        limit.put(0.0, wait=True)
    # ophyd asks for the limits at each change of either, in threads that overtake each other.
    until(lambda: tuple(motor.limits) == (0.0, 0.0), times=50)
    status = motor.move(2500.0, wait=False, timeout=_WITHIN_S)
    until(lambda: status.done)
    found["into_switch"], found["at_switch"] = status.success, position(motor)
    status = motor.move(-1500.0, wait=False, timeout=_WITHIN_S)
    until(lambda: motor.motor_is_moving.get(use_monitor=False) == 1)
    motor.stop()
    until(lambda: motor.motor_done_move.get(use_monitor=False) == 1)
    found["stopped"] = -1400.0 < position(motor) < 2010.0
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
