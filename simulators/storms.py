"""Storms: what goes wrong in a night, drawn from a seed, as faults by script.

Each kind of fault has a generator of its own, by its name: whoever takes one out of a storm changes none of the others.
Swarm: of the kinds, each storm of `swarm` leaves a random half out, and draws how often the others happen.
"""

from __future__ import annotations

import random
from typing import Any

from simulators.faults import FRAME_KINDS, MOTION_KINDS, PERIOD_KINDS, Fault

AXES = ("x", "y", "theta")
STORMS: dict[str, tuple[str, ...]] = {
    "beam": ("beam_loss", "flux"),
    "stage": ("stall", "nudge_frame", "shove_frame"),
    "camera": ("dropped_frame", "dark_frame", "nan_frame", "repeated_frame", "recount_frame"),
    "network": ("disconnect", "no_value"),
    "swarm": (*MOTION_KINDS, *PERIOD_KINDS, *FRAME_KINDS),
}
"""Name of a storm -> the kinds of faults in it."""

_SWARM = "swarm"
_EVERY_S = 7200.0  # of a kind there is about one in so long a time


def storm(name: str, seed: int, lasts_s: float) -> tuple[Fault, ...]:
    """The faults of a storm somewhere in a night of so many seconds, in the order of time. KeyError: no such storm."""
    kinds = STORMS[name]
    swarm = random.Random(f"{seed} {name}")
    found: list[dict[str, Any]] = []
    for kind in kinds:
        on = name != _SWARM or swarm.random() < 0.5
        often = max(1, round(lasts_s / _EVERY_S))
        own = random.Random(f"{seed} {kind}")
        if on:
            found += [drawn(own, kind, lasts_s) for _ in range(own.randint(1, often))]
    return tuple(sorted((Fault(**one) for one in found), key=lambda fault: fault.at_s or 0.0))


def drawn(chance: random.Random, kind: str, lasts_s: float) -> dict[str, Any]:
    """One fault of a kind, somewhere in a night of so many seconds: the fields of a `Fault`."""
    fault: dict[str, Any] = {"kind": kind, "at_s": round(chance.uniform(0.1, lasts_s), 2)}
    if kind in PERIOD_KINDS:
        fault["duration_s"] = round(chance.choice((0.5, 3.0, 20.0, 120.0)) * chance.uniform(0.5, 1.5), 2)
    else:
        fault["times"] = chance.choice((1, 1, 1, 2, 3, 9))
    if kind in (*MOTION_KINDS, "offset", "nudge_frame", "shove_frame"):
        fault["axis"] = chance.choice(AXES)
    if kind in ("offset", "nudge_frame", "shove_frame"):
        fault["amount"] = chance.choice((-1, 1)) * chance.choice((0.02, 0.3, 2.0, 30.0))
    if kind in ("value", "no_value"):
        fault["value"] = "temperature"
    if kind == "value":
        fault["amount"] = chance.choice((-1, 1)) * chance.choice((0.5, 5.0))
    if kind in ("flux", "exposure_frame"):
        fault["factor"] = chance.choice((0.2, 0.45, 0.9, 1.5))
    if kind in ("flux", "offset"):
        fault["hidden"] = chance.random() < 0.3
    return fault
