"""Where the stage may be: soft limits, and an envelope that keeps the sample off the optics.

The check is made on every planned pose and on the path between two poses, before anything moves. It refuses; it never
looks for a way round.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xrm_control.core.diagnostics import Diagnostic
from xrm_control.core.errors import SafetyRefusal
from xrm_control.core.geometry import Pose
from xrm_control.core.model import Spec
from xrm_control.core.sample import SampleSpec
from xrm_control.devices.protocols import AxisDescription, InstrumentDescription

# Condenser and objective stand within two centimetres of the sample: with a larger number there would be no envelope.
USUAL_CLEARANCE_UM, MOST_CLEARANCE_UM = 3000.0, 20_000.0
_SWEEP_DEG = 5.0
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
        default=USUAL_CLEARANCE_UM,
        gt=0,
        le=MOST_CLEARANCE_UM,
        description="distance along the beam from the rotation axis to the nearest optic",
    )


def diagnose_clearance(spec: SafetySpec, instrument: InstrumentDescription) -> Iterator[Diagnostic]:
    """The envelope may be narrowed by a recipe, and never be wider than the instrument's."""
    known = instrument.clearance_um
    if known is not None and spec.clearance_um > known:
        yield Diagnostic(
            ("safety.clearance_um",),
            "the envelope would be wider than the instrument's",
            f"{spec.clearance_um:g} um",
            f"{known:g} um to the nearest optic of {instrument.name}",
            "narrow it, or leave it out",
            safety=True,
        )
    elif known is None and spec.clearance_um > USUAL_CLEARANCE_UM:
        yield Diagnostic(
            ("safety.clearance_um",),
            "the instrument's map does not say where its optics are, and no recipe may give them more room",
            f"{spec.clearance_um:g} um",
            f"{USUAL_CLEARANCE_UM:g} um where nobody measured it",
            "measure the distance from the rotation axis to the nearest optic, and write it as clearance_um of the map",
            safety=True,
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
            if own[0] >= own[1]:
                raise SafetyRefusal(
                    "the lower limit must be below the upper one",
                    where=f"safety.{field}",
                    value=f"[{own[0]:g}, {own[1]:g}] {axis.units}",
                    limit=f"[{low:g}, {high:g}] {axis.units}",
                    remedy=f"write [{own[1]:g}, {own[0]:g}]" if own[1] < own[0] else "write the lower limit first",
                )
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
            steps = math.ceil(abs(end.theta_deg - start.theta_deg) / _SWEEP_DEG)
            for step in range(1, steps):
                part = step / steps
                between = Pose(*(a + part * (b - a) for a, b in zip(_tuple(start), _tuple(end), strict=True)))
                self.check(between, f"on the way to {where}")

    def first_outside(self, poses: NDArray[np.float64]) -> int | None:
        """The first of the poses (n, 4) as x, y, z, theta that `check_path` would refuse, or the way to it."""
        outside = ~self._inside(poses)
        turns = np.ceil(np.abs(np.diff(poses[:, 3])) / _SWEEP_DEG)
        for step in range(1, int(turns.max(initial=0.0))):
            (ways,) = np.nonzero(turns > step)
            part = (step / turns[ways])[:, None]
            outside[ways + 1] |= ~self._inside(poses[ways] + part * (poses[ways + 1] - poses[ways]))
        return int(np.argmax(outside)) if outside.any() else None

    def _inside(self, poses: NDArray[np.float64]) -> NDArray[np.bool_]:
        low, high = np.array([self._limits[name] for name in _FIELDS]).T
        theta = np.radians(poses[:, 3])
        offset = np.abs(poses[:, 0] * np.sin(theta) - poses[:, 2] * np.cos(theta))
        half = self._half_width_um * np.abs(np.sin(theta)) + self._half_thickness_um * np.abs(np.cos(theta))
        return ((poses >= low) & (poses <= high)).all(axis=1) & (offset + half <= self._clearance_um)

    def reach_um(self, pose: Pose) -> float:
        """How far the strip reaches along the beam from the rotation axis at this pose, in um."""
        theta = math.radians(pose.theta_deg)
        offset = abs(pose.x_um * math.sin(theta) - pose.z_um * math.cos(theta))
        half = self._half_width_um * abs(math.sin(theta)) + self._half_thickness_um * abs(math.cos(theta))
        return offset + half


def _tuple(pose: Pose) -> tuple[float, float, float, float]:
    return (pose.x_um, pose.y_um, pose.z_um, pose.theta_deg)
