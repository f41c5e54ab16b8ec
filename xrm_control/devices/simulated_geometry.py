"""How the simulated microscope is put together, where it is not as drawn; each setting is off unless it is given."""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from simulators.config import MicroscopeConfig
from simulators.mechanics import AxisConfig
from simulators.stand import CameraStand
from xrm_control.core.model import Spec


class SimulatedCameraStand(Spec):
    """The camera against the stage."""

    rotation_deg: float = Field(
        default=0.0, ge=-45, le=45, description="of the picture's columns, from stage x towards stage y"
    )
    scale_x: float = Field(default=1.0, ge=0.5, le=2, description="true size of a pixel over the stated one, columns")
    scale_y: float = Field(default=1.0, ge=0.5, le=2, description="the same, rows")
    mirrored: bool = Field(default=False, description="columns run from right to left")
    transposed: bool = Field(default=False, description="rows are columns")


class SimulatedAxisErrors(Spec):
    """What the encoder of an axis does not tell, in um."""

    error_um: float = Field(default=0.0, ge=0, le=20, description="by what each move misses, root mean square")
    backlash_um: float = Field(default=0.0, ge=0, le=20, description="of a controller that does not take it up")
    scale: float = Field(default=1.0, ge=0.9, le=1.1, description="travelled over read back")


class SimulatedGeometry(Spec):
    """Everything that is not as drawn."""

    camera: SimulatedCameraStand = SimulatedCameraStand()
    axis_tilt_deg: float = Field(
        default=0.0, ge=-10, le=10, description="rotation axis in the picture, from stage y towards stage -x"
    )
    x: SimulatedAxisErrors = SimulatedAxisErrors()
    y: SimulatedAxisErrors = SimulatedAxisErrors()
    gain_drift: float = Field(
        default=0.0, ge=0, le=0.5, description="relative, root mean square, from frame to frame; no reading tells of it"
    )

    def applied(self, config: MicroscopeConfig) -> MicroscopeConfig:
        """The same instrument, put together in this way."""
        errors = {"x": self.x, "y": self.y}
        axes = tuple(
            (name, axis if (e := errors.get(name)) is None or e == SimulatedAxisErrors() else _with(axis, e))
            for name, axis in config.axes
        )
        stand = CameraStand(**self.camera.model_dump(), axis_tilt_deg=self.axis_tilt_deg)
        return replace(config, stand=stand, axes=axes, gain_drift=self.gain_drift)


def _with(axis: AxisConfig, errors: SimulatedAxisErrors) -> AxisConfig:
    changed = replace(axis, scale=errors.scale, error=errors.error_um)
    return replace(changed, backlash=errors.backlash_um, takes_up=False) if errors.backlash_um else changed
