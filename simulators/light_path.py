"""How much light an exposure gathers: source, condenser, specimen as the axes held it, optics, scintillator."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from simulators.blade import passes
from simulators.camera import FULL_SCALE, CameraConfig
from simulators.condenser import Condenser
from simulators.config import MicroscopeConfig
from simulators.description import AxisName
from simulators.drift import RunOut, ThermalDrift
from simulators.imaging import View, mean_transmission
from simulators.mechanics import AxisModel
from simulators.moving import Moving
from simulators.optics import PIXEL_UM, Illumination
from simulators.passing import Passing
from simulators.seeding import generator
from simulators.sketch import transmission
from simulators.source import Source
from simulators.specimen import Specimen
from simulators.stray import spread

_OFFSET = 6.0
_FWHM = 2.0 * math.sqrt(2.0 * math.log(2.0))


def camera_of(config: MicroscopeConfig) -> CameraConfig:
    """The camera, with what realism adds to it."""
    real = config.realism
    gain = config.open_beam_fraction * FULL_SCALE / config.photons_per_pixel_s
    camera = config.camera or CameraConfig(gain)
    if real.read_noise_photons is not None:
        read_noise = real.read_noise_photons * camera.gain
        # Whoever sets a camera up keeps its noise above zero counts.
        camera = replace(camera, read_noise=read_noise, dark_offset=max(camera.dark_offset, _OFFSET * read_noise))
    if real.column_gain or real.nonlinearity:
        camera = replace(camera, column_gain=real.column_gain, nonlinearity=real.nonlinearity)
    return camera


class LightPath:
    """From the source to the sensor. It depends on what the axes did, never on when it is asked."""

    def __init__(
        self,
        config: MicroscopeConfig,
        camera: CameraConfig,
        axes: Mapping[str, AxisModel],
        source: Source,
    ) -> None:
        real = config.realism
        self.config, self._camera, self._axes, self._source = config, camera, axes, source
        run_out_um = math.hypot(config.run_out_random_um, real.run_out_um)
        self._run_out = RunOut(config.run_out_um, run_out_um, config.seed)
        self._drift = ThermalDrift(config.thermal_drift_um, config.seed, real.drift_um_h)
        self._light = Illumination(config.illumination_unevenness, config.illumination_wander, config.seed)
        self._condenser = Condenser(real.vignetting, real.spot, real.texture, real.texture_drift_um, config.seed)
        self._blur_um = math.hypot(config.blur_fwhm_um, _FWHM * real.vibration_um)
        self._passing = Passing(real.kbeta_share, real.defocus_um)

    def photons(
        self, number: int, begin_s: float, end_s: float, lit_s: float, binning: int, *, clear: bool = True
    ) -> NDArray[np.float64]:
        """Expected in each pixel (rows, columns) of exposure `number`, which was lit for lit_s from begin to end.

        Not `clear`, the opaque blade stands in the plane of the sample.
        """
        c, real = self.config, self.config.realism
        shape = self._camera.height_px // binning, self._camera.width_px // binning
        pixel_um = self._camera.pixel_um * binning
        middle_s = 0.5 * (begin_s + end_s)
        flux = c.photons_per_pixel_s * (pixel_um / (8 * PIXEL_UM)) ** 2 * self._source.flux(middle_s)
        photons = flux * lit_s * self._light.image(shape, middle_s) * self._gain(number)
        if real.vignetting or real.spot or real.texture:
            photons *= self._condenser.image(shape, pixel_um, middle_s)
        stray = real.stray_share * float(photons.mean())
        photons *= self._transmission(begin_s, end_s, binning)
        if not clear:
            photons *= passes(shape, pixel_um, c.blur_fwhm_um)
        if real.spread_share:
            photons = spread(photons, pixel_um, real.spread_share, real.spread_um)
        return photons + stray if stray else photons

    def _transmission(self, begin_s: float, end_s: float, binning: int) -> NDArray[np.float64]:
        if not self.config.rendering:
            rows, columns = self._camera.height_px // binning, self._camera.width_px // binning
            view = self._view(0.5 * (begin_s + end_s))
            pixel_um = self._camera.pixel_um * binning
            return transmission(self.config.seed, view, (rows, columns), pixel_um, self._picture_to_axis)
        specimen = self._moving.at(0.5 * (begin_s + end_s))
        return mean_transmission(
            specimen, self._view, begin_s, end_s, binning, self._blur_um, self._picture_to_axis, self._passing
        )

    @cached_property
    def specimen(self) -> Specimen:
        """As it was prepared; built on first use."""
        from simulators.powder import make_specimen

        glued = replace(self.config.specimen, adhesive_um=self.config.realism.adhesive_um)
        return make_specimen(glued, self.config.seed)

    @cached_property
    def axis_offset_um(self) -> float:
        """Where the rotation axis is imaged, right of the detector's centre."""
        if self.config.axis_offset_um is not None:
            return self.config.axis_offset_um
        random = generator(self.config.seed, "rotation axis")
        return float(random.uniform(0.5, 3.0) * random.choice([-1.0, 1.0]))

    @cached_property
    def _moving(self) -> Moving:
        return Moving(self.specimen, self.config.realism, self.config.seed)

    @cached_property
    def _picture_to_axis(self) -> NDArray[np.float64] | None:
        stand = self.config.stand
        return None if stand.straight else stand.to_axis() @ stand.matrix()

    def _gain(self, number: int) -> float:
        """By how much the frame is brighter or darker than anybody knows."""
        drift = self.config.gain_drift
        draw = generator(self.config.seed, "gain drift", number).standard_normal() if drift else 0.0
        return max(0.0, 1.0 + drift * float(draw))

    def _view(self, t_s: float) -> View:
        """How the detector sees the sample at a moment, with all that the encoders do not know."""
        x_um, y_um, z_um, theta_deg = (self._axes[name].load(t_s) for name in get_args(AxisName))
        if self.config.stand.axis_tilt_deg:
            x_um, y_um = (self.config.stand.to_axis() @ (x_um, y_um)).tolist()
        lateral_um, vertical_um = self._run_out.at(theta_deg, self._axes["theta"].moves_before(t_s))
        dx_um, dy_um, dz_um = self._drift.at(t_s)
        return View(x_um - dx_um, y_um - dy_um, z_um - dz_um, theta_deg, self.axis_offset_um + lateral_um, vertical_um)
