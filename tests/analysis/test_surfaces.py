"""Surface areas against spheres' own, and against SimpleITK's independent Crofton count."""

import numpy as np
import pytest
import SimpleITK as sitk

from xrm_control.analysis.surfaces import crofton_area, face_area


def sphere(radius: float, centre: tuple[float, float, float] = (0.2, -0.3, 0.4)) -> np.ndarray:
    half = int(radius) + 3
    z, y, x = np.ogrid[(slice(-half, half + 1),) * 3]
    return (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 <= radius**2


@pytest.mark.parametrize(
    ("radius", "faces", "crofton", "within"),
    [(2.34, 1.45, 0.967, 0.06), (4, 1.49, 0.99, 0.02), (6.25, 1.496, 0.995, 0.015), (12, 1.501, 0.999, 0.006)],
)
def test_spheres(radius: float, faces: float, crofton: float, within: float) -> None:
    true = 4 * np.pi * radius**2
    assert face_area(sphere(radius)) / true == pytest.approx(faces, abs=2 * within)
    assert crofton_area(sphere(radius)) / true == pytest.approx(crofton, abs=within)


@pytest.mark.parametrize("radius", [2.0, 3.3, 7.5])
def test_crofton_agrees_with_simpleitk(radius: float) -> None:
    mask = sphere(radius) & (np.indices(sphere(radius).shape)[2] > 3)
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    measure = sitk.LabelShapeStatisticsImageFilter()
    measure.ComputePerimeterOn()
    measure.Execute(image)
    assert crofton_area(mask) == pytest.approx(measure.GetPerimeter(1), rel=1e-4)


def test_a_box_that_fills_the_array_is_closed() -> None:
    assert face_area(np.ones((3, 4, 5), bool)) == 2 * (12 + 15 + 20)
