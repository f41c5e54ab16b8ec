"""A sphere of known attenuation through simulator, ASTRA and analysis: mu and size come back within 2 %."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from simulators.microscope import Microscope, MicroscopeConfig
from simulators.specimen import SpecimenConfig, Sphere
from xrm_control.analysis.core import AnalysisSpec, analyze_volume
from xrm_control.reconstruction.pipeline import ReconstructionSpec, reconstruct_scan
from xrm_control.reconstruction.scan import ScanData

MU_PER_UM = 0.0458
PIXEL_UM = 0.512
SPHERE = Sphere(x_um=4.0, y_um=-3.0, z_um=8.0, diameter_um=16.0)


@dataclass
class Operator:
    """Drives a microscope by hand, one thing after the other, with a clock of its own."""

    microscope: Microscope
    now_s: float = 0.0

    def move(self, axis: str, target: float) -> None:
        report = self.microscope.move(axis, target, self.now_s)
        assert report.accepted
        self.now_s = report.ends_s + 1e-3

    def shutter(self, open_: bool) -> None:
        self.now_s = self.microscope.set_shutter(open_, self.now_s) + 1e-3

    def frame(self) -> tuple[np.ndarray, float]:
        exposure = self.microscope.expose(self.now_s)
        began_s, self.now_s = self.now_s, exposure.ready_s + 1e-3
        taken = self.microscope.read(exposure.number, self.now_s)
        assert taken is not None
        return taken.image, (began_s + exposure.exposure_ends_s) / 2

    def frames(self, count: int) -> list[tuple[np.ndarray, float]]:
        return [self.frame() for _ in range(count)]


def scan(config: MicroscopeConfig, views: int = 141) -> ScanData:
    operator = Operator(Microscope(config))
    operator.microscope.configure_camera(8, 1.0, 0.0)
    operator.move("theta", -90.0)
    darks = operator.frames(5)
    operator.shutter(True)
    theta_deg = np.linspace(-90, 90, views)
    flats, projections, angles = [], [], []
    for ends in (0, 1):
        # Edge-on, the strip leaves the field of view by z.
        operator.move("z", 100.0)
        flats += operator.frames(10)
        operator.move("z", 5.0)
        if ends == 0:
            for theta in theta_deg:
                operator.move("theta", float(theta))
                angles.append(operator.microscope.axis("theta", operator.now_s).position)
                projections.append(operator.frame())
    return ScanData(
        projections=np.stack([image for image, _ in projections]),
        theta_deg=np.array(angles),
        time_s=np.array([time_s for _, time_s in projections]),
        flats=np.stack([image for image, _ in flats]),
        flat_time_s=np.array([time_s for _, time_s in flats]),
        darks=np.stack([image for image, _ in darks]),
        pixel_size_um=PIXEL_UM,
    )


CASES = {
    "axis in the middle": MicroscopeConfig(seed=5, axis_offset_um=0.0, specimen=SpecimenConfig("spheres", False)),
    "axis 5 px to the right": MicroscopeConfig(
        seed=6, axis_offset_um=5 * PIXEL_UM, specimen=SpecimenConfig("spheres", False)
    ),
    "axis 5 px to the left, tape beyond the field of view": MicroscopeConfig(
        seed=7, axis_offset_um=-5 * PIXEL_UM, specimen=SpecimenConfig("spheres", True)
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_mu_size_and_place_come_back(name: str) -> None:
    base = CASES[name]
    specimen = SpecimenConfig("spheres", base.specimen.tape, (SPHERE,), MU_PER_UM)
    config = MicroscopeConfig(seed=base.seed, axis_offset_um=base.axis_offset_um, specimen=specimen)
    result = reconstruct_scan(scan(config), ReconstructionSpec())
    true_axis_px = 63.5 + (config.axis_offset_um or 0.0) / PIXEL_UM
    assert result.rotation_axis_px == pytest.approx(true_axis_px, abs=0.15)

    # Where the sphere must be: x, -z, y of the stage, from the pose of the scan (0, 0, 5).
    grid = (np.arange(128) - 63.5) * PIXEL_UM
    z, y, x = np.meshgrid(grid, grid, grid, indexing="ij")
    distance = np.sqrt((x - SPHERE.x_um) ** 2 + (y + SPHERE.z_um - 5.0) ** 2 + (z - SPHERE.y_um) ** 2)
    inside = result.volume[distance < SPHERE.diameter_um / 2 - 1.5]
    assert float(inside.mean()) == pytest.approx(MU_PER_UM, rel=0.02)

    found = analyze_volume(result.volume, result.voxel_size_um, AnalysisSpec()).particles
    (row,) = [row for row in found if float(row["equivalent_diameter_um"]) > 5]
    assert float(row["mean_attenuation_per_um"]) == pytest.approx(MU_PER_UM, rel=0.02)
    assert float(row["equivalent_diameter_um"]) == pytest.approx(SPHERE.diameter_um, rel=0.02)
    place = [float(row[axis]) for axis in ("x_um", "y_um", "z_um")]
    assert place == pytest.approx([SPHERE.x_um, -(SPHERE.z_um - 5.0), SPHERE.y_um], abs=0.3)
