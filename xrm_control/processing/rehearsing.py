"""How long a rehearsed night may last: quantiles of nights that were played, or of one whose steps are drawn anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.contracts.rehearsal import Quantiles
from xrm_control.processing.account import standing, within
from xrm_control.storage.journal_reader import JournalQueries

_FEWEST, _DRAWS, _SEED = 3, 400, 1
_SHARES = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Samples:
    """Instrument times of a whole night in s, and in words where they are from."""

    seconds: NDArray[np.float64]
    of: str


def samples_of(played_s: Sequence[float], steps_s: Mapping[str, Sequence[float]]) -> Samples:
    """Of the nights that were played, where there are enough; else of the first, whose every step (from one exposure to
    the next, by kind of frame) takes as long as any of its kind. steps_s: those of the first night, see `steps_of`.
    """
    if len(played_s) >= _FEWEST:
        return Samples(np.array(played_s, np.float64), f"{len(played_s)} nights played")
    random = np.random.default_rng(_SEED)
    known = {kind: np.array(steps, np.float64) for kind, steps in steps_s.items()}
    sums = np.full(_DRAWS, played_s[0] - sum(float(steps.sum()) for steps in known.values()))
    for steps in known.values():
        for number in range(_DRAWS):
            sums[number] += random.choice(steps, len(steps)).sum()
    count = sum(map(len, known.values()))
    return Samples(sums, f"one night played, its {count} steps drawn anew {_DRAWS} times, time held as it was")


def steps_of(journal: JournalQueries) -> dict[str, list[float]]:
    """By kind of frame, how long each step took in s, without what it stood still: a hold is no spread of steps."""
    waits = standing(journal)
    found: dict[str, list[float]] = {}
    for step in journal.steps():
        seconds = step.end_s - step.begin_s - within(waits, step.begin_s, step.end_s)
        found.setdefault(step.kind, []).append(seconds)
    return found


def together(samples: Sequence[Samples]) -> Samples:
    """Nights one after the other."""
    length = min(len(one.seconds) for one in samples)
    words = dict.fromkeys(one.of for one in samples)
    total = np.sum([one.seconds[:length] for one in samples], axis=0)
    return Samples(total, samples[0].of if len(words) == 1 else f"{len(samples)} items, each by itself")


def quantiles(samples: Samples) -> Quantiles:
    """What is not exceeded with 10, 50 and 90 %."""
    low, middle, high = (float(value) for value in np.quantile(samples.seconds, _SHARES))
    return Quantiles(p10_s=low, p50_s=middle, p90_s=high, of=samples.of)
