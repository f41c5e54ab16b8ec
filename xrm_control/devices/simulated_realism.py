"""What the simulated microscope has of a real one, as a recipe says it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Literal

from pydantic import Field

from simulators.realism import PRESETS, Realism
from xrm_control.core.model import Spec

Level = Literal["ideal", "lab", "bad"]


class SimulatedRealism(Spec):
    """Single effects; each is as in the preset unless it is given."""

    preset: Level = Field(default="ideal", description="what is not given below")
    stray_share: float | None = Field(default=None, ge=0, le=0.2, description="even light, of the open beam")
    spread_share: float | None = Field(default=None, ge=0, le=0.5, description="light spread by the scintillator")
    spread_um: float | None = Field(default=None, gt=0, le=50, description="the length on which it falls off")
    kbeta_share: float | None = Field(default=None, ge=0, le=0.5, description="light of a line that is stopped less")
    adhesive_um: float | None = Field(default=None, ge=0, le=200, description="glue between tape and powder")
    vignetting: float | None = Field(default=None, ge=0, le=0.9, description="light that the corners lack")
    spot: float | None = Field(
        default=None, ge=0, le=5, description="direct beam in the middle, over what is around it"
    )
    texture: float | None = Field(default=None, ge=0, le=0.3, description="grain of the light, root mean square")
    texture_drift_um: float | None = Field(default=None, ge=0, le=20, description="how far the grain wanders in 1 h")
    read_noise_photons: float | None = Field(default=None, ge=0, le=100, description="of the camera, in photons")
    column_gain: float | None = Field(default=None, ge=0, le=0.2, description="columns' gains, root mean square")
    nonlinearity: float | None = Field(default=None, ge=0, le=0.5, description="share that full scale lacks")
    afterglow: float | None = Field(default=None, ge=0, le=0.2, description="share of the frame before")
    defocus_um: float | None = Field(default=None, ge=-500, le=500, description="along the beam")
    run_out_um: float | None = Field(default=None, ge=0, le=2, description="anew at each move, root mean square")
    drift_um_h: float | None = Field(default=None, ge=0, le=50, description="of the sample, across the beam")
    vibration_um: float | None = Field(default=None, ge=0, le=2, description="within an exposure, root mean square")
    movers: float | None = Field(default=None, ge=0, le=1, description="share of the particles that hop once")
    mover_um: float | None = Field(default=None, ge=0, le=50, description="how far they hop")
    movers_within_s: float | None = Field(default=None, gt=0, le=1e6, description="when: within so long; 4 h")

    def as_built(self) -> Realism:
        """For the simulator."""
        given = {one.name: getattr(self, one.name, None) for one in fields(Realism)}
        return replace(PRESETS[self.preset], **{name: value for name, value in given.items() if value is not None})


def realism_of(setting: Level | SimulatedRealism) -> Realism:
    """From what a recipe says."""
    return PRESETS[setting] if isinstance(setting, str) else setting.as_built()
