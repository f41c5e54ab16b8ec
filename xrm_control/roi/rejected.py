"""The windows that were not chosen: the next best ones, and what speaks against each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from xrm_control.contracts.rois import CandidateRecord, NotChosen
from xrm_control.roi.areas import Avoided, EdgeOnSpec
from xrm_control.roi.candidates import edge_on_of, too_thick
from xrm_control.roi.greedy import take
from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.particles2d import Particle2D
from xrm_control.roi.windows import Limits, Windows, in_avoided, lattice, seen

MOST_NAMED = 12
_ANYWHERE = Limits((-np.inf, np.inf), (-np.inf, np.inf))


class Chosen(Protocol):
    """A region as far as it matters here."""

    @property
    def x_um(self) -> float: ...

    @property
    def y_um(self) -> float: ...

    @property
    def z_um(self) -> float: ...


class Rules(Protocol):
    """What a strategy says of windows that it did not take."""

    not_asked: ClassVar[str]

    @property
    def z_um(self) -> float: ...

    @property
    def margin_um(self) -> float: ...

    @property
    def avoid(self) -> tuple[Avoided, ...]: ...

    @property
    def edge_on(self) -> EdgeOnSpec: ...

    def measure(
        self, windows: Windows, particles: Sequence[Particle2D], chosen_um: NDArray[np.float64]
    ) -> NDArray[np.float64]: ...

    def enough(self, best: int) -> float: ...


def best_of(
    rules: Rules,
    particles: Sequence[Particle2D],
    mosaic: MosaicMap,
    fov_um: float,
    limits: Limits,
    chosen: Sequence[int],
) -> int:
    """Most whole particles of a window that may be scanned; chosen: those of the regions, which may lie beside the
    lattice.
    """
    found = lattice(particles, mosaic, fov_um, limits, rules.margin_um, z_um=rules.z_um) if particles else None
    if found is None:
        return max(chosen, default=0)
    free = seen(mosaic, found.centres_um, fov_um) & ~in_avoided(found.centres_um, fov_um, rules.avoid)
    return max(int(found.whole_counts()[free].max(initial=0)), *chosen, 0)


def next_best(
    rules: Rules,
    particles: Sequence[Particle2D],
    mosaic: MosaicMap,
    fov_um: float,
    limits: Limits,
    chosen: Sequence[Chosen],
    best: int,
) -> tuple[CandidateRecord, ...]:
    """Up to MOST_NAMED windows that hold a whole particle and overlap neither those chosen nor each other.

    Those that could have been scanned come first, each group by what it would add. best: most whole particles of a
    window that may be scanned.
    """
    found = lattice(particles, mosaic, fov_um, _ANYWHERE, rules.margin_um, z_um=rules.z_um) if particles else None
    if found is None:
        return ()
    chosen_um = np.array([(roi.x_um, roi.y_um, roi.z_um) for roi in chosen]).reshape(-1, 3)
    found = found.where((found.whole_counts() > 0) & found.beside(chosen_um[:, :2]))
    if not len(found.place):
        return ()
    why = _reasons(rules, found, mosaic, fov_um, limits, best)
    # Said in the reason; the order is by what they would add.
    found = replace(found, last=~np.isin(why, (NotChosen.NOT_ASKED, NotChosen.DARK)))
    score, counts = rules.measure(found, particles, chosen_um), found.whole_counts()
    return tuple(
        _record(rules, found, index, mosaic, float(score[index]), int(counts[index]), NotChosen(why[index]), best)
        for index in take(found, MOST_NAMED, lambda _: score)
    )


def _reasons(
    rules: Rules, found: Windows, mosaic: MosaicMap, fov_um: float, limits: Limits, best: int
) -> NDArray[np.str_]:
    """(n,): what speaks first against each window."""
    x, y = found.centres_um.T
    (left, right), (top, bottom) = limits.x_um, limits.y_um
    return np.select(
        [
            (x < left) | (x > right) | (y < top) | (y > bottom),
            ~seen(mosaic, found.centres_um, fov_um),
            in_avoided(found.centres_um, fov_um, rules.avoid),
            too_thick(mosaic, y, rules.z_um, fov_um, rules.edge_on),
            found.whole_counts() < rules.enough(best),
        ],
        [NotChosen.OUTSIDE, NotChosen.UNSEEN, NotChosen.AVOIDED, NotChosen.DARK, NotChosen.POOR],
        NotChosen.NOT_ASKED,
    )


def _record(
    rules: Rules, found: Windows, index: int, mosaic: MosaicMap, score: float, count: int, why: NotChosen, best: int
) -> CandidateRecord:
    x_um, y_um = (float(value) for value in found.centres_um[index])
    side = edge_on_of(mosaic, y_um, rules.z_um, found.fov_um, rules.edge_on)
    here = found.centres_um[index : index + 1]
    match why:
        case NotChosen.OUTSIDE:
            reason = "outside the stage's limits"
        case NotChosen.UNSEEN:
            reason = "not wholly seen in the mosaic"
        case NotChosen.AVOIDED:
            areas = [area.text for area in rules.avoid if area.touched_by(here, found.fov_um)[0]]
            reason = f"touches the area to avoid {' and '.join(areas)}"
        case NotChosen.DARK:
            reason = "too thick edge-on" + (f": {side.text}" if side is not None else "")
        case NotChosen.POOR:
            reason = f"holds {count} of the best window's {best} whole particles: not worth a scan (roi.least_worth)"
        case NotChosen.NOT_ASKED:
            reason = rules.not_asked
    return CandidateRecord(
        x_um=x_um,
        y_um=y_um,
        width_um=found.fov_um,
        height_um=found.fov_um,
        expected_particles=count,
        score=round(score, 4),
        worth=round(count / best, 3) if best else 0.0,
        why=why,
        reason=reason,
        edge_on=side,
    )
