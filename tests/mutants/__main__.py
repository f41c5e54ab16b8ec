"""`python -m tests.mutants`: how many of a set of planted faults the tests find, room by room.

`--record` runs the tests once, or those that are named, and keeps in build/mutants which functions each of them enters;
a fault is then met by the tests that enter its function, the shortest first. Without a recording it takes hours.
What became of each fault is kept there too: `--go-on` meets those that were not met yet, `--survivors` those that no
test found, and both sum up all.

Ends with an error when fewer than nine in ten are found, or fewer than three in four of any room. A survivor that
changes nothing anybody could observe stands in `judged.py` with the reason, and does not count.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.generated import draw
from tests.mutants.hunt import Verdict, copy_of, judge
from tests.mutants.judged import EQUIVALENT
from tests.mutants.mutant import Mutant
from tests.mutants.planted import planted
from tests.mutants.reached import RECORDINGS, load, record
from tests.mutants.verdicts import Verdicts

ROOT = Path(__file__).parents[2]
ROOMS = {
    "acquisition": 7, "analysis": 9, "app": 3, "cli": 4, "compute": 4, "contracts": 4, "core": 5, "devices": 10,
    "mosaic": 5, "processing": 6, "recipe": 6, "reconstruction": 8, "reporting": 6, "roi": 5, "session": 7,
    "storage": 8,
}  # fmt: skip
WANTED, WANTED_OF_A_ROOM = 0.90, 0.75


def main() -> int:
    """Plant, run, sum up."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rooms", help="only these, separated by commas")
    parser.add_argument(
        "--only", choices=("planted", "generated"), help="only the faults by hand, or only those by rule"
    )
    parser.add_argument("--jobs", type=int, default=1, help="at once")
    parser.add_argument("--list", action="store_true", help="name them and end")
    parser.add_argument("--record", nargs="*", metavar="TESTS", help="which functions they enter, all if none is named")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--go-on", action="store_true", help="those that no earlier hunt has met")
    again.add_argument("--survivors", action="store_true", help="those that survived an earlier hunt")
    asked = parser.parse_args()
    if asked.record is not None:
        with copy_of(ROOT) as copy:
            return record(copy, ROOT / RECORDINGS, asked.record, asked.jobs)
    mutants = [] if asked.only == "generated" else list(planted())
    mutants += [] if asked.only == "planted" else draw(ROOT, ROOMS, asked.seed)
    if asked.rooms:
        mutants = [mutant for mutant in mutants if mutant.room in asked.rooms.split(",")]
    if asked.list:
        print(*(mutant.name(ROOT) for mutant in mutants), sep="\n")
        return 0
    reached = load(ROOT / RECORDINGS)
    # Named before the hunt, which may take longer than the tree stays as it is.
    names = {mutant: mutant.name(ROOT) for mutant in mutants}
    looked_at = {path for path, _ in EQUIVALENT}
    reasons = {one: EQUIVALENT.get((one.path, one.line(ROOT)), "") for one in mutants if one.path in looked_at}
    kept = Verdicts(ROOT / RECORDINGS / "verdicts.tsv")
    known: list[Verdict] = []
    if asked.go_on or asked.survivors:
        over = [m for m in mutants if kept.knows(names[m]) and not (asked.survivors and kept.by(names[m]) is None)]
        known = [Verdict(mutant, kept.by(names[mutant])) for mutant in over]
        mutants = [m for m in mutants if m not in over and (asked.go_on or kept.knows(names[m]))]
    with ExitStack() as stack, ThreadPoolExecutor(asked.jobs) as pool:
        copies: SimpleQueue[Path] = SimpleQueue()
        for _ in range(asked.jobs):
            copies.put(stack.enter_context(copy_of(ROOT)))

        def one(number: int) -> Verdict:
            copy = copies.get()
            try:
                found = judge(mutants[number], copy, reached)
            finally:
                copies.put(copy)
            kept.add(names[found.mutant], found.by)
            how = f"found by {found.by}" if found.by else "SURVIVED"
            print(f"{number + 1} of {len(mutants)}: {names[found.mutant]}: {how}", flush=True)
            return found

        verdicts = list(pool.map(one, range(len(mutants))))
    return _sum_up([*known, *verdicts], names, reasons)


def _sum_up(verdicts: list[Verdict], names: dict[Mutant, str], reasons: dict[Mutant, str]) -> int:
    by_room: dict[str, list[bool]] = defaultdict(list)
    for verdict in verdicts:
        reason = "" if verdict.by else reasons.get(verdict.mutant, "")
        if reason:
            print(f"no fault: {names[verdict.mutant]}: {reason}")
        else:
            by_room[verdict.mutant.room].append(verdict.by is not None)
    print()
    for room, found in sorted(by_room.items()):
        print(f"{room:16} {sum(found):3} of {len(found):3}")
    every = [one for found in by_room.values() for one in found]
    share = sum(every) / max(1, len(every))
    print(f"{'all':16} {sum(every):3} of {len(every):3}, {100 * share:.0f} %")
    weak = [room for room, found in by_room.items() if sum(found) < WANTED_OF_A_ROOM * len(found)]
    return int(share < WANTED or bool(weak))


if __name__ == "__main__":
    sys.exit(main())
