"""Was everything still while a frame was exposed? What the statuses say of it, as the error that it means."""

from __future__ import annotations

from collections.abc import Mapping

from xrm_control.acquisition.steps import FrameStep, axis_targets
from xrm_control.core.errors import AxisSlipped, BeamLost, DeviceError, FrameUnusable, MotionInterrupted
from xrm_control.core.geometry import Pose
from xrm_control.devices.protocols import AxisDescription, AxisReading, Disturbance


class CameraChanged(FrameUnusable):
    """The camera was not set as it was configured, or is an exposure behind: it has to be configured anew."""


def disturbed(step: FrameStep, disturbances: tuple[Disturbance, ...]) -> DeviceError | None:
    """What the instrument noticed during the exposure; losing beam goes first, for it is waited for."""
    of_beam = [one for one in disturbances if one.kind == "beam" and step.shutter_open]
    others = [one for one in disturbances if one.kind != "beam"]
    found = of_beam or others
    if not found:
        return None
    what = "; ".join(f"{one.what} during the exposure" for one in found)
    where = f"{step.frame_id}, {', '.join(dict.fromkeys(one.where for one in found))}"
    if of_beam:
        return BeamLost(what, where=where)
    if any(one.kind == "camera" for one in found):
        return CameraChanged(what, where=where)
    return FrameUnusable(what, where=where)


def moved(
    step: FrameStep, before: Pose, readings: Mapping[str, AxisReading], axes: Mapping[str, AxisDescription]
) -> DeviceError | None:
    """Whether an axis is not where it was commanded, or not where it was verified before the exposure."""
    was, wanted = axis_targets(before), axis_targets(step.pose)
    for name, reading in readings.items():
        about, now = axes[name], reading.position
        facts = {
            "where": f"{step.frame_id}, axis {name}",
            "value": f"{now:.3f} {about.units}",
            "limit": f"{wanted[name]:.3f} +- {about.tolerance:g} {about.units}, {was[name]:.3f} before the exposure",
        }
        if reading.moving:
            # Whoever moves it is given the time to finish.
            return MotionInterrupted("somebody else moved the axis during the exposure", **facts)
        if not (abs(now - wanted[name]) <= about.tolerance and abs(now - was[name]) <= about.tolerance):
            return AxisSlipped("the axis is not where it was before the exposure", **facts)
    return None


def meaning_lost(changed: tuple[Disturbance, ...], where: str) -> MotionInterrupted | None:
    """Whether positions do not mean any more what they meant when the run began."""
    if not changed:
        return None
    return MotionInterrupted(
        "; ".join(one.what for one in changed),
        where=f"{where}, {', '.join(dict.fromkeys(one.where for one in changed))}",
        remedy="set it back, or start a new run: positions no longer mean what they meant when this one began",
    )
