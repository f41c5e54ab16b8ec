"""Where the stage may be: soft limits, and an envelope that keeps the sample off the optics.

The check is made on every planned pose and on the path between two poses, before anything moves. It refuses; it never
looks for a way round.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise

from pydantic import Field

from xrm_control.core.errors import SafetyRefusal
from xrm_control.core.geometry import Pose
from xrm_control.core.model import Spec
from xrm_control.core.sample import SampleSpec
from xrm_control.devices.protocols import AxisDescription

_FIELDS = {"x": "x_um", "y": "y_um", "z": "z_um", "theta": "theta_deg"}


class SafetySpec(Spec):
    """Limits of the recipe, inside the limits of the controller."""

    x_um: tuple[float, float] | None = Field(
        default=None, description="tighter limits than the controller's; none: its own"
    )
    y_um: tuple[float, float] | None = None
    z_um: tuple[float, float] | None = None
    theta_deg: tuple[float, float] | None = None
    clearance_um: float = Field(
        default=3000.0, gt=0, description="distance along the beam from the rotation axis to the nearest optic"
    )


def limits(axes: Mapping[str, AxisDescription], spec: SafetySpec) -> dict[str, tuple[float, float]]:
    """The limits in force by axis: the recipe's, which must lie inside the controller's (else SafetyRefusal)."""
    found = {}
    for name, field in _FIELDS.items():
        axis = axes[name]
        low, high = axis.low_limit, axis.high_limit
        if low >= high:
            raise SafetyRefusal(
                "the controller has no limits set",
                where=f"axis {name}",
                value=f"[{low:g}, {high:g}] {axis.units}",
                remedy="set the soft limits in the controller first",
            )
        own = getattr(spec, field)
        if own is not None:
            if not low <= own[0] < own[1] <= high:
                raise SafetyRefusal(
                    "the recipe's limits do not lie inside the controller's",
                    where=f"safety.{field}",
                    value=f"[{own[0]:g}, {own[1]:g}] {axis.units}",
                    limit=f"[{low:g}, {high:g}] {axis.units}",
                    remedy="narrow the recipe's limits",
                )
            low, high = own
        found[name] = (low, high)
    return found


class Guard:
    """Refuses poses and paths outside the limits or the envelope."""

    def __init__(self, axes: Mapping[str, AxisDescription], spec: SafetySpec, sample: SampleSpec) -> None:
        self._axes = axes
        self._limits = limits(axes, spec)
        self._clearance_um = spec.clearance_um
        self._half_width_um = sample.strip_width_um / 2
        self._half_thickness_um = sample.strip_thickness_um / 2

    @property
    def limits(self) -> Mapping[str, tuple[float, float]]:
        """The limits in force by axis name."""
        return self._limits

    def check(self, pose: Pose, where: str) -> None:
        """Raise SafetyRefusal unless `pose` is inside limits and envelope; `where` says whose pose it is."""
        for name, field in _FIELDS.items():
            low, high = self._limits[name]
            value = getattr(pose, field)
            if not low <= value <= high:  # also refuses NaN
                units = self._axes[name].units
                raise SafetyRefusal(
                    f"axis {name} would leave its limits",
                    where=where,
                    value=f"{value:.3f} {units}",
                    limit=f"[{low:g}, {high:g}] {units}",
                    remedy="move the target inside the limits, or widen them if the hardware allows it",
                )
        reach = self.reach_um(pose)
        if reach > self._clearance_um:
            raise SafetyRefusal(
                "the sample would come too close to the optics",
                where=where,
                value=f"{reach:.0f} um from the rotation axis along the beam",
                limit=f"{self._clearance_um:g} um",
                remedy="check safety.clearance_um, sample.strip_width_um and the position",
            )

    def check_path(self, poses: Iterable[tuple[str, Pose]]) -> None:
        """Check named poses in order, and the sweep between neighbours in steps of at most 5 degrees."""
        named = list(poses)
        for where, pose in named:
            self.check(pose, where)
        for (_, start), (where, end) in pairwise(named):
            steps = math.ceil(abs(end.theta_deg - start.theta_deg) / 5)
            for step in range(1, steps):
                part = step / steps
                between = Pose(*(a + part * (b - a) for a, b in zip(_tuple(start), _tuple(end), strict=True)))
                self.check(between, f"on the way to {where}")

    def reach_um(self, pose: Pose) -> float:
        """How far the strip reaches along the beam from the rotation axis at this pose, in um."""
        theta = math.radians(pose.theta_deg)
        offset = abs(pose.x_um * math.sin(theta) - pose.z_um * math.cos(theta))
        half = self._half_width_um * abs(math.sin(theta)) + self._half_thickness_um * abs(math.cos(theta))
        return offset + half


def _tuple(pose: Pose) -> tuple[float, float, float, float]:
    return (pose.x_um, pose.y_um, pose.z_um, pose.theta_deg)
