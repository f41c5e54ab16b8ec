"""Every PV of a map, by what it belongs to."""

from __future__ import annotations

from xrm_control.devices.epics import axis, beam, camera, frames_array, frames_hdf5, panel, supervision
from xrm_control.devices.epics.pv_map import ArrayFrames, PvMap


def groups(pv_map: PvMap) -> dict[str, list[str]]:
    """Full names, directly in the map or as fields, under the part that uses them; no part is empty."""
    full, frames = pv_map.full, pv_map.camera.frames
    found = {f"axis {name}": list(axis.pvs(full(about.record)).values()) for name, about in pv_map.axes.items()}
    found["camera"] = list(camera.pvs(full(pv_map.camera.prefix)).values())
    module = frames_array if isinstance(frames, ArrayFrames) else frames_hdf5
    found[f"frames by {frames.kind}"] = list(module.pvs(full(frames.prefix)).values())
    found["shutter and source"] = list(dict.fromkeys(beam.pvs(pv_map)))
    found["supervision"] = supervision.pvs(pv_map)
    if pv_map.scan_panel is not None:
        found["scan panel"] = list(panel.pvs(full(pv_map.scan_panel.prefix)).values())
    return {name: pvs for name, pvs in found.items() if pvs}


def all_pvs(pv_map: PvMap) -> list[str]:
    """Every full name once."""
    return list(dict.fromkeys(pv for group in groups(pv_map).values() for pv in group))


def urgent_pvs(pv_map: PvMap) -> list[str]:
    """Full names of what stopping needs: they are reached on a circuit of their own as well."""
    full = pv_map.full
    axes = [pv for about in pv_map.axes.values() for pv in axis.urgent_pvs(full(about.record))]
    return [*axes, *camera.urgent_pvs(full(pv_map.camera.prefix)), *beam.urgent_pvs(pv_map)]


def commanded_pvs(pv_map: PvMap) -> list[str]:
    """Full names of what two sessions must not both command."""
    full = pv_map.full
    acquire = camera.pvs(full(pv_map.camera.prefix))["Acquire"]
    return [*(full(about.record) for about in pv_map.axes.values()), acquire, full(pv_map.shutter.close.pv)]
