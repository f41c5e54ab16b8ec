"""alignment.yaml: how the camera stands against the stage, measured from known moves, with its date.

A recipe names the file (`alignment: alignment.yaml`); it is then a part of the recipe, and of what a run keeps.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from xrm_control.contracts.document import Document, Figure, JsonFile

Row = tuple[float, float]


class Alignment(Document):
    """picture_to_stage: rows of the matrix from (right, down) in a picture to (x, y) on the stage, a length on the
    stage over the same by the stated pixel; picture_to_stage_u: its standard uncertainty.

    mirrored: that the picture is a mirror image is known, and meant; valid_days: from then on it is to be measured
    again. backlash_x_um, backlash_y_um: by what a place lies off after a move down. residual_um: what the moves
    disagree by, root mean square. axis_tilt_deg: of the detector against the rotation axis, counted as
    `reconstruction` does, from two opposite views; none where these did not tell; axis_tilt_u_deg: its standard
    uncertainty.
    """

    instrument: str = Field(max_length=200)
    measured_utc: datetime
    valid_days: float = Field(default=30.0, gt=0, le=3650)
    pixel_size_um: float = Field(gt=0, description="of the camera at binning 1, as it was stated then")
    picture_to_stage: tuple[Row, Row]
    picture_to_stage_u: tuple[Row, Row]
    mirrored: bool = False
    backlash_x_um: Figure = None
    backlash_y_um: Figure = None
    moves: int = Field(default=0, ge=0)
    residual_um: Figure = None
    axis_tilt_deg: Figure = None
    axis_tilt_u_deg: Figure = None

    @model_serializer(mode="wrap")
    def _as_before(self, said: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without a tilt that was not measured: files from before there was one keep their hash."""
        content: dict[str, Any] = said(self)
        return {name: value for name, value in content.items() if value is not None or not name.startswith("axis_tilt")}

    @model_validator(mode="after")
    def _is_a_camera(self) -> Alignment:
        if not 0.25 < abs(self.determinant) < 4:
            raise ValueError(f"picture_to_stage is no camera's: its determinant is {self.determinant:.3g}, not near 1")
        if self.measured_utc.tzinfo is None:
            raise ValueError("measured_utc needs a time zone, such as 2026-03-01T12:00:00Z")
        if (self.determinant < 0) != self.mirrored:
            shown = "a mirror image" if self.determinant < 0 else "no mirror image"
            raise ValueError(f"picture_to_stage shows {shown}, mirrored says {str(self.mirrored).lower()}")
        return self

    @property
    def determinant(self) -> float:
        """Negative for a mirror image."""
        (a, b), (c, d) = self.picture_to_stage
        return a * d - b * c

    @property
    def rotation_deg(self) -> float:
        """Of the picture's columns, from stage x towards stage y; of a mirror image, of the picture mirrored back."""
        sense = math.copysign(1.0, self.determinant)
        return math.degrees(math.atan2(sense * self.picture_to_stage[1][0], sense * self.picture_to_stage[0][0]))

    @property
    def scale(self) -> float:
        """A length on the stage over the same by the stated pixel."""
        return math.sqrt(abs(self.determinant))

    @property
    def known_to(self) -> float:
        """The largest standard uncertainty in the matrix."""
        return max(max(row) for row in self.picture_to_stage_u)

    def age_days(self, now: datetime) -> float:
        """How long ago it was measured."""
        return (now.astimezone(UTC) - self.measured_utc.astimezone(UTC)).total_seconds() / 86400

    def text(self) -> str:
        """In a line, for people."""
        mirrored = ", mirrored" if self.mirrored else ""
        u_deg = math.degrees(self.known_to)
        tilt = ""
        if self.axis_tilt_deg is not None:
            tilt = f", axis tilted by {self.axis_tilt_deg:+.2f} +- {self.axis_tilt_u_deg or 0:.2f} deg"
        return f"turned by {self.rotation_deg:+.2f} +- {u_deg:.2f} deg, pixel x {self.scale:.4f}{mirrored}{tilt}"


ALIGNMENT = JsonFile("alignment.yaml", Alignment)
"""Written as JSON, which is YAML too, so that a recipe can name the file."""
