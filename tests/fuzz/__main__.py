"""`python -m tests.fuzz`: damaged and lying files of each kind through the commands that a user has.

A seed decides all of a case. What breaks a promise is printed, and kept (--keep) in tests/fuzz/found; again:
`--kind h5 --seed 17 --count 1`. Ends with an error when there was one.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from tests.fuzz.case import FOUND, KINDS, Tried, try_cases
from xrm_control.core.clock import stopwatch


def main() -> int:
    """Try, tell, keep."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--kind", choices=[*KINDS, "all"], default="all")
    parser.add_argument("--count", type=int, default=2000, help="cases of each kind; of recipes ten times as many")
    parser.add_argument("--seed", type=int, default=1, help="of the first case")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no case after that, for each kind")
    parser.add_argument("--keep", action="store_true", help="keep what is found in tests/fuzz/found")
    parser.add_argument("--tell", action="store_true", help="print every case")
    asked = parser.parse_args()
    bad = 0
    for kind in KINDS if asked.kind == "all" else [asked.kind]:
        count = asked.count * (10 if kind == "recipe" and asked.kind == "all" else 1)
        bad += _one_kind(kind, range(asked.seed, asked.seed + count), asked.minutes, keep=asked.keep, tell=asked.tell)
    return int(bad > 0)


def _one_kind(kind: str, seeds: range, minutes: float, *, keep: bool, tell: bool) -> int:
    since, ends, slowest = stopwatch(), Counter[str](), 0.0
    kinds: dict[str, Tried] = {}
    bad = 0
    for one in try_cases(kind, seeds):
        ends[one.end] += 1
        slowest = max(slowest, one.cpu_s)
        if tell:
            print(f"{one.seed}: {one.end}; {'; '.join(one.did)}; {one.said[:200]!r}", flush=True)
        if one.findings:
            bad += 1
            if one.kind_of_finding not in kinds:
                kinds[one.kind_of_finding] = one
                print(f"{kind} {one.seed}: {one.findings[0]}\n    did: {'; '.join(one.did)}", flush=True)
                if keep:
                    with (FOUND / f"{kind}.txt").open("a", encoding="utf-8") as file:
                        file.write(f"{one.seed}  # {'; '.join(one.did)[:100]}: {one.findings[0][:120]}\n")
        if since() > 60 * minutes:
            break
    told = ", ".join(f"{count} {end}" for end, count in ends.most_common())
    print(
        f"{kind}: {sum(ends.values())} cases from seed {seeds.start}: {told}; {bad} bad; slowest {slowest:.2f} s",
        flush=True,
    )
    return bad


if __name__ == "__main__":
    sys.exit(main())
