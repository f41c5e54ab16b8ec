"""How often each check doubts a sound scan, and how often it finds its planted fault.

``python -m tests.processing.trust --sound 200 --faults 10``

Beds of balls in closed form with tape and photon noise, 121 views of 96 x 64 pixels, another bed for each seed;
reconstructed, analysed and judged as a run does. --sound, --faults: how many seeds of each.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tests.processing.trust import faults, reference_faults
from tests.processing.trust.faults import Alter, Region, evidence_of
from xrm_control.contracts.trust import TrustVerdict
from xrm_control.processing.trust.check import all_checks
from xrm_control.processing.trust.judging import judged
from xrm_control.reconstruction.pipeline import ReconstructionSpec

MOST_FALSE = 0.02
_SIZES_UM = (5.0, 10.0)


def jitter(seed: int) -> Alter:
    """0.8 px rms sideways."""
    return faults.shifted_views(lambda n: float(np.random.default_rng(1000 * seed + n).normal(0, 0.8)))


# By check: what is planted, in a scan of any seed.
PLANTED: dict[str, Callable[[int], Region]] = {
    "angles": lambda seed: Region(faults.gap(20, 50)(bed(seed))),
    "attenuation": lambda seed: Region(faults.stray_light(0.5)(bed(seed))),
    "axis_halves": lambda seed: Region(bed(seed), ReconstructionSpec(rotation_axis=faults.AXIS_PX + 3)),
    "coarse_tail": lambda seed: Region(bed(seed), diameters_um=(6.0, 8.0, 30.0)),
    "continuity": lambda seed: Region(faults.shifted_views(lambda n: 2.0 * (n > 60))(bed(seed))),
    "dead_columns": lambda seed: Region(faults.dead_columns(40, 41, 42, 43)(bed(seed))),
    "dark_level": lambda seed: Region(reference_faults.darks_off(-0.06)(faults.four_fold(seed))),
    "drift": lambda seed: Region(faults.shifted_views(lambda n: 5.0 * n / 120)(bed(seed))),
    "expected_particles": lambda seed: Region(bed(seed), expected=120),
    "flats": lambda seed: Region(reference_faults.flats_in_powder(bed(seed))),
    "frames": lambda seed: Region(faults.black_views(30, 60)(bed(seed))),
    "motion": lambda seed: Region(jitter(seed)(bed(seed))),
    "noise": lambda seed: Region(faults.noisier(0.3)(bed(seed))),
    "reprojection": lambda seed: Region(faults.torn(bed(seed))),
    "resolution": lambda seed: Region(faults.blurred(2.0)(bed(seed))),
    "transmission": lambda seed: Region(reference_faults.dim_flats(bed(seed))),
}  # fmt: skip


@dataclass(frozen=True)
class Rates:
    """Doubts among `of` scans, by check; said: one reason of each."""

    doubts: Counter[str]
    of: int
    said: dict[str, str]


def bed(seed: int) -> faults.ScanData:
    """Sparse to dense, small to large."""
    count = 18 + 4 * (seed % 6)
    low, high = _SIZES_UM
    return faults.scan(seed, count, (low, high + seed % 3))


def sound(seeds: Sequence[int]) -> Rates:
    """Of scans without a fault."""
    doubts: Counter[str] = Counter()
    said: dict[str, str] = {}
    for seed in seeds:
        for one in judged(evidence_of(Region(bed(seed)))):
            if one.verdict in (TrustVerdict.DOUBT, TrustVerdict.REDO):
                doubts[one.check] += 1
                said.setdefault(one.check, f"seed {seed}: {one.reason}")
    return Rates(doubts, len(seeds), said)


def found(check: str, seeds: Sequence[int]) -> int:
    """In how many scans of a planted fault its check speaks."""
    (member,) = (one for one in all_checks() if one.model_dump()["kind"] == check)
    results = (judged(evidence_of(PLANTED[check](seed)), (member,)) for seed in seeds)
    return sum(one.verdict in (TrustVerdict.DOUBT, TrustVerdict.REDO) for (one,) in results)


def main(arguments: Sequence[str]) -> int:
    """The table on standard output; 1 where a check doubts more than 2 % of the sound scans."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sound", type=int, default=200)
    parser.add_argument("--faults", type=int, default=10)
    told = parser.parse_args(arguments)
    rates = sound(range(told.sound))
    print(f"| check | doubts of {rates.of} sound | finds its fault |\n|---|---|---|")
    for check in (one.model_dump()["kind"] for one in all_checks()):
        hits = f"{found(check, range(told.faults))} of {told.faults}" if check in PLANTED else "tests only"
        print(f"| `{check}` | {rates.doubts[check]} | {hits} |", flush=True)
    for check, reason in rates.said.items():
        print(f"{check}: {reason}")
    return int(any(count > MOST_FALSE * rates.of for count in rates.doubts.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
