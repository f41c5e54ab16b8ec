"""The truth of an instrument whose parts do not stand as drawn; of one that does, nothing is added."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from simulators.config import MicroscopeConfig
from simulators.mechanics import AxisConfig
from simulators.stand import turn


def stage_truth(truth: dict[str, Any], config: MicroscopeConfig) -> dict[str, Any]:
    """`truth` with what is out of the way, by name: camera, tilt of the axis, axes of the stage, drift of the gain.

    The specimen is held in the frame of the rotation axis; where that is tilted its places are told on the stage.
    """
    stand = config.stand
    told = dict(truth)
    if stand.axis_tilt_deg:
        told["rotation_axis"] = {**truth["rotation_axis"], "tilt_deg": stand.axis_tilt_deg}
        to_stage = turn(stand.axis_tilt_deg)
        for bodies in ("particles", "voids"):
            told[bodies] = [_moved(body, to_stage) for body in truth[bodies]]
    if not replace(stand, axis_tilt_deg=0.0).straight:
        told["camera"] = stand.truth()
    stage = {name: found for name, axis in config.axes if (found := _unseen(axis))}
    if stage:
        told["stage"] = stage
    if config.gain_drift:
        told["gain_drift"] = config.gain_drift
    return told


def _moved(body: dict[str, Any], to_stage: Any) -> dict[str, Any]:
    x_um, y_um = (to_stage @ (body["x_um"], body["y_um"])).tolist()
    return {**body, "x_um": x_um, "y_um": y_um}


def _unseen(axis: AxisConfig) -> dict[str, Any]:
    """What the encoder of an axis does not tell, in its units."""
    found: dict[str, Any] = {}
    if axis.scale != 1.0:
        found["scale"] = axis.scale
    if axis.error:
        found["error_rms"] = axis.error
    if not axis.takes_up:
        found["backlash"] = axis.backlash
    return found
