"""Strategies that take the best windows one after the other: how many, after which places, and down to which worth."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xrm_control.core.diagnostics import Diagnostic
from xrm_control.core.errors import AnalysisError, RecipeError
from xrm_control.core.sample import SampleSpec
from xrm_control.roi.areas import Must
from xrm_control.roi.greedy import Gain, take
from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.named_places import (
    Place,
    check_avoided,
    check_places,
    diagnose_places,
    inside_mosaic,
    roi_at,
)
from xrm_control.roi.particles2d import Particle2D
from xrm_control.roi.strategy import Extent, Limits, Roi, RoiStrategy
from xrm_control.roi.windows import Windows, whole_inside


class RankedStrategy(RoiStrategy):
    """Base of those that rank windows: a member says by what (`ranking`), and why it took one (`why`)."""

    count: int = Field(default=1, ge=1, le=99, description="how many regions to scan at most, those of `must` included")
    least_worth: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="a window that holds less than this share of the best one's whole particles is not scanned: "
        "fewer regions rather than poor ones; 0: as many as asked for",
    )
    must: tuple[Must, ...] = Field(default=(), max_length=99, description="places that are scanned first")

    def check(self, limits: Limits, fov_um: float) -> None:
        """Raises SafetyRefusal for a place of `must` outside the limits; RecipeError for too many, those that overlap,
        and those in an area to avoid.
        """
        super().check(limits, fov_um)
        if len(self.must) > self.count:
            raise RecipeError(
                "more places must be scanned than regions are asked for",
                where="roi.count, roi.must",
                value=f"{len(self.must)} places",
                limit=f"{self.count} regions",
                remedy="ask for more regions, or name fewer places",
            )
        check_places(self._places(), limits, fov_um)
        check_avoided(self._places(), self.avoid, fov_um)

    def diagnose(self, mosaic: Extent, fov_um: float, limits: Limits, sample: SampleSpec) -> Iterator[Diagnostic]:
        """See `RoiStrategy.diagnose`; also every place of `must` beside mosaic or strip."""
        yield from super().diagnose(mosaic, fov_um, limits, sample)
        yield from (found for _, found in diagnose_places(self._places(), mosaic, fov_um, sample))

    def named(self) -> tuple[tuple[float, float, float], ...]:
        """See `RoiStrategy.named`."""
        return tuple((place.x_um, place.y_um, place.z_um) for place in self._places())

    def choose(
        self, particles: Sequence[Particle2D], mosaic: MosaicMap, fov_um: float, limits: Limits
    ) -> tuple[Roi, ...]:
        """See `RoiStrategy.choose`. A place of `must` whose window leaves the mosaic is left out: tiles are missing."""
        self.check(limits, fov_um)
        first = self._first(particles, mosaic, fov_um)
        if len(first) >= self.count:
            return first
        try:
            candidates = self.candidates(particles, mosaic, fov_um, limits)
        except AnalysisError:
            if first:
                return first
            raise
        named_um = np.array([(roi.x_um, roi.y_um, roi.z_um) for roi in first]).reshape(-1, 3)
        counts = candidates.whole_counts()
        best, free = int(counts.max()), candidates.beside(named_um[:, :2])
        worth = counts >= self.enough(best)
        gain = self.ranking(candidates, particles, named_um)
        taken = take(candidates, self.count - len(first), gain, free & worth)
        short = self._short(len(first) + len(taken), counts[free & ~worth & candidates.apart_from(taken)], best)
        return first + tuple(
            roi_at(
                Place(float(candidates.centres_um[index, 0]), float(candidates.centres_um[index, 1]), self.z_um, ""),
                number,
                fov_um,
                self.why(candidates, index) + short,
                int(counts[index]),
            )
            for number, index in enumerate(taken, start=len(first) + 1)
        )

    @abstractmethod
    def ranking(self, candidates: Windows, particles: Sequence[Particle2D], named_um: NDArray[np.float64]) -> Gain:
        """What each window would add to those taken and those named, (n, 3) as x, y, z."""

    @abstractmethod
    def why(self, candidates: Windows, index: int) -> str:
        """Why this window was taken."""

    def measure(
        self, windows: Windows, particles: Sequence[Particle2D], chosen_um: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """See `RoiStrategy.measure`."""
        return self.ranking(windows, particles, chosen_um)(())

    def enough(self, best: int) -> float:
        """See `RoiStrategy.enough`."""
        return self.least_worth * best

    def _first(self, particles: Sequence[Particle2D], mosaic: MosaicMap, fov_um: float) -> tuple[Roi, ...]:
        found: list[Roi] = []
        for place, must in zip(self._places(), self.must, strict=True):
            if inside_mosaic(place, mosaic, fov_um):
                centre = np.array([(place.x_um, place.y_um)])
                held = int(whole_inside(particles, centre, fov_um, self.margin_um, z_um=place.z_um).sum())
                why = f"must be scanned: {must.name}" + (f", {must.reason}" if must.reason else "")
                empty = "" if held else "; the mosaic shows no whole particle here"
                found.append(roi_at(place, len(found) + 1, fov_um, why + empty, held))
        return tuple(found)

    def _short(self, number: int, poor: NDArray[np.int64], best: int) -> str:
        """Why there are fewer than asked for; poor: whole particles of the windows that were not worth it."""
        if number >= self.count:
            return ""
        if not len(poor):
            return f"; {number} of {self.count} asked for, no more fit without overlap"
        return (
            f"; {number} of {self.count} asked for, the next best window holds {int(poor.max())} of the best one's "
            f"{best} whole particles, limit {100 * self.least_worth:g} % (roi.least_worth)"
        )

    def _places(self) -> list[Place]:
        return [
            Place(m.x_um, m.y_um, self.z_um if m.z_um is None else m.z_um, f"roi.must[{number}]")
            for number, m in enumerate(self.must)
        ]
