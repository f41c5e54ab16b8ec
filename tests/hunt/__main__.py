"""`python -m tests.hunt`: nights in which everything goes wrong that can, one seed each. Hours.

A night that breaks a promise is shortened to the fewest troubles that still break one, printed, and kept in
tests/hunt/found, to be played again with --replay. Ends with an error when there was one.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import islice
from pathlib import Path

from tests.hunt.case import Case, Trouble, draw
from tests.hunt.coverage import Coverage, write_into
from tests.hunt.night import Played, play
from tests.hunt.shrink import shortest
from xrm_control.core.clock import stopwatch

FOUND = Path(__file__).with_name("found")
PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def main() -> int:
    """Play, shorten, keep, sum up."""
    parser = argparse.ArgumentParser(prog="python -m tests.hunt", description=__doc__)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--nights", type=int, default=1500)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no night after that")
    parser.add_argument("--projections", type=int, default=60, help="of each of the three regions, about")
    parser.add_argument("--jobs", type=int, default=1, help="nights at once")
    parser.add_argument("--replay", type=Path, help="one night, from its file")
    parser.add_argument("--page", action="store_true", help="write the table of kinds into docs/reliability.md")
    asked = parser.parse_args()
    # What a killed process still does is nobody's business.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    if asked.replay:
        return _tell(play(Case.read(asked.replay.read_text(encoding="utf-8"))))
    since = stopwatch()
    coverage, bad = Coverage(), 0
    numbers = range(asked.first, asked.first + asked.nights)
    for seed, played in _played(numbers, asked.projections, asked.jobs, lambda: since() > 60 * asked.minutes):
        coverage.add(played.met, played.frames, played.sittings)
        print(f"{seed}: {played.frames} frames, {played.sittings} sittings, {len(played.met)} kinds", flush=True)
        if played.findings:
            bad += 1
            _keep(played)
    table = coverage.table(f"{asked.first} to {asked.first + coverage.nights - 1}")
    print(f"\n{table}\n\n{bad} of {coverage.nights} nights broke a promise")
    if asked.page:
        write_into(PAGE, table)
    return int(bad > 0)


def _played(numbers: range, projections: int, jobs: int, over: object) -> Iterator[tuple[int, Played]]:
    """Nights as they come to their ends; none is begun when it is `over()`."""
    assert callable(over)
    if jobs == 1:
        for seed in numbers:
            if over():
                return
            yield seed, play(draw(seed, projections))
        return
    left = iter(numbers)
    with ProcessPoolExecutor(jobs) as pool:
        running = {pool.submit(_one, seed, projections): seed for seed in islice(left, jobs)}
        while running:
            done = next(as_completed(running))
            seed = running.pop(done)
            if not over() and (following := next(left, None)) is not None:
                running[pool.submit(_one, following, projections)] = following
            yield seed, done.result()


def _one(seed: int, projections: int) -> Played:
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    os.nice(10)
    return play(draw(seed, projections))


def shortened(played: Played) -> Case:
    """The same night with as few troubles as still break a promise of the same kind."""
    what = _kind(played.findings[0])

    def fails(troubles: tuple[Trouble, ...]) -> bool:
        return any(_kind(one) == what for one in play(played.case.without(troubles)).findings)

    return played.case.without(shortest(played.case.troubles, fails))


def _kind(finding: str) -> str:
    """What a finding says, without its numbers and names."""
    return " ".join(word for word in finding.split() if word.isalpha())[:60]


def _keep(played: Played) -> None:
    case = shortened(played)
    FOUND.mkdir(exist_ok=True)
    place = FOUND / f"seed_{case.seed}.yaml"
    about = "".join(f"# {line}\n" for finding in played.findings[:3] for line in finding.splitlines()[:3])
    place.write_text(about + case.text(), encoding="utf-8")
    _tell(played)
    print(f"shortened to {place}:\n{case.text()}", flush=True)


def _tell(played: Played) -> int:
    print(f"{played.case.seed}: {played.frames} frames in {played.sittings} sittings")
    for number, end in enumerate(played.ends, start=1):
        print(f"  sitting {number}: {end}")
    for finding in played.findings:
        print(f"  BROKEN: {finding}")
    return int(bool(played.findings))


if __name__ == "__main__":
    sys.exit(main())
