"""The simulated microscope: one instrument made of axes, source, shutter, optics, camera and a specimen.

Discrete-event physics without a clock: every method is told the instrument time t_s, which must not decrease. A frame
is made when it is read, from the motions and the light during its exposure; it depends on the seed, the frame's number
and what the instrument did, never on when or how often it is read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from simulators.camera import Sensor
from simulators.config import MicroscopeConfig
from simulators.description import (
    AxisName,
    AxisState,
    CameraFrame,
    Exposure,
    MicroscopeDescription,
    MoveReport,
    ShutterState,
    SourceState,
)
from simulators.errors import Disconnected, SimulationError
from simulators.faults import Fault, FaultScript
from simulators.light_path import LightPath, camera_of
from simulators.mechanics import AxisModel
from simulators.misplaced import stage_truth
from simulators.monitors import Monitors
from simulators.seeding import generator
from simulators.source import Shutter, Source, without
from simulators.specimen import Specimen
from simulators.trace import ExposureSeen, Latched, SettingChange, Trace


@dataclass(frozen=True)
class _Taken:
    """An exposure as it was ordered. first: since the camera was armed anew."""

    number: int
    begin_s: float
    end_s: float
    ready_s: float
    binning: int
    fault: str | None
    unique_id: int
    aborted: bool = False
    first: bool = False


class Microscope:
    """The instrument. Cheap to make: the specimen is built when it is first looked at."""

    def __init__(self, config: MicroscopeConfig) -> None:
        self.config = config
        self._faults = FaultScript(config.faults)
        self._axes = {name: AxisModel(name, axis, config.seed, self._faults) for name, axis in config.axes}
        self._source = Source(config.flux_drift, config.seed, self._faults)
        self._shutter = Shutter(config.shutter_s, self._faults)
        self._monitors = Monitors(self._source, self._faults)
        self._front_end = Shutter(config.front_end_s, FaultScript(()), is_open=True)
        # In the beam it is closed.
        self._blade = Shutter(config.blocker_s or 0.0, FaultScript(()), is_open=True)
        self._camera = camera_of(config)
        self._path = LightPath(config, self._camera, self._axes, self._source)
        self._sensor = Sensor(self._camera, config.seed, config.noise, config.begun_s)
        self._binning, self._exposure_s = 8, 1.0
        self._taken: list[_Taken] = []
        self._begins_s: list[float] = []
        self._counter = 0
        self._armed = False
        self._settings: list[SettingChange] = []

    @property
    def counts_per_photon(self) -> float:
        """What a detected photon adds to a pixel's counts."""
        return self._camera.gain

    @property
    def dark_counts(self) -> float:
        """The counts of a pixel without light."""
        return self._camera.dark_offset

    def describe(self) -> MicroscopeDescription:
        """Axes, camera, shutter and energy; static, and needs no specimen."""
        axes: dict[AxisName, Any] = {name: axis.describe() for name, axis in self.config.axes}
        return MicroscopeDescription(axes, self._camera.describe(), self.config.shutter_s, self.config.energy_kev)

    def move(
        self,
        axis: str,
        target: float,
        t_s: float,
        *,
        speed: float | None = None,
        acceleration: float | None = None,
        limited: bool = True,
    ) -> MoveReport:
        """Send an axis to a target (um or deg); refused beyond a soft limit. KeyError for an unknown axis.

        Speed and acceleration are the axis's own unless given; not `limited`, only its switches hold it.
        """
        self._connected(t_s)
        return self._axis(axis).move(float(target), t_s, speed=speed, acceleration=acceleration, limited=limited)

    def stop(self, axis: str, t_s: float) -> float:
        """Brake an axis; returns when it stands."""
        self._connected(t_s)
        return self._axis(axis).stop(t_s)

    def axis(self, axis: str, t_s: float) -> AxisState:
        """Read-back of an axis."""
        self._connected(t_s)
        return self._axis(axis).state(t_s)

    def set_shutter(self, open_: bool, t_s: float) -> float:
        """Open or close the shutter; returns when it should have arrived."""
        self._connected(t_s)
        return self._shutter.command(open_, t_s)

    def shutter(self, t_s: float) -> ShutterState:
        """Read-back of the shutter."""
        self._connected(t_s)
        return self._shutter.state(t_s)

    def set_front_end(self, open_: bool, t_s: float) -> float:
        """Open or close the shutter upstream of all, open at time 0; returns when it should have arrived."""
        self._connected(t_s)
        return self._front_end.command(open_, t_s)

    def front_end(self, t_s: float) -> ShutterState:
        """Read-back of the front-end shutter."""
        self._connected(t_s)
        return self._front_end.state(t_s)

    def set_blocker(self, in_: bool, t_s: float) -> float:
        """Bring the opaque blade into the beam or out of it; returns when it should have arrived. SimulationError
        where there is none.
        """
        self._connected(t_s)
        if self.config.blocker_s is None:
            raise SimulationError("blocker: the microscope has none")
        return self._blade.command(not in_, t_s)

    def blocker(self, t_s: float) -> ShutterState:
        """Read-back of the blade: open is out of the beam."""
        self._connected(t_s)
        return self._blade.state(t_s)

    def source(self, t_s: float) -> SourceState:
        """Whether beam comes, and how much; none while the front end is closed."""
        self._connected(t_s)
        return self._source.state(t_s) if self._front_end.state(t_s).open else SourceState(False, 0.0)

    def monitor(self, name: str, t_s: float) -> float | None:
        """A value of `simulators.monitors`; None while it does not answer."""
        self._connected(t_s)
        return self._monitors.value(name, t_s)

    def monitor_changes(self, name: str, begin_s: float, end_s: float) -> tuple[float, ...]:
        """When a fault changes such a value."""
        return self._monitors.changes(name, begin_s, end_s)

    def interlock_ok(self, t_s: float) -> bool:
        """Whether the radiation interlock is closed."""
        self._connected(t_s)
        return not self._faults.active("interlock", t_s)

    def configure_camera(self, binning: int, exposure_s: float, t_s: float) -> None:
        """For the exposures that follow; ValueError for a binning the camera lacks or an exposure of no time."""
        self._connected(t_s)
        binnings = dict(self._camera.readout_s)
        if binning not in binnings:
            raise ValueError(f"camera: binning {binning} is not one of {', '.join(map(str, binnings))}")
        if not 0.0 < exposure_s < float("inf"):
            raise ValueError(f"camera: exposure {exposure_s} s is not positive")
        self._binning, self._exposure_s = binning, float(exposure_s)
        self._settings.append(SettingChange(t_s, "camera", f"binning {binning}, exposure {exposure_s:g} s"))

    def arm_camera(self, t_s: float) -> None:
        """Stop the camera and make it ready anew: what it had in its buffers is gone."""
        self._connected(t_s)
        self._armed = True

    def camera_settings(self, t_s: float) -> tuple[int, float]:
        """Binning and exposure time in s, as the camera reads them back."""
        self._connected(t_s)
        return self._binning, self._exposure_s

    def axis_offset(self, axis: str, t_s: float) -> float:
        """The offset between the axis's scale and its encoder's, as the controller tells it."""
        self._connected(t_s)
        return self._axis(axis).offset(t_s)

    def expose(self, t_s: float) -> Exposure:
        """Begin an exposure now; SimulationError while the one before is not read out."""
        self._connected(t_s)
        if self._taken and t_s < self._taken[-1].ready_s:
            raise SimulationError(f"camera: busy until {self._taken[-1].ready_s:.3f} s, asked at {t_s:.3f} s")
        self._begins_s.append(t_s)
        fault = self._faults.frame(self._begins_s)
        if fault is not None:
            self._interfere(fault, t_s)
        end_s = t_s + self._exposure_s
        ready_s = end_s + dict(self._camera.readout_s)[self._binning]
        self._counter += 1
        kind = fault.kind if fault is not None else None
        number, first = len(self._taken) + 1, self._armed
        taken = _Taken(number, t_s, end_s, ready_s, self._binning, kind, self._counter, first=first)
        self._taken.append(taken)
        self._armed = False
        return Exposure(taken.number, end_s, ready_s)

    def abort_exposure(self, t_s: float) -> None:
        """Give up the exposure or read-out that is on, if one is: the camera is free at once, the frame never comes."""
        if self._taken and t_s < self._taken[-1].ready_s:
            taken = self._taken[-1]
            self._taken[-1] = replace(taken, end_s=min(taken.end_s, t_s), ready_s=t_s, aborted=True)

    def read(self, number: int, t_s: float) -> CameraFrame | None:
        """The frame of an exposure, None when it was dropped; SimulationError before it is ready or if there is none.

        It may be called from another thread than the rest, and with t_s ahead of the others' as soon as the exposure
        has ended: a frame depends on nothing that comes later.
        """
        self._connected(t_s)
        if not 1 <= number <= len(self._taken):
            raise SimulationError(f"camera: no exposure {number}; {len(self._taken)} were taken")
        taken = self._taken[number - 1]
        if taken.aborted:
            raise SimulationError(f"camera: exposure {number} was aborted")
        if t_s < taken.ready_s:
            raise SimulationError(f"camera: frame {number} is ready at {taken.ready_s:.3f} s, asked at {t_s:.3f} s")
        if taken.fault == "dropped_frame":
            return None
        shown = taken
        if taken.fault == "repeated_frame" and number > 1 and not taken.first:
            shown = self._taken[number - 2]
        image: NDArray[Any] = self._expose(shown)
        if taken.fault == "nan_frame":
            image = image.astype(np.float32)
            image[generator(self.config.seed, "nan", number).random(image.shape) < 0.05] = np.nan
        if taken.fault == "wrong_shape_frame":
            image = image[: -(len(image) // 8)]
        pixel_um = self._camera.pixel_um * shown.binning
        return CameraFrame(image, number, shown.unique_id, taken.begin_s, taken.end_s, shown.binning, pixel_um)

    def add_fault(self, fault: Fault) -> None:
        """One more fault, while it runs; with `at_s` of now it hits what happens next."""
        self._faults.add(fault)

    def clear_faults(self, t_s: float) -> None:
        """From t_s on nothing is wrong any more."""
        self._faults.clear(t_s)

    def faults(self, t_s: float) -> tuple[Fault, ...]:
        """Faults that are on or may still come."""
        return self._faults.pending(t_s)

    def latched(self, begin_s: float, end_s: float) -> Latched:
        """What somebody who follows every status would have seen between two times that are past."""
        self._connected(end_s)
        motions = [motion for axis in self._axes.values() for motion in axis.motions_within(begin_s, end_s)]
        open_s = sum(b - a for a, b in self._shutter.open_periods(begin_s, end_s))
        lit = without([(begin_s, end_s)], self._source.dark_periods() + self._front_end.closed_periods())
        lit_s = sum(b - a for a, b in lit)
        whole_s = end_s - begin_s
        least = self._source.least_flux(begin_s, end_s) if lit_s > whole_s - 1e-9 else 0.0
        first = self._source.state(begin_s).flux_relative
        return Latched(tuple(motions), open_s > 0.0, open_s < whole_s - 1e-9, first, least)

    def trace(self, t_s: float) -> Trace:
        """What the instrument saw of itself up to t_s; it answers also when it does not answer."""
        motions = sorted(
            (motion for axis in self._axes.values() for motion in axis.motions() if motion.begin_s < t_s),
            key=lambda motion: (motion.begin_s, motion.axis),
        )
        offsets = [
            SettingChange(when_s, f"axis {f.axis}", f"offset {amount:+g}")
            for f in self._faults.of("offset")
            for when_s, amount in ((f.at_s or 0.0, f.amount or 0.0), (f.until_s, -(f.amount or 0.0)))
            if when_s < t_s
        ]
        return Trace(
            shutter=tuple(self._shutter.open_spans(t_s)),
            motions=tuple(motions),
            exposures=tuple(self._seen(taken) for taken in self._taken if taken.begin_s <= t_s),
            settings=tuple(sorted((*self._settings, *offsets), key=lambda change: change.t_s)),
            axes_at_rest={name: not axis.state(t_s).moving for name, axis in self._axes.items()},
            ended_s=t_s,
        )

    def _seen(self, taken: _Taken) -> ExposureSeen:
        begin_s, end_s = taken.begin_s, taken.end_s
        times = np.linspace(begin_s, end_s, 21).tolist()
        reached = {name: [axis.motor(t) for t in times] for name, axis in self._axes.items()}
        open_s = sum(b - a for a, b in self._shutter.open_periods(begin_s, end_s))
        return ExposureSeen(
            taken.number,
            None if taken.fault == "dropped_frame" else taken.unique_id,
            begin_s,
            end_s,
            taken.binning,
            open_s / (end_s - begin_s) if end_s > begin_s else 0.0,
            {name: positions[0] for name, positions in reached.items()},
            {name: (min(positions), max(positions)) for name, positions in reached.items()},
            taken.aborted,
        )

    def truth(self) -> dict[str, Any]:
        """What an analysis should find: JSON-able; lengths in um in the stage frame."""
        head = {"seed": self.config.seed, "preset": self.config.specimen.preset}
        axis = {"rotation_axis": {"offset_um": self.axis_offset_um}}
        return stage_truth({**head, **axis, **self.specimen.truth()}, self.config)

    @property
    def specimen(self) -> Specimen:
        """The specimen, built on first use."""
        return self._path.specimen

    @property
    def axis_offset_um(self) -> float:
        """Where the rotation axis is imaged, right of the detector's centre."""
        return self._path.axis_offset_um

    def _axis(self, name: str) -> AxisModel:
        if name not in self._axes:
            raise KeyError(f"unknown axis {name!r}; known: {', '.join(get_args(AxisName))}")
        return self._axes[name]

    def _connected(self, t_s: float) -> None:
        if self._faults.active("disconnect", t_s):
            raise Disconnected("the instrument does not answer")

    def _expose(self, taken: _Taken) -> NDArray[np.uint16]:
        """Counts of an exposure, from what the instrument did meanwhile."""
        photons = self._photons(taken)
        before = self._taken[taken.number - 2] if taken.number > 1 else None
        if self.config.realism.afterglow and before is not None and before.binning == taken.binning:
            photons = photons + self.config.realism.afterglow * self._photons(before)
        return self._sensor.image(photons, taken.end_s - taken.begin_s, taken.number)

    def _photons(self, taken: _Taken) -> NDArray[np.float64]:
        dark = self._source.dark_periods() + self._front_end.closed_periods()
        lit = without(self._shutter.open_periods(taken.begin_s, taken.end_s), dark)
        if taken.fault == "light_leak_frame":
            lit = [(taken.begin_s, taken.end_s)]
        lit_s = 0.0 if taken.fault == "dark_frame" else self._source.bright_s(lit)
        if not lit_s > 0.0:
            return np.zeros((self._camera.height_px // taken.binning, self._camera.width_px // taken.binning))
        clear = self._blade.state(0.5 * (taken.begin_s + taken.end_s)).open
        return self._path.photons(taken.number, lit[0][0], lit[-1][1], lit_s, taken.binning, clear=clear)

    def _interfere(self, fault: Fault, t_s: float) -> None:
        """What somebody else does before or during the exposure that begins now."""
        if fault.kind == "foreign_frame":
            self._counter += 1
        elif fault.kind == "recount_frame":
            self._counter = 0
        elif fault.kind == "exposure_frame":
            self._exposure_s *= fault.factor or 1.0
            self._settings.append(SettingChange(t_s, "camera", f"exposure {self._exposure_s:g} s"))
        elif fault.kind == "shutter_frame":
            self._shutter.command(not self._shutter.state(t_s).open, t_s + 0.5 * self._exposure_s)
        elif fault.kind in ("nudge_frame", "shove_frame"):
            axis = self._axis(fault.axis or "")
            was = axis.state(t_s).target
            back_s = axis.move(was + (fault.amount or 0.0), t_s + 0.1 * self._exposure_s, limited=False).ends_s
            if fault.kind == "nudge_frame":
                axis.move(was, back_s, limited=False)
