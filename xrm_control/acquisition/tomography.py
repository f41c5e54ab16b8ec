"""A scan: projections over angles plus references and darks of one ROI."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from xrm_control.acquisition.order import ORDERS, ProjectionOrder
from xrm_control.acquisition.orders.sequential import Sequential
from xrm_control.acquisition.references import MOST_MARGIN_UM, REFERENCE_SCHEMES, ReferenceScheme, clear_pose
from xrm_control.acquisition.schemes.both import Both
from xrm_control.acquisition.steps import Acquisition, FrameStep
from xrm_control.core.errors import RecipeError
from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose, seen_beside
from xrm_control.core.model import Spec
from xrm_control.core.sample import SampleSpec
from xrm_control.core.states import FrameKind
from xrm_control.devices.protocols import CameraDescription, InstrumentDescription

_MOST_DEG = 720.0
USUAL_BLOCKERS = 3  # the first still shows the afterglow of the flat before it
# So that it costs at most a hundredth of the dose and the time.
_REPEATED_FROM = 100

Binning = Literal[1, 2, 4, 8]


def projections_for(useful_diameter_um: float, pixel_size_um: float) -> int:
    """Projections over 180 degrees that sample a disc as finely as the pixels do: pi/2 x diameter / pixel."""
    return round(math.pi / 2 * useful_diameter_um / pixel_size_um)


class TomographySpec(Spec):
    """The scan of each ROI. The defaults are the paper's."""

    binning: Binning = 8
    exposure_s: float = Field(default=1.0, gt=0, le=600)
    projections: Literal["auto"] | Annotated[int, Field(ge=2, le=20_000)] = "auto"
    useful_diameter_um: float = Field(
        default=46.0, gt=0, le=100_000, description="for `projections: auto`: pi/2 x diameter / pixel"
    )
    start_deg: float = Field(default=-90.0, ge=-_MOST_DEG, le=_MOST_DEG)
    end_deg: float = Field(default=90.0, ge=-_MOST_DEG, le=_MOST_DEG)
    order: Annotated[ProjectionOrder, ORDERS] = Sequential()
    references: Annotated[ReferenceScheme, REFERENCE_SCHEMES] = Both()
    darks: int = Field(default=5, ge=1, le=1000)
    clear_margin_um: float = Field(
        default=10.0, ge=0, le=MOST_MARGIN_UM, description="between the strip's shadow and the field of view"
    )
    missing_allowed_percent: float = Field(
        default=2.0, ge=0, le=50, description="more missing projections quarantine the ROI"
    )

    moved_allowed_um: float = Field(
        default=5.0, gt=0, le=1000, description="a region found farther beside its place in the mosaic is quarantined"
    )

    blocker: Literal["auto"] | Annotated[int, Field(ge=0, le=1000)] = Field(
        default="auto",
        description="frames with an opaque blade over a part of the field, which tell stray light; auto: "
        f"{USUAL_BLOCKERS} where the instrument has a blade, 0: none",
    )

    repeat_view: bool | Literal["auto"] = Field(
        default="auto",
        description="the view of the face once more after the last projection: what has moved meanwhile shows; auto: "
        f"from {_REPEATED_FROM} projections on",
    )

    axis_offset_um: float = Field(
        default=0.0,
        ge=-10_000,
        le=10_000,
        description="half acquisition: how far right of the middle the region's centre is kept while it turns, by x "
        "and z; a full turn then shows a field wider by twice as much",
    )

    @model_serializer(mode="wrap")
    def _as_before(self, said: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what is as it always was: recipes from before there was such a setting keep their hash."""
        content: dict[str, Any] = said(self)
        as_ever = {"axis_offset_um": 0.0, "blocker": "auto", "repeat_view": "auto"}
        return {n: value for n, value in content.items() if n not in as_ever or getattr(self, n) != as_ever[n]}

    @model_validator(mode="after")
    def _angles(self) -> TomographySpec:
        if not self.start_deg < self.end_deg:
            raise ValueError(f"start_deg ({self.start_deg:g}) must be below end_deg ({self.end_deg:g}); exchange them?")
        return self

    def projection_count(self, camera: CameraDescription) -> int:
        """The number of projections, resolved."""
        if self.projections == "auto":
            half_turn = projections_for(self.useful_diameter_um, camera.binned_pixel_um(self.binning))
            return max(2, round(half_turn * (self.end_deg - self.start_deg) / 180))
        return self.projections

    def blockers(self, instrument: InstrumentDescription) -> int:
        """Frames behind the blade, resolved."""
        if self.blocker == "auto":
            return 0 if instrument.blocker_s is None else USUAL_BLOCKERS
        return self.blocker

    def width_um(self, camera: CameraDescription) -> float:
        """Of what is reconstructed: the field of view, and wider where the axis is kept off its middle."""
        return camera.field_of_view_um + 2 * abs(self.axis_offset_um)

    def check_angles(self, camera: CameraDescription, tolerance_deg: float) -> None:
        """Raise RecipeError when the rotation axis, `tolerance_deg` exact, cannot tell neighbouring angles apart."""
        count = self.projection_count(camera)
        step_deg = (self.end_deg - self.start_deg) / (count - 1)
        if step_deg <= 2 * tolerance_deg:
            raise RecipeError(
                "the angles are closer than the rotation axis can tell apart: frames would share an angle",
                where="scan.projections",
                value=f"{count} projections over {self.end_deg - self.start_deg:g} deg, {step_deg:.4f} deg apart",
                limit=f"more than {2 * tolerance_deg:g} deg, twice the tolerance of axis theta",
                remedy=f"take at most {math.ceil((self.end_deg - self.start_deg) / (2 * tolerance_deg))} projections",
            )

    def theta_deg(self, camera: CameraDescription) -> tuple[float, ...]:
        """Angles of the projections by index, both ends included."""
        return tuple(np.linspace(self.start_deg, self.end_deg, self.projection_count(camera)).round(6).tolist())

    def repeated(self, angles: Sequence[float], order: Sequence[int]) -> int | None:
        """The projection that is taken once more at the end: of those nearest to the face, the first in time; None
        without one. order: see `ProjectionOrder.order`.
        """
        wanted = len(angles) >= _REPEATED_FROM if self.repeat_view == "auto" else self.repeat_view
        return min(order, key=lambda index: round(abs((angles[index] + 90) % 180 - 90), 6)) if wanted else None

    def acquisition(
        self, roi: str, centre: Pose, sample: SampleSpec, camera: CameraDescription, *, blockers: int = 0
    ) -> Acquisition:
        """All frames of the scan of the ROI `roi` around `centre` (whose theta is ignored), in order of time.

        blockers: frames behind the blade, see `blockers`; they follow the first flats, or the darks.
        """
        angles = self.theta_deg(camera)
        order = self.order.order(len(angles))
        sets = set(self.references.after(len(angles)))
        steps: list[FrameStep] = []

        def add(kind: FrameKind, index: int, pose: Pose) -> None:
            name = FrameId.numbered(roi, kind, index)
            lit, blocked = kind != FrameKind.DARK, kind == FrameKind.BLOCKER
            steps.append(FrameStep(name, kind, index, pose, shutter_open=lit, blocked=blocked))

        def at(theta_deg: float) -> Pose:
            return seen_beside(centre, theta_deg, self.axis_offset_um)

        flats, again = 0, self.repeated(angles, order)
        for done in range(len(order) + 1):
            pose = at(angles[order[min(done, len(order) - 1)]])
            if done == len(order) and again is not None:
                # Before the flats: the way to them and back would be taken for motion of the sample.
                add(FrameKind.REPEAT, 0, at(angles[again]))
            if done == 0 or done in sets:
                clear = clear_pose(pose, sample, camera.field_of_view_um, self.clear_margin_um)
                for index in range(self.darks if done == 0 else 0):
                    add(FrameKind.DARK, index, clear)
                for _ in range(self.references.count if done in sets else 0):
                    add(FrameKind.FLAT, flats, clear)
                    flats += 1
                for index in range(blockers if done == 0 else 0):
                    add(FrameKind.BLOCKER, index, clear)
            if done < len(order):
                add(FrameKind.PROJECTION, order[done], pose)
        return Acquisition(roi, self.binning, self.exposure_s, tuple(steps))
