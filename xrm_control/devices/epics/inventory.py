"""Every PV of a map, by what it belongs to, and which of them a run writes."""

from __future__ import annotations

from xrm_control.devices.epics import (
    axis,
    beam,
    blocker,
    camera,
    frames_array,
    frames_file,
    pixels,
    plain_axis,
    scan_status,
    shutter,
    supervision,
)
from xrm_control.devices.epics.axis_map import AxisMap, PlainAxisMap
from xrm_control.devices.epics.pv_map import ArrayFrames, PvMap
from xrm_control.devices.epics.shutter_map import BladeMap

# Fields of the frames' plugin that a run sets; the others it only reads.
_SET_BY_US = {*frames_file.WRITTEN, "FilePath"}


def groups(pv_map: PvMap) -> dict[str, list[str]]:
    """Full names, directly in the map or as fields, under the part that uses them; no part is empty."""
    full, frames = pv_map.full, pv_map.camera.frames
    found = {f"axis {name}": _axis(pv_map, about) for name, about in pv_map.axes.items()}
    found["camera"] = _camera(pv_map)
    found[f"frames by {frames.kind}"] = list(_frames(pv_map).values())
    found["shutter and source"] = list(dict.fromkeys(beam.pvs(pv_map)))
    found["opaque blade"] = blocker.pvs(pv_map)
    found["supervision"] = supervision.pvs(pv_map)
    if pv_map.scan_status is not None:
        found["scan status"] = list(scan_status.pvs(full(pv_map.scan_status.prefix)).values())
    return {name: pvs for name, pvs in found.items() if pvs}


def all_pvs(pv_map: PvMap) -> list[str]:
    """Every full name once."""
    return list(dict.fromkeys(pv for group in groups(pv_map).values() for pv in group))


def urgent_pvs(pv_map: PvMap) -> list[str]:
    """Full names of what stopping needs: they are reached on a circuit of their own as well."""
    full = pv_map.full
    axes = [
        pv
        for about in pv_map.axes.values()
        for pv in (
            plain_axis.urgent_pvs(about, pv_map)
            if isinstance(about, PlainAxisMap)
            else axis.urgent_pvs(full(about.record))
        )
    ]
    return [*axes, *camera.urgent_pvs(full(pv_map.camera.prefix)), *shutter.urgent_pvs(pv_map), *blocker.pvs(pv_map)]


def commanded_pvs(pv_map: PvMap) -> list[str]:
    """Full names of what two sessions must not both command."""
    full = pv_map.full
    acquire = camera.pvs(full(pv_map.camera.prefix))["Acquire"]
    axes = [one.setpoint if isinstance(one, PlainAxisMap) else one.record for one in pv_map.axes.values()]
    shutters = [blade.close.pv for blade in _blades(pv_map)]
    return [acquire, *map(full, (*axes, *shutters))]


def written_pvs(pv_map: PvMap) -> list[str]:
    """Full names of what a run writes."""
    full, about = pv_map.full, pv_map.supervision
    found: list[str] = []
    for one in pv_map.axes.values():
        if isinstance(one, AxisMap):
            fields = axis.pvs(full(one.record))
            found += [fields["VAL"], fields["STOP"], fields["SPMG"]]
        else:
            found += [full(one.setpoint), *([full(one.stop.pv)] if one.stop else [])]
    commands = [command.pv for blade in _blades(pv_map) for command in (blade.open, blade.close)]
    found += [full(pv) for pv in (*commands, about.kick, about.owner) if pv]
    found += [pv for pv in _camera(pv_map) if not pv.endswith("_RBV") and not pv.endswith(":DataType")]
    found += [pv for field, pv in _frames(pv_map).items() if not field.endswith("_RBV") and field in _SET_BY_US]
    if pv_map.scan_status is not None:
        found += scan_status.pvs(full(pv_map.scan_status.prefix)).values()
    return list(dict.fromkeys(found))


def _blades(pv_map: PvMap) -> tuple[BladeMap, ...]:
    """Shutters, and the opaque blade."""
    return (*pv_map.shutter.in_order, *(() if pv_map.blocker is None else (pv_map.blocker,)))


def _axis(pv_map: PvMap, about: AxisMap | PlainAxisMap) -> list[str]:
    if isinstance(about, PlainAxisMap):
        return [pv_map.full(pv) for pv in about.pvs]
    encoder = [pv_map.full(about.readback.pv)] if about.readback else []
    return [*axis.pvs(pv_map.full(about.record)).values(), *encoder]


def _camera(pv_map: PvMap) -> list[str]:
    """Without the binning's PVs where the camera has none."""
    prefix = pv_map.full(pv_map.camera.prefix)
    fields = {**camera.pvs(prefix), **pixels.pvs(prefix)}
    return [pv for field, pv in fields.items() if pv_map.camera.has_binning or not field.startswith("Bin")]


def _frames(pv_map: PvMap) -> dict[str, str]:
    frames = pv_map.camera.frames
    module = frames_array if isinstance(frames, ArrayFrames) else frames_file
    return module.pvs(pv_map.full(frames.prefix))
