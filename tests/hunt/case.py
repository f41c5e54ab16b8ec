"""A night that is hunted: one seed decides the recipe and all that goes wrong, and a short list says what it decided.

Each kind has a generator of its own, by its name: whoever takes an entry out of the list changes none of the others.
Swarm: of the kinds, each night leaves a random half out, and draws how often the others happen.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import yaml

from simulators.faults import FRAME_KINDS, MOTION_KINDS, PERIOD_KINDS
from simulators.storms import drawn as fault_of
from tests.hunt.mishaps import MISHAPS, SECONDS_PER_FRAME, at, at_s

FOV_UM = 65.536
Trouble = dict[str, Any]
"""kind, and what that kind needs: of a fault its fields, of the others see `_OTHERS`."""

COMMANDS = ("pause", "continue", "skip", "add", "until", "stop", "abort")


@dataclass(frozen=True)
class Case:
    """One night. recipe: its parts that differ from the hunter's own; troubles: what goes wrong, in no order."""

    seed: int
    recipe: dict[str, Any]
    troubles: tuple[Trouble, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of trouble in it."""
        return tuple(sorted({name_of(trouble) for trouble in self.troubles}))

    def without(self, troubles: tuple[Trouble, ...]) -> Case:
        """The same night with these troubles alone."""
        return replace(self, troubles=troubles)

    def text(self) -> str:
        """The night as YAML, to be kept and played again."""
        content = {"seed": self.seed, "recipe": self.recipe, "troubles": list(self.troubles)}
        return yaml.safe_dump(content, sort_keys=False, width=120, default_flow_style=None)

    @classmethod
    def read(cls, text: str) -> Case:
        """The night of a text."""
        content = yaml.safe_load(text)
        return cls(content["seed"], content["recipe"], tuple(content["troubles"]))


def name_of(trouble: Trouble) -> str:
    """The kind of a trouble, for tables: commands and errors of the disk by their own names."""
    match trouble["kind"]:
        case "command":
            return str(trouble["command"]["kind"])
        case "disk":
            return f"disk {trouble['error']}"
        case kind:
            return str(kind)


def draw(seed: int, projections: int = 20) -> Case:
    """The night of a seed, of three regions of about so many projections."""
    chance = random.Random(f"{seed} recipe")
    columns, rows = chance.choice(((3, 1), (3, 2), (4, 1)))
    views = chance.randint(max(7, projections * 3 // 4), projections * 5 // 4)
    schemes = ("both", "before", "after", "every")
    references: dict[str, Any] = {"kind": chance.choice(schemes), "count": chance.randint(1, 2)}
    if references["kind"] == "every":
        references["interval"] = max(4, views // 3)
    middle = (columns - 1) / 2
    places = [{"x_um": (column - middle) * FOV_UM, "y_um": 0.0} for column in range(3)]
    recipe = {
        "instrument": {"seed": seed % 1000},
        "mosaic": {"columns": columns, "rows": rows, "flats": chance.randint(1, 3), "darks": chance.randint(1, 3)},
        "roi": {"kind": "manual", "positions": places},
        "scan": {
            "projections": views,
            "references": references,
            "darks": chance.randint(1, 3),
            "order": {"kind": chance.choice(("sequential", "interlaced"))},
            "missing_allowed_percent": 50,
        },
    }
    frames = columns * rows + 6 + 3 * (views + 8)
    swarm = random.Random(f"{seed} swarm")
    troubles: list[Trouble] = []
    for kind in KINDS:
        on, most = swarm.random() < 0.5, swarm.choice((1, 1, 2, 3))
        own = random.Random(f"{seed} {kind}")
        if on:
            troubles += [drawn(own, kind, frames) for _ in range(own.randint(1, most))]
    return Case(seed, recipe, tuple(troubles))


def drawn(chance: random.Random, kind: str, frames: int) -> Trouble:
    """One trouble of a kind, somewhere in a night of so many frames."""
    if kind in _OTHERS:
        return _OTHERS[kind](chance, frames)
    # A value that no recipe here watches: it must change nothing.
    return fault_of(chance, kind, frames * SECONDS_PER_FRAME)


def _disk(error: str) -> Callable[[random.Random, int], Trouble]:
    def make(chance: random.Random, frames: int) -> Trouble:
        step, times = at(chance, frames), chance.choice((1, 1, 2, 40, 100_000))
        return {"kind": "disk", "error": error, "at": step, "times": times}

    return make


def _death(kind: str) -> Callable[[random.Random, int], Trouble]:
    return lambda chance, frames: {"kind": kind, "at": at(chance, frames)}


def _command(kind: str) -> Callable[[random.Random, int], Trouble]:
    def make(chance: random.Random, frames: int) -> Trouble:
        command: dict[str, Any] = {"kind": kind}
        if kind == "skip":
            command["roi"] = f"roi-0{chance.randint(1, 4)}"
        elif kind == "add":
            command |= {"x_um": round(chance.uniform(-80, 80), 1), "y_um": round(chance.uniform(-60, 60), 1)}
        elif kind == "until":
            command["stage"] = chance.choice(("mosaic", "rois", "roi-01", "roi-02", "roi-03"))
        elif kind == "stop":
            command["after"] = chance.choice(("frame", "scan", "region"))
        return {"kind": "command", "at_s": at_s(chance, frames), "command": command}

    return make


def _clock(chance: random.Random, _: int) -> Trouble:
    return {"kind": "clock_jump", "sitting": chance.randint(1, 3), "hours": chance.choice((-30, -1, 1, 30))}


def _freeze(chance: random.Random, frames: int) -> Trouble:
    return {"kind": "freeze", "at_s": at_s(chance, frames), "for_s": chance.choice((2.0, 30.0, 120.0))}


_OTHERS: dict[str, Callable[[random.Random, int], Trouble]] = {
    **{kind: _command(kind) for kind in COMMANDS},
    **{f"disk {error}": _disk(error) for error in ("EIO", "ENOSPC", "EROFS")},
    "kill": _death("kill"),
    "power_cut": _death("power_cut"),
    "clock_jump": _clock,
    "freeze": _freeze,
    "flush": _death("flush"),
    "early_kill": lambda chance, _: {"kind": "early_kill", "at": chance.randint(1, 25)},
    "skip_held": lambda chance, frames: {"kind": "skip_held", "at_s": at_s(chance, frames)},
    **MISHAPS,
}
INSTRUMENT_KINDS = (*MOTION_KINDS, *PERIOD_KINDS, *FRAME_KINDS)
KINDS = (*INSTRUMENT_KINDS, *_OTHERS)
