"""Races for one instrument: who starts when, who is killed or stopped, decided by a seed; and the judge of the end."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.storms.starters import History, Order, Zygote, now_s, overlaps, owner_of, read_log

KINDS = ("plain", "threads", "kill holder", "stop holder", "stop claimant", "kill anyone")
# The IOC's dead-man falls after 3 s without a stroke.
DEAD_MAN_S = 3.0
ENDS_WITHIN_S = 300.0
_LOOKED_EVERY_S = 0.005


@dataclass
class Verdict:
    """What was seen of one race; `wrong` is what must not be."""

    kind: str
    histories: list[History]
    wrong: list[str] = field(default_factory=list)

    @property
    def owners(self) -> int:
        """Sessions that held the instrument at some time."""
        return sum(bool(one.holdings()) for one in self.histories)

    def told(self) -> str:
        """Everything, for a failing test."""
        lines = sorted(
            (line["t"], one.name, line["what"], line["text"]) for one in self.histories for line in one.lines
        )
        lines += [(t, one.name, "stopped", "") for one in self.histories for t, _ in one.stops]
        lines += [(t, one.name, "continued", "") for one in self.histories for _, t in one.stops]
        lines += [(one.killed_s, one.name, "killed", "") for one in self.histories if one.killed_s is not None]
        shown = [line for line in sorted(lines) if line[2] not in ("command", "done")]
        begun = shown[0][0] if shown else 0.0
        return "\n".join(f"{t - begun:8.3f} {name:3} {what} {text[:140]}" for t, name, what, text in shown)


class Race:
    """One race. `machines` are environments: each is how one machine reaches the IOC."""

    def __init__(
        self, zygote: Zygote, pv_map: Mapping[str, Any], machines: list[dict[str, str]], folder: Path, speed: float,
        *, claim_only: bool = False,
    ) -> None:  # fmt: skip
        self._zygote, self._map, self._machines, self._speed = zygote, dict(pv_map), machines, speed
        self._log = folder / "log.jsonl"
        self._claim_only = claim_only
        self._pids: dict[int, int] = {}
        self._killed: dict[int, float] = {}
        self._stops: dict[int, list[tuple[float, float]]] = {}
        self._next = 0

    def run(self, kind: str, seed: int) -> Verdict:
        """The race to its end. Its schedule, but for the machine's own pace, is the seed's."""
        chance = random.Random(seed)
        count = chance.randint(2, 8)
        if kind == "threads":
            self._start(chance, 1, sessions=chance.randint(2, 4))
            self._start(chance, max(0, count - 4))
        else:
            self._start(chance, count)
        if kind in ("kill holder", "stop holder"):
            holders = self._await(self._holders, ENDS_WITHIN_S)
            self._pause(chance.uniform(0.0, 0.8))
            victim = next((name for name in holders if not self._histories()[name].ended), None)
        elif kind in ("stop claimant", "kill anyone"):
            self._pause(chance.uniform(0.0, 3.5))
            living = [name for name in self._pids if name not in (n for n, h in self._histories().items() if h.ended)]
            victim = chance.choice(living) if living else None
        else:
            victim = None
        if victim is not None and kind.startswith("kill"):
            self._signal(victim, signal.SIGKILL)
            self._killed[victim] = now_s()
            self._start(chance, chance.randint(1, 3))
        elif victim is not None:
            stopped_s = now_s()
            self._signal(victim, signal.SIGSTOP)
            self._start(chance, chance.randint(1, 3))
            self._pause(chance.uniform(0.2, 2.0 * DEAD_MAN_S))
            continued_s = now_s()
            self._signal(victim, signal.SIGCONT)
            self._stops.setdefault(victim, []).append((stopped_s, continued_s))
        hung = not self._await(self._all_ended, ENDS_WITHIN_S)
        if kind.startswith("kill") and victim is not None:
            # Nobody has to clear anything by hand: whoever comes after the dead-man gets the instrument.
            self._pause(DEAD_MAN_S)
            self._start(chance, 1)
            hung = not self._await(self._all_ended, ENDS_WITHIN_S) or hung
        return self._judge(kind, victim, hung)

    def _judge(self, kind: str, victim: int | None, hung: bool) -> Verdict:
        verdict = Verdict(kind, list(self._histories().values()))
        verdict.wrong += overlaps(verdict.histories)
        if hung:
            living = [name for name, one in self._histories().items() if not one.ended]
            verdict.wrong.append(f"sessions {living} did not end within {ENDS_WITHIN_S:g} s")
            for name in living:
                with suppress(ProcessLookupError):
                    self._signal(name, signal.SIGKILL)
        if verdict.owners == 0 and (victim is None or kind.startswith("kill")):
            verdict.wrong.append("nobody got the instrument")
        for one in verdict.histories:
            verdict.wrong += [f"{one.name}: {line['text']}" for line in one.said("failed") if _is_fault(line["text"])]
        return verdict

    def _start(self, chance: random.Random, count: int, sessions: int = 1) -> None:
        base_s = now_s() + 0.15
        for _ in range(count):
            names = tuple(range(self._next, self._next + sessions))
            self._next += sessions
            environment = chance.choice(self._machines)
            order = Order(
                self._map, environment, str(self._log), base_s + chance.uniform(0.0, 0.2), names, self._speed,
                chance.uniform(0.3, 1.5), self._claim_only,
            )  # fmt: skip
            pid = self._zygote.start(order)
            self._pids.update(dict.fromkeys(names, pid))

    def _signal(self, name: int, number: int) -> None:
        os.kill(self._pids[name], number)

    def _histories(self) -> dict[int, History]:
        found = read_log(self._log)
        for name in self._pids:
            one = found.setdefault(name, History(name))
            # What happens to a process happens to all its sessions.
            mates = [mate for mate, pid in self._pids.items() if pid == self._pids[name]]
            one.killed_s = next((self._killed[mate] for mate in mates if mate in self._killed), None)
            one.stops = [stop for mate in mates for stop in self._stops.get(mate, ())]
        return found

    def _holders(self) -> list[int]:
        acting = ("claimed", "command", "done")
        return [name for name, one in self._histories().items() if one.lines and one.lines[-1]["what"] in acting]

    def _all_ended(self) -> bool:
        return all(one.ended for one in self._histories().values())

    def _await(self, look: Callable[[], Any], within_s: float) -> Any:
        """What `look` finds, once it does or all have ended; nothing when it takes too long."""
        until_s = now_s() + within_s
        while now_s() < until_s:
            ended = self._all_ended()
            found = look()
            if found or ended:
                return found
            self._pause(_LOOKED_EVERY_S)
        return look()

    @staticmethod
    def _pause(seconds: float) -> None:
        threading.Event().wait(seconds)


def _is_fault(text: str) -> bool:
    """An instrument that does not answer in time is no fault of the claim: it is busy, or who asked was stopped."""
    of_instrument = ("InstrumentUnreachable", "TimedOut", "MotionInterrupted", "MotionStalled", "DeviceError")
    return not text.startswith(of_instrument)


def commanded_out_of_turn(targets: list[float], claims: Mapping[int, int]) -> list[str]:
    """The server's own witness: the targets that it was sent, in order; no session's may come back after another's.

    claims: how often each session claimed the instrument; it may come back so many times.
    """
    turns: list[int] = []
    for value in targets:
        name = owner_of(value)
        if name is not None and (not turns or turns[-1] != name):
            turns.append(name)
    return [
        f"the server was commanded by {turns} in turn: {name} {turns.count(name)} times, claimed {claims.get(name, 0)}"
        for name in dict.fromkeys(turns)
        if turns.count(name) > max(claims.get(name, 0), 1)
    ]
