"""The simulated microscope behind the device protocols: the only place that knows `simulators`.

The microscope is physics with time handed in; this adapter hands it the clock's time, waits as long as the physics
says, and verifies by read-back exactly as it would with hardware.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from simulators.config import AXES, BLOCKER_S, MicroscopeConfig, standing_still, turning_fully
from simulators.errors import Disconnected
from simulators.microscope import Microscope
from simulators.monitors import VALUES
from simulators.optics import PIXEL_UM
from simulators.realism import IDEAL
from simulators.specimen import SpecimenConfig
from xrm_control.core.clock import Clock
from xrm_control.core.errors import InstrumentUnreachable
from xrm_control.devices.backend import Backend
from xrm_control.devices.composed import ComposedInstrument
from xrm_control.devices.protocols import (
    AxisDescription,
    CameraDescription,
    Disturbance,
    InstrumentDescription,
    Observation,
)
from xrm_control.devices.scripted_faults import FaultSpec
from xrm_control.devices.simulated_devices import (
    SimulatedAxis,
    SimulatedBlocker,
    SimulatedCamera,
    SimulatedShutter,
    SimulatedSource,
)
from xrm_control.devices.simulated_geometry import SimulatedGeometry
from xrm_control.devices.simulated_realism import Level, SimulatedRealism, realism_of

# Along the beam, from the rotation axis to the nearest optic.
_CLEARANCE_UM = 3000.0


class SimulatedBackend(Backend):
    """A microscope that exists in this process only."""

    backend: Literal["simulated"] = "simulated"
    specimen: Literal["nmc811", "nmc622", "lfp", "silicon", "metal", "empty"] = Field(
        default="nmc811", description="what lies on the tape"
    )
    difficulty: float = Field(
        default=0.0,
        ge=0,
        le=2,
        description="of the powder: 0, lone sound particles; 1, contacts, cracks, satellites as in real ones; 2, worse",
    )
    layers: int = Field(
        default=1, ge=1, le=12, description="how many times as much powder as lies in one layer, fallen onto each other"
    )
    graphite_weight_percent: float = Field(
        default=0.0, ge=0, le=45, description="of all that lies on the tape: flakes of graphite among the particles"
    )
    binder_weight_percent: float = Field(
        default=0.0, ge=0, le=45, description="of all that lies on the tape: clots of polyvinylidene fluoride"
    )
    seed: int = Field(default=1, ge=0, le=2**32 - 1, description="same seed, same run to the bit")
    noise: bool = Field(default=True, description="false: no photon statistics, no read noise")
    still: bool = Field(
        default=False,
        description="nothing drifts, runs out or has play: with noise false a frame depends on its pose alone",
    )
    rendering: bool = Field(
        default=True,
        description="false: frames of blobs in place of the specimen, for nights of which no volume is wanted",
    )
    axis_offset_um: float | None = Field(
        default=None, ge=-20, le=20, description="rotation axis off the detector's centre; none: drawn from the seed"
    )
    rotation: Literal["half", "full"] = Field(
        default="half", description="how far the rotation goes: half, +-95 degrees; full, +-365"
    )
    faults: tuple[FaultSpec, ...] = ()
    geometry: SimulatedGeometry = Field(
        default=SimulatedGeometry(), description="how it is put together, where that is not as drawn"
    )

    realism: Level | SimulatedRealism = Field(
        default="ideal",
        description="what a real instrument adds: ideal, nothing; lab, a good one; bad; or single effects",
    )

    blocker: bool | None = Field(
        default=None,
        description="whether it has an opaque blade for the beam, behind which stray light is measured; none: where "
        "realism is not ideal",
    )

    @model_serializer(mode="wrap")
    def _as_before(self, said: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what is as it always was: recipes from before there was such a setting keep their hash."""
        content: dict[str, Any] = said(self)
        as_ever: dict[str, Any] = {
            "difficulty": 0.0,
            "layers": 1,
            "graphite_weight_percent": 0.0,
            "binder_weight_percent": 0.0,
            "still": False,
            "rendering": True,
            "rotation": "half",
            "geometry": SimulatedGeometry(),
            "realism": "ideal",
            "blocker": None,
        }
        return {n: value for n, value in content.items() if n not in as_ever or getattr(self, n) != as_ever[n]}

    @property
    def simulated(self) -> bool:
        """See `Backend.simulated`."""
        return True

    def values(self) -> Mapping[str, str]:
        """See `Backend.values`."""
        return VALUES

    def describe(self) -> InstrumentDescription:
        """See `Backend.describe`."""
        return _description(self._microscope())

    def open(self, clock: Clock) -> SimulatedInstrument:
        """See `Backend.open`."""
        return SimulatedInstrument(self._microscope(clock.begun_s), clock)

    @property
    def _has_blocker(self) -> bool:
        return realism_of(self.realism) != IDEAL if self.blocker is None else self.blocker

    def _microscope(self, begun_s: float = 0.0) -> Microscope:
        """Switched on at begun_s: what was scripted for before is over."""
        config = self._config(begun_s)
        return Microscope(standing_still(config) if self.still else config)

    def _config(self, begun_s: float) -> MicroscopeConfig:
        config = MicroscopeConfig(
            seed=self.seed,
            specimen=SpecimenConfig(
                preset=self.specimen,
                difficulty=self.difficulty,
                layers=self.layers,
                graphite_weight_percent=self.graphite_weight_percent,
                binder_weight_percent=self.binder_weight_percent,
            ),
            noise=self.noise,
            rendering=self.rendering,
            illumination_unevenness=MicroscopeConfig.illumination_unevenness if self.rendering else 0.0,
            axis_offset_um=self.axis_offset_um,
            axes=AXES if self.rotation == "half" else turning_fully(AXES),
            faults=tuple(spec.fault() for spec in self.faults if not spec.over(begun_s)),
            begun_s=begun_s,
            realism=realism_of(self.realism),
            blocker_s=BLOCKER_S if self._has_blocker else None,
        )
        return self.geometry.applied(config)


class SimulatedInstrument(ComposedInstrument):
    """See `protocols.Instrument`. `microscope` is the thing itself, for whoever stands beside it."""

    def __init__(self, microscope: Microscope, clock: Clock) -> None:
        self.microscope = microscope
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._offsets: dict[str, float] = {}
        about = _description(microscope)
        super().__init__(
            about,
            axes={name: SimulatedAxis(name, axis, microscope, clock) for name, axis in about.axes.items()},
            camera=SimulatedCamera(microscope, clock),
            shutter=SimulatedShutter(microscope, clock),
            source=SimulatedSource(microscope, clock),
            blocker=None if about.blocker_s is None else SimulatedBlocker(microscope, clock),
        )

    async def connect(self) -> None:
        """See `Instrument.connect`."""
        now_s = self._clock.now_s()
        try:
            self.microscope.source(now_s)
            for name in self.axes:
                self._offsets.setdefault(name, self.microscope.axis_offset(name, now_s))
        except Disconnected as error:
            raise InstrumentUnreachable(
                f"the simulated microscope does not answer: {error}", remedy="look at instrument.faults"
            ) from error

    def settings_changed(self) -> tuple[Disturbance, ...]:
        """See `Instrument.settings_changed`."""
        now_s = self._clock.now_s()
        try:
            now = {name: self.microscope.axis_offset(name, now_s) for name in self._offsets}
        except Disconnected:
            # Whoever asks a device next will meet that.
            return ()
        changed = ((name, was, self._description.axes[name].units) for name, was in self._offsets.items())
        return tuple(
            Disturbance(
                "axis", f"the offset of axis {name} was changed from {was:g} to {now[name]:g} {units}", f"axis {name}"
            )
            for name, was, units in changed
            if now[name] != was
        )

    async def observe(self, name: str) -> Observation:
        """See `Instrument.observe`."""
        return self._observation(name, self._clock.now_s())

    def observed(self, name: str, since_s: float, until_s: float) -> tuple[Observation, ...]:
        """See `Instrument.observed`."""
        return tuple(self._observation(name, t_s) for t_s in self.microscope.monitor_changes(name, since_s, until_s))

    def _observation(self, name: str, t_s: float) -> Observation:
        try:
            value = self.microscope.monitor(name, t_s)
        except Disconnected:
            value = None
        except KeyError:
            return Observation(None, t_s, problem="the instrument offers no such value")
        return Observation(value, t_s, problem="it does not answer" if value is None else "")

    def halt(self) -> None:
        """See `Instrument.halt`. The physics belongs to the loop, whoever asks."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.halt_devices)

    def halt_devices(self) -> None:
        """See `ComposedInstrument.halt_devices`; the exposure ends too."""
        now_s = self._clock.now_s()
        with contextlib.suppress(Disconnected):
            self.microscope.set_shutter(False, now_s)
            for name in self.axes:
                self.microscope.stop(name, now_s)
            self.microscope.abort_exposure(now_s)

    def truth(self) -> Mapping[str, Any] | None:
        """See `Instrument.truth`; of blobs there is none to tell."""
        return self.microscope.truth() if self.microscope.config.rendering else None


def _description(microscope: Microscope) -> InstrumentDescription:
    about = microscope.describe()
    # The simulator's words for an axis are the product's.
    axes = {name: AxisDescription(**asdict(axis)) for name, axis in about.axes.items()}
    camera = CameraDescription(
        about.camera.width_px,
        about.camera.height_px,
        about.camera.pixel_um,
        dict(about.camera.readout_s),
        2**about.camera.bit_depth - 1,
        microscope.counts_per_photon,
        microscope.dark_counts,
    )
    # The simulator states its flux per usual pixel at binning 8, whatever camera it carries.
    flux_per_um2_s = microscope.config.photons_per_pixel_s / (8 * PIXEL_UM) ** 2
    return InstrumentDescription(
        "simulated microscope",
        axes,
        camera,
        about.shutter_s,
        about.energy_kev,
        flux_per_um2_s,
        _CLEARANCE_UM,
        microscope.config.blocker_s,
    )
