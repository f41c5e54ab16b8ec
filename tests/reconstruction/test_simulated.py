"""Scans by the simulated microscope, whose physics knows nothing of this code."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.microscope import Microscope, MicroscopeConfig
from simulators.specimen import SpecimenConfig, Sphere
from xrm_control.reconstruction.pipeline import reconstruct_scan
from xrm_control.reconstruction.preprocess import transmission
from xrm_control.reconstruction.rotation_axis import find_rotation_axis
from xrm_control.reconstruction.scan import ScanData

BINNED_UM = 0.512
CLEAR_Y_UM = 450.0  # off the strip


class Operator:
    """Takes frames one after the other, keeping the instrument's time."""

    def __init__(self, microscope: Microscope) -> None:
        self.microscope = microscope
        self.now_s = 0.0
        microscope.configure_camera(8, 1.0, 0.0)

    def go(self, **targets: float) -> None:
        ends = [self.microscope.move(axis, target, self.now_s).ends_s for axis, target in targets.items()]
        self.now_s = max(ends) + 1e-6

    def frame(self) -> tuple[np.ndarray, float]:
        begin_s = self.now_s
        exposure = self.microscope.expose(begin_s)
        self.now_s = exposure.ready_s + 1e-6
        frame = self.microscope.read(exposure.number, self.now_s)
        assert frame is not None
        return frame.image, (begin_s + exposure.exposure_ends_s) / 2

    def scan(self, theta_deg: np.ndarray, **place: float) -> ScanData:
        darks = [self.frame()[0] for _ in range(5)]
        self.now_s = self.microscope.set_shutter(True, self.now_s) + 1e-3
        at = {"x": 0.0, "y": 0.0, "z": 0.0} | place
        self.go(theta=float(theta_deg[0]), **(at | {"y": CLEAR_Y_UM}))
        flats = [self.frame() for _ in range(5)]
        self.go(y=at["y"])
        views, measured = [], []
        for theta in theta_deg:
            self.go(theta=float(theta))
            measured.append(self.microscope.axis("theta", self.now_s).position)
            views.append(self.frame())
        self.go(y=CLEAR_Y_UM)
        flats += [self.frame() for _ in range(5)]
        return ScanData(
            projections=np.stack([image for image, _ in views]),
            theta_deg=np.array(measured),
            time_s=np.array([time for _, time in views]),
            flats=np.stack([image for image, _ in flats]),
            flat_time_s=np.array([time for _, time in flats]),
            darks=np.stack(darks),
            pixel_size_um=BINNED_UM,
        )


@pytest.mark.parametrize(("preset", "seed"), [("nmc811", 4), ("nmc622", 5)])
def test_the_axis_of_a_powder_layer_seen_edge_on(preset: str, seed: int) -> None:
    microscope = Microscope(MicroscopeConfig(seed=seed, specimen=SpecimenConfig(preset=preset)))
    scan = Operator(microscope).scan(np.array([-90.0, 90.0]), x=-40.0, y=60.0, z=7.0)
    truth_px = 63.5 + microscope.axis_offset_um / BINNED_UM
    assert find_rotation_axis(transmission(scan).values, scan.theta_deg).column_px == pytest.approx(truth_px, abs=0.15)


@pytest.mark.parametrize("tape", [False, True])
def test_a_sphere_keeps_its_attenuation_and_place(tape: bool) -> None:
    sphere = Sphere(8.0, 3.0, 7.5, 14.0)
    config = MicroscopeConfig(
        seed=1,
        specimen=SpecimenConfig(preset="spheres", tape=tape, spheres=(sphere,)),
        axis_offset_um=5 * BINNED_UM,
    )
    microscope = Microscope(config)
    # 1.5 um off in z, so that a flipped depth would show.
    result = reconstruct_scan(Operator(microscope).scan(np.linspace(-90, 90, 141), z=6.0))
    line = (np.arange(128) - 63.5) * BINNED_UM
    z, y, x = np.meshgrid(line, line, line, indexing="ij")
    away = np.sqrt((x - 8.0) ** 2 + (y + 1.5) ** 2 + (z - 3.0) ** 2)
    mu = microscope.truth()["material"]["mu_per_um"]
    assert result.rotation_axis_px == pytest.approx(68.5, abs=0.15)
    assert result.volume[away < 5.5].mean() == pytest.approx(mu, rel=0.02)
    solid = np.where((result.volume > mu / 2) & (away < 10), 1.0, 0.0)
    assert [(solid * one).sum() / solid.sum() for one in (x, y, z)] == pytest.approx([8.0, -1.5, 3.0], abs=0.15)
    assert solid.sum() * BINNED_UM**3 == pytest.approx(4 / 3 * np.pi * 7**3, rel=0.03)
