"""Choosing regions of interest on the mosaic: the family's base, and what all members share.

A member says which windows it would like (`choose`); the base finds the particles, and tells what speaks for and
against each window, and which were left out.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from xrm_control.contracts.rois import CandidateRecord, EdgeOnRecord
from xrm_control.core.diagnostics import Diagnostic, collected
from xrm_control.core.errors import RecipeError
from xrm_control.core.family import Family
from xrm_control.core.model import Spec
from xrm_control.core.sample import SampleSpec
from xrm_control.core.states import Level
from xrm_control.roi.areas import Avoided, EdgeOnSpec
from xrm_control.roi.candidates import edge_on_of, windows
from xrm_control.roi.mosaic_map import MosaicMap as MosaicMap
from xrm_control.roi.particles2d import Particle2D, find_particles
from xrm_control.roi.rejected import best_of, next_best
from xrm_control.roi.windows import Extent as Extent
from xrm_control.roi.windows import Limits as Limits
from xrm_control.roi.windows import PlannedMosaic as PlannedMosaic
from xrm_control.roi.windows import Windows as Windows
from xrm_control.roi.windows import allowed_um as allowed_um
from xrm_control.roi.windows import whole_inside as whole_inside

STRATEGIES = Family("xrm_control.roi.strategies", group="xrm_control.strategies")

# Settings of later: a recipe that does not give them keeps its hash.
_LATER = ("avoid", "edge_on", "least_worth", "must")


@dataclass(frozen=True)
class Roi:
    """A place chosen for a scan: stage position of its centre, its window, why it was chosen.

    expected_particles: particles of the mosaic that stay wholly in the window (less its margin) as the sample turns;
    added_by: who added it by hand, "" for one that the recipe's strategy has chosen; worth: expected particles over
    those of the mosaic's best window; edge_on: what the mosaic foretells at +-90 degrees.
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
    worth: float | None = None
    edge_on: EdgeOnRecord | None = None


@dataclass(frozen=True)
class Choice:
    """The regions to scan, and the next best windows with what speaks against each; nothing: why there is no region."""

    rois: tuple[Roi, ...]
    rejected: tuple[CandidateRecord, ...] = ()
    nothing: str = ""


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
    avoid: tuple[Avoided, ...] = Field(
        default=(), max_length=200, description="places that no region may touch: hairs, dirt, edges, what was scanned"
    )
    edge_on: EdgeOnSpec = Field(default=EdgeOnSpec(), description="how dark a region may be at +-90 degrees")

    not_asked: ClassVar[str] = "not asked for"

    @model_serializer(mode="wrap")
    def _as_before(self, said: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what is as it always was: recipes from before there were such settings keep their hash."""
        content: dict[str, Any] = said(self)
        fields = type(self).model_fields
        silent = {name for name in _LATER if name in fields and getattr(self, name) == fields[name].default}
        return {name: value for name, value in content.items() if name not in silent}

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
        centres = ((0.0, 0.0, self.z_um), *self.named()) if isinstance(known, int) else known
        heights = [z_um for _, _, z_um in centres]
        if off := [z_um for z_um in heights if abs(z_um) > half_um]:
            yield Diagnostic(
                ("roi.z_um", "sample.strip_thickness_um"),
                "the rotation axis would lie outside the tape and powder, which would leave the field as they turn",
                f"z {off[0]:g} um",
                f"-{half_um:g} to {half_um:g} um, half the strip's thickness",
                "give the height of the powder's middle above the tape, and the thickness of both in um",
            )
        for number, area in enumerate(self.avoid):
            if not _meets(area, mosaic):
                yield Diagnostic(
                    (f"roi.avoid[{number}]", "mosaic"),
                    f"the area to avoid {area.text} lies beside the mosaic: it keeps nothing away",
                    f"x {area.x_um:g}, y {area.y_um:g} um, {area.size_um[0]:g} x {area.size_um[1]:g} um",
                    f"mosaic x {_ends(mosaic.x_um)}, y {_ends(mosaic.y_um)}",
                    "give its middle in stage um, or leave it out",
                    Level.WARNING,
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

    def named(self) -> tuple[tuple[float, float, float], ...]:
        """Centres (x, y, z in um) of places in `must`, where the strategy has such."""
        return ()

    def pick(self, mosaic: MosaicMap, fov_um: float, limits: Limits, mu_per_um: float) -> tuple[Roi, ...]:
        """The regions to scan, named roi-01, roi-02, ...; they never overlap, nor leave the mosaic or the limits.

        fov_um: side of the square window; mu_per_um: attenuation of the particles. Fewer than asked come with the
        reason. Raises AnalysisError when there is nothing to scan, RecipeError or SafetyRefusal as `check` does.
        """
        return self.survey(find_particles(mosaic, mu_per_um), mosaic, fov_um, limits).rois

    def survey(self, particles: Sequence[Particle2D], mosaic: MosaicMap, fov_um: float, limits: Limits) -> Choice:
        """As `pick`, from particles that were already found, with what speaks for and against each window."""
        chosen = self.choose(particles, mosaic, fov_um, limits)
        best = best_of(self, particles, mosaic, fov_um, limits, [roi.expected_particles for roi in chosen])
        told = tuple(self._told(roi, mosaic, best) for roi in chosen)
        return Choice(told, next_best(self, particles, mosaic, fov_um, limits, told, best))

    @abstractmethod
    def choose(
        self, particles: Sequence[Particle2D], mosaic: MosaicMap, fov_um: float, limits: Limits
    ) -> tuple[Roi, ...]:
        """As `pick`, from particles that were already found."""

    def candidates(
        self,
        particles: Sequence[Particle2D],
        mosaic: MosaicMap,
        fov_um: float,
        limits: Limits,
        soft_um: float = 0.0,
    ) -> Windows:
        """The windows that may be chosen, as this strategy's own settings have it; see `roi.candidates.windows`."""
        return windows(
            particles, mosaic, fov_um, limits, self.margin_um,
            z_um=self.z_um, avoid=self.avoid, edge_on=self.edge_on, soft_um=soft_um,
        )  # fmt: skip

    def measure(
        self, windows: Windows, particles: Sequence[Particle2D], chosen_um: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """What each window would add to those chosen, in this strategy's own measure; unless said otherwise, its whole
        particles. chosen_um: (n, 3), centre and height of the axis.
        """
        return windows.whole_counts().astype(float)

    def enough(self, best: int) -> float:
        """Fewest whole particles for which a window is scanned, where the best one of the mosaic holds `best`."""
        return 0.0

    def _told(self, roi: Roi, mosaic: MosaicMap, best: int) -> Roi:
        side = edge_on_of(mosaic, roi.y_um, roi.z_um, roi.width_um, self.edge_on)
        thick = f"; too thick edge-on: {side.text}" if side is not None and side.too_thick else ""
        worth = round(roi.expected_particles / best, 3) if best else None
        return replace(roi, worth=worth, edge_on=side, reason=roi.reason + thick)


def name_of(number: int) -> str:
    """roi-01 for 1."""
    return f"roi-{number:02d}"


def _fit(span_um: tuple[float, float], fov_um: float, slack_um: float) -> int:
    return int((span_um[1] - span_um[0] + slack_um) // fov_um)


def _meets(area: Avoided, mosaic: Extent) -> bool:
    """Whether an area lies in the mosaic, with a part at least."""
    width_um, height_um = area.size_um
    (left, right), (top, bottom) = mosaic.x_um, mosaic.y_um
    return (
        left < area.x_um + width_um / 2
        and area.x_um - width_um / 2 < right
        and top < area.y_um + height_um / 2
        and area.y_um - height_um / 2 < bottom
    )


def _ends(ends: tuple[float, float]) -> str:
    return f"{ends[0]:g} to {ends[1]:g} um"
