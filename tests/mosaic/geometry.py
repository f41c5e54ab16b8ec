"""`python -m tests.mosaic.geometry [--seeds N] [--first N] [CASE ...]`: mosaics of known truth, not of our simulator.

A seed passes where the mosaic is placed to 0.15 um (rms over its tiles, but for what turns or stretches all alike) and
says how well to a factor of 2; or where it is refused with the cause. A case that must be refused passes only so.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field

import numpy as np

from tests.mosaic.made import PIXEL_UM, Made, Making, make, matrix, misplaced_um
from xrm_control.mosaic.placement import UNKNOWN, Placed, place

LIMIT_UM, FACTOR = 0.15, 2.0
# Below a fiftieth of a pixel the statement is as good as any.
_SMALL_UM = 0.01


@dataclass(frozen=True)
class Case:
    """accuracy_um: as the recipe states it; calibrated: the camera's matrix is known to so much (relative), None: not;
    refused: it must be.
    """

    making: Making
    accuracy_um: float = 1.0
    calibrated: float | None = None
    refused: bool = False
    stated_as: Making = field(default_factory=Making)


FIVE = Making(error_um=5.0)
CASES = {
    "as drawn, overlap 10 %": Case(Making()),
    "as drawn, overlap 5 %": Case(Making(overlap_percent=5.0)),
    "errors 1 um": Case(Making(error_um=1.0), 2.0),
    "errors 2 um": Case(Making(error_um=2.0), 4.0),
    "errors 5 um, overlap 20 %": Case(Making(error_um=5.0, overlap_percent=20.0), 10.0),
    "errors 5 um, overlap 10 %": Case(FIVE, 10.0),
    "errors 5 um, overlap 5 %": Case(Making(error_um=5.0, overlap_percent=5.0), 10.0),
    "errors 5 um, stated as 1 um": Case(FIVE, 1.0, refused=True),
    "turned by 0.5 deg": Case(Making(rotation_deg=0.5)),
    "turned by 1 deg, overlap 5 %": Case(Making(rotation_deg=1.0, overlap_percent=5.0)),
    "turned by 3 deg": Case(Making(rotation_deg=3.0)),
    "turned by 3 deg, errors 5 um, overlap 20 %": Case(
        Making(rotation_deg=3.0, error_um=5.0, overlap_percent=20.0), 10.0
    ),
    "pixel 2 % off": Case(Making(scale=1.02)),
    "2 deg, 2 %, errors 2 um, overlap 15 %": Case(
        Making(rotation_deg=-2.0, scale=0.98, error_um=2.0, overlap_percent=15.0), 4.0
    ),
    "stage x 1 %, y -1 %, backlash 2 um, overlap 20 %": Case(
        Making(stage_scale=(1.01, 0.99), backlash_um=2.0, overlap_percent=20.0), 4.0
    ),
    "mirrored, calibrated": Case(Making(mirrored=True, rotation_deg=1.0), calibrated=0.003),
    "transposed, calibrated, errors 2 um": Case(Making(transposed=True, error_um=2.0), 4.0, calibrated=0.003),
    "mirrored, nobody said": Case(Making(mirrored=True), refused=True),
    "transposed, nobody said": Case(Making(transposed=True), refused=True),
    "gain 10 % from tile to tile": Case(Making(gain=0.1, error_um=1.0), 2.0),
    "three tiles missing": Case(Making(missing=3, error_um=1.0), 2.0),
    "overlap 0": Case(Making(overlap_percent=0.0)),
    "overlap 0, errors 1 um": Case(Making(overlap_percent=0.0, error_um=1.0)),
    "overlap 0, turned by 0.5 deg": Case(Making(overlap_percent=0.0, rotation_deg=0.5)),
    "overlap 0, turned by 2 deg": Case(Making(overlap_percent=0.0, rotation_deg=2.0), refused=True),
    "overlap 0, turned by 3 deg, errors 1 um": Case(
        Making(overlap_percent=0.0, rotation_deg=3.0, error_um=1.0), refused=True
    ),
    "overlap 0, mirrored, nobody said": Case(Making(overlap_percent=0.0, mirrored=True), refused=True),
    "overlap 0, transposed, nobody said": Case(Making(overlap_percent=0.0, transposed=True), refused=True),
    "overlap 0, mirrored, calibrated, turned by 3 deg": Case(
        Making(overlap_percent=0.0, mirrored=True, rotation_deg=3.0), calibrated=0.003
    ),
    "hardly anything on the tape": Case(Making(cover=0.01, error_um=1.0), 2.0, refused=True),
}


@dataclass(frozen=True)
class Outcome:
    """true_um: how far tiles lie from their places; stage_um: how far they would by the read-back alone; stated_um:
    None where refused, with `why`; affine_sigmas: how far the camera's matrix is off, in standard uncertainties
    stated, and edge_um: what that makes 100 um away.
    """

    true_um: float
    stage_um: float
    stated_um: float | None
    why: str
    affine_sigmas: float
    edge_um: float
    gain_error_percent: float
    refused: bool

    def as_wanted(self, case: Case) -> bool:
        """Whether what must be refused is, and what has no overlap to tell more is not refused for that."""
        if case.making.overlap_percent > 0:
            return self.stated_um is None or not case.refused
        return self.refused == case.refused or (case.refused and "no seam shows it" in self.why)

    @property
    def honest(self) -> bool:
        """Whether the statement holds the truth within the factor, neither too good nor too bad."""
        if self.stated_um is None:
            return bool(self.why)
        low, high = self.stated_um / FACTOR, self.stated_um * FACTOR
        return low <= self.true_um <= high or max(self.true_um, self.stated_um) < _SMALL_UM

    @property
    def passed(self) -> bool:
        return self.honest and (self.stated_um is None or self.true_um < LIMIT_UM)


def judge(case: Case, seed: int) -> Outcome:
    """Make one mosaic, have it placed, and hold it against its truth."""
    made = make(case.making, seed)
    placed = placing(made, case)
    off = placed.registration.picture_to_stage - made.picture_to_stage
    sigmas = np.abs(off) / np.maximum(placed.registration.picture_to_stage_u, 1e-9)
    gains = np.log(placed.gains / made.gains)
    return Outcome(
        misplaced_um(made, placed.centres_um),
        misplaced_um(made, placed.centres_um - placed.offsets_um),
        placed.residual_um,
        placed.registration.refused or placed.registration.note,
        float(sigmas.max()),
        float(100 * np.abs(off).max()),
        float(100 * np.std(gains)),
        bool(placed.registration.refused),
    )


def placing(made: Made, case: Case) -> Placed:
    """The program's own word on it."""
    known = case.calibrated is not None
    return place(
        made.tiles,
        PIXEL_UM,
        register="auto",
        stage_accuracy_um=case.accuracy_um,
        picture_to_stage=matrix(case.making) if known else None,
        known_to=case.calibrated if case.calibrated is not None else UNKNOWN,
        told=lambda: None,
    )


def main() -> None:
    """Print a table as it grows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("cases", nargs="*")
    asked = parser.parse_args()
    print("| case | passed | refused | true um (worst) | stated um | true/stated | stage um | 100 um off by | why |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, case in CASES.items():
        if asked.cases and not any(word in name for word in asked.cases):
            continue
        found = [judge(case, seed) for seed in range(asked.first, asked.first + asked.seeds)]
        print(row(name, case, found), flush=True)


def row(name: str, case: Case, found: list[Outcome]) -> str:
    """One line of the table; figures of the seeds that were not refused."""
    given = [one for one in found if one.stated_um is not None]
    passed = sum(one.passed and one.as_wanted(case) for one in found)
    why = max((one.why for one in found if one.stated_um is None), key=len, default="")
    true = [one.true_um for one in given]
    ratio = [one.true_um / one.stated_um for one in given if one.stated_um]
    cells = [
        name,
        f"{passed}/{len(found)}",
        str(sum(one.refused for one in found)),
        f"{np.median(true):.3f} ({max(true):.3f})" if true else "",
        f"{np.median([one.stated_um or 0 for one in given]):.3f}" if true else "",
        f"{min(ratio):.2f} to {max(ratio):.2f}" if ratio else "",
        f"{np.median([one.stage_um for one in found]):.2f}",
        f"{np.median([one.edge_um for one in found]):.2f}",
        why,
    ]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
