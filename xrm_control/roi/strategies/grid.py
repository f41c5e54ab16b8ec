"""Grid: windows on a regular lattice, for an unbiased survey."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from xrm_control.core.diagnostics import Diagnostic, collected
from xrm_control.core.errors import AnalysisError, RecipeError
from xrm_control.core.geometry import Coordinate
from xrm_control.core.model import Spec
from xrm_control.core.sample import SampleSpec
from xrm_control.core.states import Level
from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.named_places import Place, check_avoided, check_places, diagnose_places, inside_mosaic, roi_at
from xrm_control.roi.particles2d import Particle2D
from xrm_control.roi.strategy import Extent, Limits, Roi, RoiStrategy, whole_inside
from xrm_control.roi.windows import in_avoided


class Centre(Spec):
    """Stage position of the middle of the grid."""

    x_um: Coordinate
    y_um: Coordinate


class Grid(RoiStrategy):
    """Rows and columns of windows at one distance, row by row; those without particles or mosaic are left out."""

    kind: Literal["grid"] = "grid"
    rows: int = Field(default=2, ge=1, le=30)
    columns: int = Field(default=2, ge=1, le=30)
    pitch_um: float = Field(default=80.0, gt=0, le=10_000, description="distance of neighbouring centres")
    centre: Centre | None = Field(default=None, description="middle of the grid; left out: the middle of the mosaic")

    not_asked: ClassVar[str] = "not on the grid"

    def check(self, limits: Limits, fov_um: float) -> None:
        """Raises RecipeError for windows that overlap, SafetyRefusal for a window outside the limits."""
        super().check(limits, fov_um)
        if self.rows * self.columns > 1 and self.pitch_um < fov_um * (1 - 1e-9):
            raise RecipeError(
                "neighbouring windows of the grid overlap",
                where="roi.pitch_um",
                value=f"{self.pitch_um:g} um",
                limit=f"at least the field of view, {fov_um:g} um",
            )
        if self.centre is not None:
            check_places(self._places(self.centre.x_um, self.centre.y_um), limits, fov_um)

    def diagnose(self, mosaic: Extent, fov_um: float, limits: Limits, sample: SampleSpec) -> Iterator[Diagnostic]:
        """See `RoiStrategy.diagnose`; windows beside mosaic or strip are left out, and one at least must not be."""
        refused = False
        for one in super().diagnose(mosaic, fov_um, limits, sample):
            refused |= one.refuses
            # Which windows fit is known here, one by one.
            if one.refuses or one.fields[0].startswith("roi.avoid"):
                yield one
        if refused:
            return
        (left, right), (top, bottom) = mosaic.x_um, mosaic.y_um
        middle = self.centre or Centre(x_um=(left + right) / 2, y_um=(top + bottom) / 2)
        places = self._places(middle.x_um, middle.y_um)
        outside = list(diagnose_places(places, mosaic, fov_um, sample))
        beside = {place.where for place, _ in outside}
        for place in places:
            found: list[Diagnostic] = []
            with collected(found):
                check_avoided([place], self.avoid, fov_um)
            outside += [(place, one) for one in found if place.where not in beside]
        if outside:
            every = len(outside) == self.rows * self.columns
            first, why = outside[0]
            yield Diagnostic(
                ("roi.pitch_um", "roi.columns", "roi.centre", "sample.strip_width_um", "roi.avoid"),
                "no window of the grid lies in the mosaic and on the strip, beside what is to be avoided"
                if every
                else f"{len(outside)} of {self.rows * self.columns} windows will be left out, {first.where} first:"
                f" {why.what}",
                why.value,
                why.limit,
                "move the grid's centre, narrow its pitch, or enlarge the mosaic",
                Level.ERROR if every else Level.WARNING,
            )

    def planned(self) -> int | tuple[tuple[float, float, float], ...]:
        """See `RoiStrategy.planned`."""
        if self.centre is None:
            return self.rows * self.columns
        return tuple((p.x_um, p.y_um, p.z_um) for p in self._places(self.centre.x_um, self.centre.y_um))

    def choose(
        self, particles: Sequence[Particle2D], mosaic: MosaicMap, fov_um: float, limits: Limits
    ) -> tuple[Roi, ...]:
        """See `RoiStrategy.choose`."""
        self.check(limits, fov_um)
        (left, right), (top, bottom) = mosaic.x_um, mosaic.y_um
        middle = self.centre or Centre(x_um=(left + right) / 2, y_um=(top + bottom) / 2)
        places = self._places(middle.x_um, middle.y_um)
        check_places(places, limits, fov_um)
        centres = np.array([(place.x_um, place.y_um) for place in places])
        held = whole_inside(particles, centres, fov_um, self.margin_um, z_um=self.z_um).sum(axis=1)
        held[in_avoided(centres, fov_um, self.avoid)] = 0
        kept = [(p, int(n)) for p, n in zip(places, held, strict=True) if n and inside_mosaic(p, mosaic, fov_um)]
        if not kept:
            raise AnalysisError(
                "no window of the grid lies in the mosaic, beside what is to be avoided, and holds a whole particle",
                where="roi",
                value=f"{self.rows} x {self.columns} windows, {self.pitch_um:g} um apart",
                limit=f"mosaic x {left:g} to {right:g} um, y {top:g} to {bottom:g} um",
                remedy="look at mosaic.png; move the grid's centre or narrow its pitch",
            )
        rest = "empty, outside or to be avoided" if self.avoid else "empty or outside"
        short = "" if len(kept) == len(places) else f"; {len(kept)} of {len(places)}, the rest is {rest}"
        return tuple(roi_at(p, number, fov_um, p.where + short, n) for number, (p, n) in enumerate(kept, start=1))

    def _places(self, x_um: float, y_um: float) -> list[Place]:
        return [
            Place(
                x_um + (column - (self.columns - 1) / 2) * self.pitch_um,
                y_um + (row - (self.rows - 1) / 2) * self.pitch_um,
                self.z_um,
                f"grid row {row}, column {column}",
            )
            for row in range(self.rows)
            for column in range(self.columns)
        ]
