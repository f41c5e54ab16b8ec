"""Choosing regions of interest on the mosaic: the family's base, and what all members share.

A member says which windows it would like (`choose`); the base finds the particles, and the helpers here keep windows
apart, inside the mosaic and inside the stage's limits.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xrm_control.core.diagnostics import Diagnostic, collected
from xrm_control.core.errors import AnalysisError, RecipeError
from xrm_control.core.family import Family
from xrm_control.core.model import Spec
from xrm_control.core.sample import SampleSpec
from xrm_control.core.states import Level
from xrm_control.roi.mosaic_map import MosaicMap as MosaicMap
from xrm_control.roi.particles2d import Particle2D, find_particles

STRATEGIES = Family("xrm_control.roi.strategies", group="xrm_control.strategies")


@dataclass(frozen=True)
class Roi:
    """A place chosen for a scan: stage position of its centre, its window, why it was chosen.

    expected_particles: particles of the mosaic that lie wholly in the window (less its margin); added_by: who added it
    by hand, "" for one that the recipe's strategy has chosen.
    """

    name: str
    x_um: float
    y_um: float
    z_um: float
    width_um: float
    height_um: float
    reason: str
    expected_particles: int
    added_by: str = ""


@dataclass(frozen=True)
class Limits:
    """How far the stage may go: (low, high) for the centre of a region, um."""

    x_um: tuple[float, float]
    y_um: tuple[float, float]


class Extent(Protocol):
    """What a mosaic covers: (left, right) and (top, bottom) edge, um, and the side of its pixels."""

    @property
    def x_um(self) -> tuple[float, float]: ...

    @property
    def y_um(self) -> tuple[float, float]: ...

    @property
    def pixel_size_um(self) -> float: ...


@dataclass(frozen=True)
class PlannedMosaic:
    """An `Extent` before the mosaic is there."""

    x_um: tuple[float, float]
    y_um: tuple[float, float]
    pixel_size_um: float


@dataclass(frozen=True)
class Windows:
    """Candidate windows on one mosaic, on a lattice.

    centres_um: (n, 2) as x, y; diameters_um: (particles,); inside_x, inside_y: for the lattice's columns and rows,
    (columns, particles) and (rows, particles), how far the particle lies between the window's sides: 0 to 1, wholly;
    place: (n,) index of the window in the lattice, row after row.
    """

    centres_um: NDArray[np.float64]
    diameters_um: NDArray[np.float64]
    inside_x: NDArray[np.float32]
    inside_y: NDArray[np.float32]
    place: NDArray[np.int64]
    fov_um: float

    def whole(self, index: int) -> NDArray[np.bool_]:
        """Which particles lie wholly in one window less its margin, (particles,)."""
        row, column = divmod(int(self.place[index]), len(self.inside_x))
        return (self.inside_x[column] >= 0.5) & (self.inside_y[row] >= 0.5)

    def holds_a_whole_one(self) -> NDArray[np.bool_]:
        """Which windows hold at least one particle wholly, (n,): half counted at two sides is none."""
        whole = (self.inside_y >= 0.5).astype(np.float32) @ (self.inside_x >= 0.5).astype(np.float32).T
        return whole.ravel()[self.place] > 0

    def held(self, weight: NDArray[np.bool_] | NDArray[np.float64]) -> NDArray[np.float64]:
        """How many particles each window holds whole, (n,); each counts with its `weight` (particles,)."""
        counted = (self.inside_y * weight.astype(np.float32)) @ self.inside_x.T
        return counted.ravel()[self.place].astype(float)

    def apart_from(self, chosen: Sequence[int]) -> NDArray[np.bool_]:
        """True for windows that overlap none of the chosen ones."""
        free = np.ones(len(self.centres_um), bool)
        for index in chosen:
            free &= np.abs(self.centres_um - self.centres_um[index]).max(axis=1) >= self.fov_um
        return free


class RoiStrategy(Spec):
    """Base of the ROI strategies."""

    z_um: float = Field(
        default=10.0,
        ge=-10_000,
        le=10_000,
        description="stage z that puts the middle of the powder layer on the rotation axis; "
        "particles rest on the tape's surface (z = 0) and rise towards positive z",
    )
    margin_um: float = Field(
        default=3.0,
        ge=0,
        le=50,
        description="rim of the window that does not count: the rotation axis is never quite in the middle",
    )

    def check(self, limits: Limits, fov_um: float) -> None:
        """Refuse before anything moves what cannot work on any mosaic. Raises RecipeError or SafetyRefusal."""
        if 2 * self.margin_um >= fov_um:
            raise RecipeError(
                "the margin leaves nothing of the window",
                where="roi.margin_um",
                value=f"{self.margin_um:g} um",
                limit=f"below half the field of view, {fov_um / 2:g} um",
            )

    def diagnose(self, mosaic: Extent, fov_um: float, limits: Limits, sample: SampleSpec) -> Iterator[Diagnostic]:
        """What can be found wrong before the mosaic is there; `check` and more."""
        found: list[Diagnostic] = []
        with collected(found):
            self.check(limits, fov_um)
        yield from found
        known = self.planned()
        half_um = sample.strip_thickness_um / 2
        heights = (self.z_um,) if isinstance(known, int) else tuple(z_um for _, _, z_um in known)
        if off := [z_um for z_um in heights if abs(z_um) > half_um]:
            yield Diagnostic(
                ("roi.z_um", "sample.strip_thickness_um"),
                "the rotation axis would lie outside the tape and powder, which would leave the field as they turn",
                f"z {off[0]:g} um",
                f"-{half_um:g} to {half_um:g} um, half the strip's thickness",
                "give the height of the powder's middle above the tape, and the thickness of both in um",
            )
        if isinstance(known, int):
            fit = _fit(mosaic.x_um, fov_um, mosaic.pixel_size_um) * _fit(mosaic.y_um, fov_um, mosaic.pixel_size_um)
            if known > fit:
                yield Diagnostic(
                    ("roi.count", "roi", "mosaic"),
                    "the mosaic does not hold so many regions: fewer will be scanned",
                    f"{known} regions",
                    f"{fit} windows of {fov_um:.4g} um side by side in the mosaic",
                    "take a larger mosaic, or ask for fewer",
                    Level.WARNING,
                )

    def planned(self) -> int | tuple[tuple[float, float, float], ...]:
        """For planning: centres (x, y, z in um) where they are known before the mosaic, else how many there will be."""
        return int(getattr(self, "count", 1))

    def pick(self, mosaic: MosaicMap, fov_um: float, limits: Limits, mu_per_um: float) -> tuple[Roi, ...]:
        """The regions to scan, named roi-01, roi-02, ...; they never overlap, nor leave the mosaic or the limits.

        fov_um: side of the square window; mu_per_um: attenuation of the particles. Fewer than asked come with the
        reason. Raises AnalysisError when there is nothing to scan, RecipeError or SafetyRefusal as `check` does.
        """
        return self.choose(find_particles(mosaic, mu_per_um), mosaic, fov_um, limits)

    @abstractmethod
    def choose(
        self, particles: Sequence[Particle2D], mosaic: MosaicMap, fov_um: float, limits: Limits
    ) -> tuple[Roi, ...]:
        """As `pick`, from particles that were already found."""


def name_of(number: int) -> str:
    """roi-01 for 1."""
    return f"roi-{number:02d}"


def _fit(span_um: tuple[float, float], fov_um: float, slack_um: float) -> int:
    return int((span_um[1] - span_um[0] + slack_um) // fov_um)


def allowed_um(mosaic: Extent, fov_um: float, limits: Limits) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where the centre of a window may lie: (low, high) of x and of y; low > high when nowhere.

    A mosaic as wide as one window within a pixel counts as wide enough.
    """
    result = []
    for (low, high), (least, most) in ((mosaic.x_um, limits.x_um), (mosaic.y_um, limits.y_um)):
        first, last = low + fov_um / 2, high - fov_um / 2
        if first > last and first - last <= mosaic.pixel_size_um:
            first = last = (first + last) / 2
        result.append((max(first, least), min(last, most)))
    return result[0], result[1]


def whole_inside(
    particles: Sequence[Particle2D], centres_um: NDArray[np.float64], fov_um: float, margin_um: float
) -> NDArray[np.bool_]:
    """(centres, particles): True where the particle lies wholly in the window less its margin, and was seen whole."""
    inside = _between(particles, "x_um", centres_um[:, 0], fov_um, margin_um)
    return (inside > 0) & (_between(particles, "y_um", centres_um[:, 1], fov_um, margin_um) > 0)


def _between(
    particles: Sequence[Particle2D],
    axis: str,
    centres_um: NDArray[np.float64],
    fov_um: float,
    margin_um: float,
    soft_um: float = 0.0,
) -> NDArray[np.float32]:
    """(centres, particles): 1 where wholly between the window's two sides along one axis, and not cut in the mosaic.

    With soft_um it rises to 1 over that length instead of at once.
    """
    at = np.array([getattr(p, axis) for p in particles])
    room = fov_um / 2 - margin_um - np.array([p.equivalent_diameter_um for p in particles]) / 2
    room[np.array([p.touches_edge for p in particles], bool)] = -1.0
    spare = room - np.abs(centres_um[:, None] - at)
    if soft_um == 0.0:
        return (spare >= 0).astype(np.float32)
    weight = np.clip(spare / soft_um + 0.5, 0.0, 1.0).astype(np.float32)
    weight[:, room < 0] = 0.0
    return weight


def windows(
    particles: Sequence[Particle2D],
    mosaic: MosaicMap,
    fov_um: float,
    limits: Limits,
    margin_um: float,
    *,
    step_um: float = 2.0,
    soft_um: float = 0.0,
) -> Windows:
    """All windows on a lattice of about `step_um` that are allowed, fully seen, and hold a whole particle.

    soft_um: the length over which a particle at a window's rim comes to count, so that noise in its place or size
    changes little; 0: it counts or not.
    Raises AnalysisError when there is none, and says why.
    """
    (x_low, x_high), (y_low, y_high) = allowed_um(mosaic, fov_um, limits)
    if x_low > x_high or y_low > y_high:
        raise AnalysisError(
            "no window fits into both the mosaic and the stage's limits",
            where="roi",
            value=f"field of view {fov_um:g} um",
            limit=f"mosaic x {_span(mosaic.x_um)}, y {_span(mosaic.y_um)}; "
            f"stage x {_span(limits.x_um)}, y {_span(limits.y_um)}",
            remedy="take a larger mosaic, or move its centre into the limits",
        )
    if not particles:
        raise _nothing("the mosaic shows no particles")
    x, y = (np.linspace(a, b, max(1, round((b - a) / step_um) + 1)) for a, b in ((x_low, x_high), (y_low, y_high)))
    centres = np.column_stack([axis.ravel() for axis in np.meshgrid(x, y)])
    place = np.nonzero(_seen_share(mosaic, centres, fov_um) >= 0.95)[0]
    if not len(place):
        raise AnalysisError(
            "every window has places that the mosaic did not see", where="roi", remedy="acquire the missing tiles"
        )
    everything = Windows(
        centres_um=centres[place],
        diameters_um=np.array([p.equivalent_diameter_um for p in particles]),
        inside_x=_between(particles, "x_um", x, fov_um, margin_um, soft_um),
        inside_y=_between(particles, "y_um", y, fov_um, margin_um, soft_um),
        place=place,
        fov_um=fov_um,
    )
    filled = everything.holds_a_whole_one()
    if not filled.any():
        raise _nothing("no window holds a whole particle")
    return replace(everything, centres_um=centres[place[filled]], place=place[filled])


def _nothing(what: str) -> AnalysisError:
    return AnalysisError(
        what,
        where="roi",
        remedy="look at mosaic.png: move the mosaic to the powder, lower roi.margin_um, or name positions",
    )


def _span(ends: tuple[float, float]) -> str:
    return f"{ends[0]:g} to {ends[1]:g} um"


def _seen_share(mosaic: MosaicMap, centres_um: NDArray[np.float64], fov_um: float) -> NDArray[np.float64]:
    """Share of each window that the mosaic saw."""
    sums = np.pad(np.cumsum(np.cumsum(np.isfinite(mosaic.image), axis=0), axis=1), ((1, 0), (1, 0)))
    rows, columns = mosaic.image.shape
    low = (centres_um - fov_um / 2 - (mosaic.x_um[0], mosaic.y_um[0])) / mosaic.pixel_size_um
    high = low + fov_um / mosaic.pixel_size_um
    c0, r0 = (np.clip(np.rint(low[:, k]).astype(int), 0, n) for k, n in ((0, columns), (1, rows)))
    c1, r1 = (np.clip(np.rint(high[:, k]).astype(int), 0, n) for k, n in ((0, columns), (1, rows)))
    seen = sums[r1, c1] - sums[r0, c1] - sums[r1, c0] + sums[r0, c0]
    return seen / np.maximum((r1 - r0) * (c1 - c0), 1)
