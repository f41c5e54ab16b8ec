"""Frames that nobody renders are still pictures of their poses."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.imaging import View
from simulators.microscope import Microscope, MicroscopeConfig
from simulators.sketch import transmission
from xrm_control.mosaic.displacement import stands_out

HERE = View(0.0, 0.0, 0.0, 0.0)


def test_a_picture_moves_with_the_stage() -> None:
    picture, moved = transmission(1, HERE, 8), transmission(1, View(8 * 0.512, 4 * 0.512, 0.0, 0.0), 8)
    assert moved[:-4, :-8] == pytest.approx(picture[4:, 8:], abs=1e-5)
    assert stands_out(picture)


def test_each_angle_and_each_specimen_looks_different() -> None:
    pictures = [transmission(seed, View(0.0, 0.0, 0.0, theta), 8) for seed in (1, 2) for theta in (-80, -79, 0, 80)]
    for number, one in enumerate(pictures):
        assert all(np.abs(one - other).max() > 0.01 for other in pictures[:number])
    levels = [picture.mean() for picture in pictures[:4]]
    assert max(levels) / min(levels) < 1.2


def test_beside_the_strip_is_nothing() -> None:
    assert transmission(1, View(203.0, 0.0, 0.0, 0.0), 8).min() > 0.999


def test_without_rendering_no_specimen_is_built() -> None:
    microscope = Microscope(MicroscopeConfig(rendering=False))
    opened_s = microscope.set_shutter(True, 0.0)
    exposure = microscope.expose(opened_s)
    frame = microscope.read(exposure.number, exposure.ready_s)
    assert frame is not None
    assert frame.image.shape == (128, 128)
    assert frame.image.std() > 1000
    assert "specimen" not in vars(microscope)
