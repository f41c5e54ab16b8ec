"""Which class stands behind which part of a map: axes by their kind, frames by their plugin."""

from __future__ import annotations

from xrm_control.core.clock import Clock
from xrm_control.devices.epics import frames_array, frames_hdf5, frames_tiff
from xrm_control.devices.epics.axis import EpicsAxis
from xrm_control.devices.epics.axis_map import PlainAxisMap
from xrm_control.devices.epics.camera import FrameSource
from xrm_control.devices.epics.camera_map import ArrayFrames, Hdf5Frames
from xrm_control.devices.epics.pixels import FrameType
from xrm_control.devices.epics.plain_axis import PlainAxis
from xrm_control.devices.epics.pv_map import PvMap
from xrm_control.devices.epics.registry import Registry


def make_axis(name: str, pv_map: PvMap, registry: Registry, clock: Clock) -> EpicsAxis | PlainAxis:
    """The axis of that name."""
    about = pv_map.axes[name]  # type: ignore[index]
    if isinstance(about, PlainAxisMap):
        return PlainAxis(name, about, pv_map, registry, clock)
    encoder = pv_map.full(about.readback.pv) if about.readback else None
    return EpicsAxis(name, about, pv_map.full(about.record), registry, clock, encoder)


def make_frames(pv_map: PvMap, registry: Registry) -> FrameSource:
    """Where the camera's frames are fetched."""
    frames = pv_map.camera.frames
    prefix, kind = pv_map.full(frames.prefix), FrameType(pv_map.full(pv_map.camera.prefix), registry)
    if isinstance(frames, ArrayFrames):
        return frames_array.ArraySource(prefix, kind, registry)
    if isinstance(frames, Hdf5Frames):
        return frames_hdf5.source(frames, prefix, kind, registry)
    return frames_tiff.source(frames, prefix, kind, registry)
