"""References (flats) and darks: when they are taken, and where the beam is clear of the sample."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xrm_control.core.diagnostics import Diagnostic
from xrm_control.core.family import Family
from xrm_control.core.geometry import Pose, projected_half_width_um
from xrm_control.core.model import Spec
from xrm_control.core.sample import SampleSpec

MOST_MARGIN_UM = 10_000.0
REFERENCE_SCHEMES = Family("xrm_control.acquisition.schemes", group="xrm_control.reference_schemes")


class ReferenceScheme(Spec):
    """When references are taken during a scan, and how many each time."""

    count: int = Field(default=10, ge=1, le=1000, description="references each time")

    def diagnose(self, projections: int) -> Iterator[Diagnostic]:
        """What is doubtful about it in a scan of so many projections."""
        yield from ()

    @abstractmethod
    def after(self, projections: int) -> tuple[int, ...]:
        """Numbers of projections after which a set is taken: 0 is before the first."""


def standing_out(sample: SampleSpec, highest_um: float | None) -> SampleSpec:
    """The sample at a place where powder reaches `highest_um` above z = 0, None: unknown; never thinner than stated.

    A giant on the strip stands out of its stated thickness, and edge-on it would hang into the flats.
    """
    if highest_um is None or 2 * highest_um <= sample.strip_thickness_um:
        return sample
    return sample.model_copy(update={"strip_thickness_um": 2 * highest_um})


def clear_pose(pose: Pose, sample: SampleSpec, field_of_view_um: float, margin_um: float) -> Pose:
    """The nearest pose at the same theta with the whole strip outside the field of view.

    The strip's shadow is half `w` wide; the stage moves across the beam only, along (cos theta, sin theta) in (x, z),
    to the nearer side. Works at any theta: sideways by x when facing the beam, by z when edge-on.
    """
    theta = math.radians(pose.theta_deg)
    across = (math.cos(theta), math.sin(theta))
    now = pose.x_um * across[0] + pose.z_um * across[1]
    half = projected_half_width_um(sample.strip_width_um, sample.strip_thickness_um, pose.theta_deg)
    clear = math.copysign(half + field_of_view_um / 2 + margin_um, now if now else 1.0)
    # Already clear on this side: stay.
    step = clear - now if abs(now) < abs(clear) else 0.0
    return replace(pose, x_um=pose.x_um + step * across[0], z_um=pose.z_um + step * across[1])


def clear_poses(
    poses: NDArray[np.float64], sample: SampleSpec, field_of_view_um: float, margin_um: float
) -> NDArray[np.float64]:
    """`clear_pose` of many poses (n, 4) as x, y, z, theta."""
    theta = np.radians(poses[:, 3])
    cosine, sine = np.cos(theta), np.sin(theta)
    now = poses[:, 0] * cosine + poses[:, 2] * sine
    half = (sample.strip_width_um * np.abs(cosine) + sample.strip_thickness_um * np.abs(sine)) / 2
    clear = np.copysign(half + field_of_view_um / 2 + margin_um, np.where(now == 0, 1.0, now))
    step = np.where(np.abs(now) < np.abs(clear), clear - now, 0.0)
    found = poses.copy()
    found[:, 0] += step * cosine
    found[:, 2] += step * sine
    return found
