"""How often the verdict on a lot errs at the declared 5 %: `python -m benchmarks.lots [LOTS]`, 500 by default.

Lots are drawn, no images: particles of a log-normal powder strewn on four regions, each whole with the field's own
probability and weighted by it, with the sizes of a mosaic of 1000. A lot "just bad" lies at the limit's far side, one
"just good" at its near side; told is in what share of them the verdict is wrong. Regions alike, and regions that differ
by more than their particles explain.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import Row
from xrm_control.analysis.lot import judge_lot
from xrm_control.analysis.sampling import whole_probability
from xrm_control.analysis.size_classes import MosaicSizes
from xrm_control.contracts.columns import KNOWN_PARTICLE_COLUMNS
from xrm_control.contracts.lot import LotDecision
from xrm_control.contracts.rows import Rows
from xrm_control.contracts.specification import SpecificationLine

Floats = NDArray[np.float64]

FIELD_UM, MEDIAN_UM, SIGMA_LN = 65.5, 6.4, 0.3
REGIONS, PER_REGION, IN_MOSAIC = 4, 40, 1000
_LAW = 400_000
_SIDE = 1e-6


@dataclass(frozen=True)
class Powder:
    """share: of voided particles, at every size; spread: standard deviation between regions, in that of a particle."""

    share: float = 0.2
    spread: float = 0.0


@dataclass(frozen=True)
class Lot:
    """Rows of its particles, and what the mosaic saw."""

    rows: Rows
    mosaic: MosaicSizes


QUANTITIES = (
    *("voided_share", "equivalent_diameter_um.mean", "D50_um", "D90_um", "Dv50_um"),
    *("sphericity.mean", "dead_volume_percent.mean", "equivalent_diameter_um.sigma_ln"),
)


def truths(powder: Powder) -> Mapping[str, float]:
    """Of the powder, by its law and by drawing many."""
    d = _diameters(np.random.default_rng(0), _LAW)
    order = np.argsort(d)
    by_volume = np.cumsum(d[order] ** 3)
    values = (
        *(powder.share, MEDIAN_UM * math.exp(SIGMA_LN**2 / 2), MEDIAN_UM),
        *(MEDIAN_UM * math.exp(1.281552 * SIGMA_LN), float(d[order][np.searchsorted(by_volume, by_volume[-1] / 2)])),
        *(0.9, 4.0, SIGMA_LN),
    )
    return dict(zip(QUANTITIES, values, strict=True))


def draw(powder: Powder, seed: int, regions: int = REGIONS) -> Lot:
    """One lot."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, float | str]] = []
    for region in range(regions):
        shift = powder.spread * rng.normal(0, 1, 3)
        # The share of this region, spread as a beta variable of the same relative variance.
        share = powder.share
        if powder.spread:
            size = 1 / powder.spread**2 - 1
            share = rng.beta(size * share, size * (1 - share))
        number = 0
        while number < PER_REGION:
            d = float(_diameters(rng, 1)[0])
            whole = whole_probability(d, 0.0, FIELD_UM / 2, FIELD_UM / 2)[0]
            if rng.random() >= whole:
                continue
            number += 1
            voided = rng.random() < share
            dead = rng.gamma(4.0 * (1 + shift[1] / 4), 1.0) if voided else 0.0
            rows.append(
                {
                    "particle_id": number,
                    "roi": f"roi-{region + 1:02d}",
                    "volume_um3": math.pi / 6 * d**3,
                    "equivalent_diameter_um": d,
                    "sphericity": 0.9 + 0.03 * (rng.normal() + shift[0]),
                    "void_count": int(voided),
                    "dead_volume_percent": dead,
                    "touches_boundary": 0,
                    "weight": 1 / whole,
                }
            )
    return Lot(Rows.of(rows, KNOWN_PARTICLE_COLUMNS), MosaicSizes(tuple(_diameters(rng, IN_MOSAIC).tolist()), 2.0))


def _diameters(rng: np.random.Generator, count: int) -> Floats:
    return np.asarray(rng.lognormal(math.log(MEDIAN_UM), SIGMA_LN, count), np.float64)


@dataclass(frozen=True)
class Errors:
    """Shares of lots: accepted of those just bad, rejected of those just good, by upper and by lower limits;
    withheld: of all, inconclusive for a doubt and not for want of particles."""

    accepted: float
    rejected: float
    accepted_low: float
    rejected_low: float
    withheld: float

    @property
    def all(self) -> tuple[float, float, float, float]:
        """The four error rates."""
        return self.accepted, self.rejected, self.accepted_low, self.rejected_low


def errors(quantity: str, powder: Powder, lots: int, first: int = 0) -> Errors:
    """Of `lots` lots on either side of the limit, of an upper and of a lower one."""
    truth = truths(powder)[quantity]
    counts = np.zeros(4)
    withheld = 0
    for side in (0, 1):
        # The powder is the same and the limit is moved: an infinitesimal step beyond it, or within.
        step = _SIDE * truth * (1 if side else -1)
        wrong = LotDecision.REJECT if side else LotDecision.ACCEPT
        for number in range(lots):
            lot = draw(powder, first + 2 * number + side)
            for k, line in enumerate(
                (
                    SpecificationLine(quantity=quantity, at_most=truth + step),
                    SpecificationLine(quantity=quantity, at_least=truth - step),
                )
            ):
                found = judge_lot(lot.rows, (line,), mosaic=lot.mosaic, seed=number).lines[0]
                counts[2 * k + side] += found.decision is wrong
                withheld += "decided" not in found.reason and found.decision is LotDecision.INCONCLUSIVE
    a, r, a_low, r_low = (float(one) for one in counts / lots)
    return Errors(a, r, a_low, r_low, withheld / (4 * lots))


POWDERS = {"regions alike": Powder(), "regions differ": Powder(spread=0.2)}


def rows(lots: int = 500) -> list[Row]:
    """Every quantity, with regions alike and not."""
    return [row(title, powder, quantity, lots) for title, powder in POWDERS.items() for quantity in QUANTITIES]


def row(title: str, powder: Powder, quantity: str, lots: int) -> Row:
    """One line of the table."""
    found = errors(quantity, powder, lots)
    return Row(
        title,
        quantity,
        figures={
            "upper limit: bad accepted, good rejected": f"{found.accepted:.1%}, {found.rejected:.1%}",
            "lower limit": f"{found.accepted_low:.1%}, {found.rejected_low:.1%}",
            "withheld": f"{found.withheld:.1%}",
        },
    )


if __name__ == "__main__":
    for title, powder in POWDERS.items():
        for quantity in QUANTITIES:
            told = row(title, powder, quantity, int(sys.argv[1]) if len(sys.argv) > 1 else 500).figures
            print(f"{title:15s} {quantity:32s} {'  '.join(f'{k} {v}' for k, v in told.items())}", flush=True)
