"""What the engine carries out: frames at poses, as frozen records that know no hardware."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xrm_control.core.cost import Cost
from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose
from xrm_control.core.states import FrameKind
from xrm_control.devices.protocols import CameraDescription, InstrumentDescription

_FRAME_OVERHEAD_BYTES = 3_000
_AXES = {"x": "x_um", "y": "y_um", "z": "z_um", "theta": "theta_deg"}


@dataclass(frozen=True)
class FrameStep:
    """One frame to be taken. `index` counts those of its kind in the acquisition; of tiles, in snake order. `blocked`:
    with the opaque blade in the beam.
    """

    frame_id: FrameId
    kind: FrameKind
    index: int
    pose: Pose
    shutter_open: bool = True
    blocked: bool = False


@dataclass(frozen=True)
class Acquisition:
    """Steps that share the camera's settings. `stage` is ``mosaic`` or the ROI's name."""

    stage: str
    binning: int
    exposure_s: float
    steps: tuple[FrameStep, ...]

    def of_kind(self, kind: FrameKind) -> tuple[FrameStep, ...]:
        """The steps of one kind, in order."""
        return tuple(step for step in self.steps if step.kind == kind)

    def cost(self, camera: CameraDescription) -> Cost:
        """See `cost_of_frames`."""
        return cost_of_frames(len(self.steps), self.binning, camera)


def cost_of_frames(count: int, binning: int, camera: CameraDescription) -> Cost:
    """So many frames on the disk, 16 bit, with the TIFF's header and the journal's rows for plan, intent and commit."""
    pixels = (camera.width_px // binning) * (camera.height_px // binning)
    return Cost(disk_bytes=count * (2 * pixels + _FRAME_OVERHEAD_BYTES))


@dataclass(frozen=True)
class TimeState:
    """Where planning in time has come to."""

    pose: Pose
    shutter_open: bool
    elapsed_s: float = 0.0
    blocked: bool = False


def axis_targets(pose: Pose) -> Mapping[str, float]:
    """A pose as axis name -> target (um, deg)."""
    return {axis: getattr(pose, field) for axis, field in _AXES.items()}


def move_s(start: Pose, end: Pose, instrument: InstrumentDescription) -> float:
    """Time of a move of all axes at once: the slowest of those that have to move, in s."""
    old, new = axis_targets(start), axis_targets(end)
    return max(
        (instrument.axes[axis].move_duration_s(old[axis], new[axis]) for axis in old if old[axis] != new[axis]),
        default=0.0,
    )


def duration(acquisition: Acquisition, start: TimeState, instrument: InstrumentDescription) -> TimeState:
    """Walk the steps in time: the state after the last one."""
    pose, shutter_open, elapsed_s, blocked = start.pose, start.shutter_open, start.elapsed_s, start.blocked
    frame_s = acquisition.exposure_s + instrument.camera.readout_s[acquisition.binning]
    for step in acquisition.steps:
        elapsed_s += move_s(pose, step.pose, instrument)
        if step.shutter_open != shutter_open:
            elapsed_s += instrument.shutter_s
        if step.blocked != blocked:
            elapsed_s += instrument.blocker_s or 0.0
        elapsed_s += frame_s
        pose, shutter_open, blocked = step.pose, step.shutter_open, step.blocked
    return TimeState(pose, shutter_open, elapsed_s, blocked)
