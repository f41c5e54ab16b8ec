"""Frames that nobody renders are still pictures of their poses."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.camera import CameraConfig
from simulators.imaging import View
from simulators.microscope import Microscope, MicroscopeConfig
from simulators.sketch import transmission
from xrm_control.mosaic.displacement import stands_out

HERE = View(0.0, 0.0, 0.0, 0.0)
FRAME = ((128, 128), 0.512)  # shape and pixel in um, as at binning 8


def test_a_picture_moves_with_the_stage() -> None:
    picture, moved = transmission(1, HERE, *FRAME), transmission(1, View(8 * 0.512, 4 * 0.512, 0.0, 0.0), *FRAME)
    assert moved[:-4, :-8] == pytest.approx(picture[4:, 8:], abs=1e-5)
    assert stands_out(picture)


def test_each_angle_and_each_specimen_looks_different() -> None:
    pictures = [
        transmission(seed, View(0.0, 0.0, 0.0, theta), *FRAME) for seed in (1, 2) for theta in (-80, -79, 0, 80)
    ]
    for number, one in enumerate(pictures):
        assert all(np.abs(one - other).max() > 0.01 for other in pictures[:number])
    levels = [picture.mean() for picture in pictures[:4]]
    assert max(levels) / min(levels) < 1.2


def test_beside_the_strip_is_nothing() -> None:
    assert transmission(1, View(203.0, 0.0, 0.0, 0.0), *FRAME).min() > 0.999


def test_without_rendering_no_specimen_is_built() -> None:
    microscope = Microscope(MicroscopeConfig(rendering=False))
    opened_s = microscope.set_shutter(True, 0.0)
    exposure = microscope.expose(opened_s)
    frame = microscope.read(exposure.number, exposure.ready_s)
    assert frame is not None
    assert frame.image.shape == (128, 128)
    assert frame.image.std() > 1000
    assert "specimen" not in vars(microscope)


def test_another_detector_shows_the_same_specimen() -> None:
    """Half as many pixels of twice the size see what the usual ones see; a wide one sees more of it."""
    usual, coarse = transmission(1, HERE, *FRAME), transmission(1, HERE, (64, 64), 1.024)
    assert coarse == pytest.approx(usual.reshape(64, 2, 64, 2).mean(axis=(1, 3)), abs=0.05)
    wide = transmission(1, HERE, (128, 256), 0.512)
    assert wide[:, 64:192] == pytest.approx(usual, abs=1e-6)


def test_a_camera_of_other_pixels_delivers_them() -> None:
    camera = CameraConfig(39.0, readout_s=((1, 0.3), (2, 0.1)), width_px=200, height_px=120, pixel_um=0.4)
    microscope = Microscope(MicroscopeConfig(rendering=False, illumination_unevenness=0.0, camera=camera))
    microscope.configure_camera(2, 1.0, 0.0)
    exposure = microscope.expose(microscope.set_shutter(True, 0.0))
    frame = microscope.read(exposure.number, exposure.ready_s)
    assert frame is not None
    assert (frame.image.shape, frame.pixel_size_um) == ((60, 100), 0.8)
