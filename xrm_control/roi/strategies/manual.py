"""Manual: the operator names the positions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from xrm_control.core.diagnostics import Diagnostic
from xrm_control.core.errors import AnalysisError
from xrm_control.core.geometry import Coordinate
from xrm_control.core.model import Spec
from xrm_control.core.sample import SampleSpec
from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.named_places import (
    Place,
    check_avoided,
    check_places,
    diagnose_places,
    inside_mosaic,
    require_inside,
    roi_at,
)
from xrm_control.roi.particles2d import Particle2D
from xrm_control.roi.strategy import Extent, Limits, Roi, RoiStrategy, whole_inside


class Position(Spec):
    """Stage position of the centre of a window."""

    x_um: Coordinate
    y_um: Coordinate
    z_um: Coordinate | None = Field(default=None, description="stage z; left out: the strategy's own z_um")


class Manual(RoiStrategy):
    """Windows where the operator wants them, in the order given."""

    kind: Literal["manual"] = "manual"
    positions: tuple[Position, ...] = Field(min_length=1, max_length=99)

    not_asked: ClassVar[str] = "not named in the recipe"

    def check(self, limits: Limits, fov_um: float) -> None:
        """Raises SafetyRefusal for a position outside the limits, RecipeError for windows that overlap each other
        or an area to avoid.
        """
        super().check(limits, fov_um)
        check_places(self._places(), limits, fov_um)
        check_avoided(self._places(), self.avoid, fov_um)

    def diagnose(self, mosaic: Extent, fov_um: float, limits: Limits, sample: SampleSpec) -> Iterator[Diagnostic]:
        """See `RoiStrategy.diagnose`; also every window beside mosaic or strip."""
        yield from super().diagnose(mosaic, fov_um, limits, sample)
        yield from (found for _, found in diagnose_places(self._places(), mosaic, fov_um, sample))

    def planned(self) -> tuple[tuple[float, float, float], ...]:
        """See `RoiStrategy.planned`."""
        return tuple((place.x_um, place.y_um, place.z_um) for place in self._places())

    def choose(
        self, particles: Sequence[Particle2D], mosaic: MosaicMap, fov_um: float, limits: Limits
    ) -> tuple[Roi, ...]:
        """See `RoiStrategy.choose`. A window that leaves the mosaic is left out: its tiles may be missing.

        Raises RecipeError when all do.
        """
        self.check(limits, fov_um)
        places = [place for place in self._places() if inside_mosaic(place, mosaic, fov_um)]
        if not places:
            require_inside(self._places()[0], mosaic, fov_um)
        centres = np.array([(place.x_um, place.y_um) for place in places])
        heights = np.array([place.z_um for place in places])
        held = whole_inside(particles, centres, fov_um, self.margin_um, z_um=heights).sum(axis=1)
        if not held.any():
            raise AnalysisError(
                "none of the named windows holds a whole particle",
                where="roi.positions",
                remedy="look at mosaic.png and correct the positions",
            )
        empty = "; the mosaic shows no whole particle here"
        return tuple(
            roi_at(place, number, fov_um, "named in the recipe" + ("" if n else empty), int(n))
            for number, (place, n) in enumerate(zip(places, held, strict=True), start=1)
        )

    def _places(self) -> list[Place]:
        return [
            Place(p.x_um, p.y_um, self.z_um if p.z_um is None else p.z_um, f"roi.positions[{index}]")
            for index, p in enumerate(self.positions)
        ]
