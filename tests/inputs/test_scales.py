"""A number that decides a scale is understood in any spelling, asked for, or refused with what would make sense."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import xrm_control as xrm
from tests.inputs.files import MU, PIXEL_UM, RADIUS_UM, THETA, Quantity, data_exchange, measured, nxtomo
from xrm_control.core.errors import DataError
from xrm_control.storage.formats.registry import open_volume, read_scan
from xrm_control.storage.formats.scan_file import ScanOptions
from xrm_control.storage.formats.units import factor

RESOLUTION = "measurement__instrument__detection_system__objective__resolution"
CAMERA = "measurement__instrument__detector__pixel_size"


def of(content: dict[str, Any]) -> dict[str, Any]:
    """Datasets whose paths stand in names."""
    return content


LENGTHS = [
    *[(0.5, unit) for unit in ("um", "µm", "μm", "UM", "micron", "microns", "Micrometer", "micrometers", "micrometre")],
    *[(0.5, unit) for unit in ("um/pixel", "microns per pixel", "[um]", " um ", "Âµm")],
    *[(500.0, unit) for unit in ("nm", "NM", "nanometer", "nanometers", "Nanometre")],
    *[(5e-4, unit) for unit in ("mm", "MM", "millimeter", "millimetres")],
    *[(5e-5, unit) for unit in ("cm", "centimeter", "centimetres")],
    *[(5e-7, unit) for unit in ("m", "meter", "meters", "METRES")],
    *[(5000.0, unit) for unit in ("angstrom", "Angstroms", "Å")],
    (0.5 / 25400, "inch"),
]
NO_LENGTHS = ["pixel", "px", "furlong", "deg", "s", "um^2", "10 um", "counts", "?", "um um", "a.u.", "none", "\\"]


@pytest.mark.parametrize(("value", "unit"), LENGTHS)
def test_lengths_in_any_spelling(tmp_path: Path, value: float, unit: str) -> None:
    """By each reader alike."""
    stored = Quantity(value, unit)
    exchange = read_scan(data_exchange(tmp_path / "a.h5", **of({RESOLUTION: stored})))
    camera = read_scan(data_exchange(tmp_path / "b.h5", **of({RESOLUTION: None, CAMERA: stored})))
    nexus = read_scan(nxtomo(tmp_path / "c.nx", instrument__detector__x_pixel_size=stored))
    for scan in (exchange, camera, nexus):
        assert scan.pixel_size_um == pytest.approx(PIXEL_UM)
        assert scan.origins.scale.startswith("0.5 um, from ")


@pytest.mark.parametrize("unit", NO_LENGTHS)
def test_what_is_no_length_is_refused_unless_the_operator_states_it(tmp_path: Path, unit: str) -> None:
    stored = Quantity(0.5, unit)
    for path in (
        data_exchange(tmp_path / "a.h5", **of({RESOLUTION: stored})),
        nxtomo(tmp_path / "b.nx", sample__x_pixel_size=stored),
    ):
        with pytest.raises(DataError, match=r"not understood .*--pixel-size-um \(.*0\.5 if it is in um") as caught:
            read_scan(path)
        assert str(path) in str(caught.value)
        told = read_scan(path, ScanOptions(pixel_size_um=0.65))
        assert (told.pixel_size_um, told.origins.scale) == (0.65, "0.65 um, from --pixel-size-um")


SENSELESS = [
    (1e-5, "um"),
    (5000.0, "um"),
    (0.5, "m"),
    (500.0, "mm"),
    (0.5, "nm"),
    (5e-7, None),
    (5e5, None),
    (0.5, "km"),
]


@pytest.mark.parametrize(("value", "unit"), SENSELESS)
def test_sizes_that_make_no_sense(tmp_path: Path, value: float, unit: str | None) -> None:
    path = data_exchange(tmp_path / "scan.h5", **of({RESOLUTION: Quantity(value, unit)}))
    with pytest.raises(DataError, match=r"makes no sense .*0\.005 to 100 um.*--pixel-size-um"):
        read_scan(path)


@pytest.mark.parametrize("told", [1e-5, 5000.0, 500.0, 0.0, -0.5, np.nan, np.inf])
def test_sizes_that_the_operator_mistypes(tmp_path: Path, told: float) -> None:
    np.save(tmp_path / "volume.npy", np.zeros((9, 9, 9)))
    with pytest.raises(DataError, match=r"--pixel-size-um.*0\.005 to 100 um"):
        read_scan(data_exchange(tmp_path / "scan.h5"), ScanOptions(pixel_size_um=told))
    with pytest.raises(DataError, match=r"--voxel-size-um.*0\.005 to 100 um"):
        open_volume(tmp_path / "volume.npy", told)


WHERE_FROM: dict[str, tuple[str, dict[str, Any], float | None, str]] = {
    "sample before detector": (
        "nx",
        {"sample__x_pixel_size": Quantity(5e-7, "m"), "instrument__detector__x_pixel_size": Quantity(6.5e-6, "m")},
        0.5,
        "0.5 um, from sample/x_pixel_size in m",
    ),
    "sample in um": ("nx", {"sample__x_pixel_size": Quantity(0.5, "um")}, 0.5, "sample/x_pixel_size in um"),
    "detector alone": ("nx", {}, 0.5, "detector/x_pixel_size in m"),
    "NeXus without a unit": ("nx", {"sample__x_pixel_size": 5e-7}, 0.5, "without a unit and taken as m"),
    "only along y": (
        "nx",
        {"instrument__detector__x_pixel_size": None, "instrument__detector__y_pixel_size": Quantity(0.5, "um")},
        0.5,
        "detector/y_pixel_size",
    ),
    "not said": ("nx", {"instrument__detector__x_pixel_size": None}, None, ""),
    "zero says nothing": ("nx", {"instrument__detector__x_pixel_size": Quantity(0.0, "m")}, None, ""),
    "without a unit": ("h5", {RESOLUTION: 0.5}, 0.5, "without a unit and taken as um"),
    "camera over magnification": (
        "h5",
        {
            RESOLUTION: None,
            CAMERA: Quantity(5.0, "um"),
            "measurement__instrument__detection_system__objective__magnification": 10.0,
        },
        0.5,
        "divided by measurement/instrument/detection_system/objective/magnification = 10",
    ),
    "camera, magnification of the detector": (
        "h5",
        {RESOLUTION: None, CAMERA: Quantity(3.45, "um"), "measurement__instrument__detector__magnification": 5.0},
        0.69,
        "magnification = 5",
    ),
    "resolution agrees with the camera": (
        "h5",
        {
            CAMERA: Quantity(5.0, "um"),
            "measurement__instrument__detection_system__objective__magnification": 10.0,
        },
        0.5,
        "objective/resolution",
    ),
    "x and y of the camera": (
        "h5",
        {
            RESOLUTION: None,
            "measurement__instrument__detector__x_pixel_size": Quantity(0.5, "um"),
            "measurement__instrument__detector__y_pixel_size": Quantity(500, "nm"),
        },
        0.5,
        "x_pixel_size",
    ),
}


@pytest.mark.parametrize(("kind", "change", "pixel_um", "says"), WHERE_FROM.values(), ids=WHERE_FROM)
def test_where_the_scale_is_from(
    tmp_path: Path, kind: str, change: dict[str, Any], pixel_um: float | None, says: str
) -> None:
    scan = read_scan({"nx": nxtomo, "h5": data_exchange}[kind](tmp_path / f"scan.{kind}", **change))
    assert scan.pixel_size_um == (None if pixel_um is None else pytest.approx(pixel_um))
    assert says in scan.origins.scale


CONTRADICTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "resolution against the camera": (
        {CAMERA: Quantity(5.0, "um"), "measurement__instrument__detection_system__objective__magnification": 5.0},
        "contradicts itself",
    ),
    "oblong pixels": (
        {
            RESOLUTION: None,
            "measurement__instrument__detector__x_pixel_size": Quantity(0.5, "um"),
            "measurement__instrument__detector__y_pixel_size": Quantity(1.0, "um"),
        },
        "no squares",
    ),
}


@pytest.mark.parametrize(("change", "says"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_file_that_contradicts_itself(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    path = data_exchange(tmp_path / "scan.h5", **change)
    with pytest.raises(DataError, match=says):
        read_scan(path)
    assert read_scan(path, ScanOptions(pixel_size_um=0.5)).pixel_size_um == 0.5


ANGLES = [
    *[(THETA, unit) for unit in ("degrees", "deg", "Degree", "DEG", "degs", "°", None)],
    *[(np.radians(THETA), unit) for unit in ("rad", "radians", "Radian", "RAD")],
    *[(1000 * np.radians(THETA), unit) for unit in ("mrad", "milliradian", "milliradians")],
    (THETA / 360, "turns"),
    (THETA / 0.9, "gon"),
    (THETA * 60, "arcmin"),
]


@pytest.mark.parametrize(("values", "unit"), ANGLES)
def test_angles_in_any_unit(tmp_path: Path, values: np.ndarray, unit: str | None) -> None:
    scan = read_scan(data_exchange(tmp_path / "a.h5", exchange__theta=Quantity(values, unit)))
    np.testing.assert_allclose(scan.theta_deg, THETA, atol=1e-9)
    assert scan.origins.angles.startswith("61 views from -90 to 90 degrees, from exchange/theta, ")
    assert (unit or "taken as degrees") in scan.origins.angles


DOUBTFUL: dict[str, tuple[np.ndarray, str | None, str]] = {
    "radians without a unit": (np.radians(THETA), None, "like radians"),
    "few of them": (np.radians(THETA[::12]), None, "like radians"),
    "half a range of them": (np.radians(np.linspace(-45, 45, 31)), None, "like radians"),
    "a whole turn of them": (np.radians(np.linspace(0, 360, 37)), None, "like radians"),
    "without the last": (np.radians(np.arange(0, 180, 3.0)), None, "like radians"),
    "said to be degrees": (np.radians(THETA), "degrees", "like radians"),
    "milliradians without a unit": (1000 * np.radians(THETA), None, "like milliradians"),
    "turns without a unit": (np.linspace(0, 0.5, 21), None, "like turns"),
    "degrees said to be radians": (THETA, "rad", "like degrees"),
    "degrees said to be turns": (THETA, "turns", "like degrees"),
    "many turns in no unit": (np.arange(61) * 137.5, None, "in no stated unit"),
    "an unknown unit": (THETA, "steps", "unit of the angles is not understood"),
    "a length": (THETA, "mm", "unit of the angles is not understood"),
}


@pytest.mark.parametrize(("values", "unit", "says"), DOUBTFUL.values(), ids=DOUBTFUL)
def test_angles_that_make_no_sense(tmp_path: Path, values: np.ndarray, unit: str | None, says: str) -> None:
    frames = {"data": np.ones((len(values), 3, 4)), "data_white": None, "data_dark": None}
    change = {f"exchange__{name}": item for name, item in frames.items()}
    path = data_exchange(tmp_path / "a.h5", exchange__theta=Quantity(values, unit), **change)
    with pytest.raises(DataError, match=says) as caught:
        read_scan(path)
    assert "--angle-unit" in str(caught.value)
    assert len(read_scan(path, ScanOptions(angle_unit="rad")).theta_deg) == len(values)


def test_golden_angles_in_degrees_are_taken(tmp_path: Path) -> None:
    theta = Quantity(np.arange(61) * 137.50776, "degrees")
    assert read_scan(data_exchange(tmp_path / "a.h5", exchange__theta=theta)).theta_deg[-1] == pytest.approx(8250.4656)


@pytest.mark.parametrize("path", ["a.h5", "a.nx"])
def test_the_right_size_and_attenuation(tmp_path: Path, path: str) -> None:
    """In units that were once unknown: the ball has its radius and its attenuation."""
    theta, pixel = Quantity(1000 * np.radians(THETA), "mrad"), Quantity(5e-5, "cm")
    if path.endswith("h5"):
        source = data_exchange(tmp_path / path, exchange__theta=theta, **of({RESOLUTION: pixel}))
    else:
        source = nxtomo(tmp_path / path, sample__x_pixel_size=pixel)
    found = xrm.reconstruct(source)
    mu, radius_um = measured(found.volume)
    assert mu == pytest.approx(MU, rel=0.015)
    assert radius_um == pytest.approx(RADIUS_UM, rel=0.02)
    assert found.origins.scale.startswith("0.5 um, from ")


VOXELS: dict[str, tuple[dict[str, Any], float | None, str]] = {
    "ImageJ, micron": ({"unit": "micron"}, 0.5, "ImageJ's XResolution in micron"),
    "ImageJ, um": ({"unit": "um"}, 0.5, "XResolution"),
    "ImageJ, escaped": ({"unit": "\\u00B5m"}, 0.5, "XResolution"),
    "ImageJ, nm": ({"unit": "nm", "scale": 500.0}, 0.5, "XResolution"),
    "ImageJ, mm": ({"unit": "mm", "scale": 5e-4}, 0.5, "XResolution"),
    "ImageJ, cm": ({"unit": "cm", "scale": 5e-5}, 0.5, "XResolution"),
    "ImageJ, pixels": ({"unit": "pixel"}, None, ""),
    "ImageJ, nothing": ({}, None, ""),
}


def imagej(path: Path, unit: str | None = None, scale: float = 0.5, spacing: float | None = None) -> Path:
    about = {"axes": "ZYX", "spacing": scale if spacing is None else spacing}
    volume = np.ones((9, 10, 11), np.float32)
    tifffile.imwrite(
        path, volume, imagej=True, resolution=(1 / scale, 1 / scale), metadata=about | ({"unit": unit} if unit else {})
    )
    return path


@pytest.mark.parametrize(("change", "voxel_um", "says"), VOXELS.values(), ids=VOXELS)
def test_voxels_of_imagej(tmp_path: Path, change: dict[str, Any], voxel_um: float | None, says: str) -> None:
    found = open_volume(imagej(tmp_path / "v.tif", **change))
    assert found.voxel_zyx_um == (None if voxel_um is None else pytest.approx((voxel_um,) * 3, rel=1e-4))
    assert says in found.scale_source


@pytest.mark.parametrize("unit", ["furlong", "sec", "deg", "a.u."])
def test_voxels_in_unknown_units(tmp_path: Path, unit: str) -> None:
    path = imagej(tmp_path / "v.tif", unit)
    with pytest.raises(DataError, match=r"v\.tif.*not understood.*--voxel-size-um"):
        open_volume(path)
    found = open_volume(path, 0.7)
    assert (found.voxel_zyx_um, found.scale_source) == ((0.7, 0.7, 0.7), "0.7 um, from --voxel-size-um")


OME: dict[str, tuple[dict[str, Any], tuple[float, float, float] | None]] = {
    "the default unit": ({}, (0.5, 0.5, 0.5)),
    "nm": ({"unit": "nm", "factor": 1e3}, (0.5, 0.5, 0.5)),
    "mm": ({"unit": "mm", "factor": 1e-3}, (0.5, 0.5, 0.5)),
    "cm": ({"unit": "cm", "factor": 1e-4}, (0.5, 0.5, 0.5)),
    "angstrom": ({"unit": "Å", "factor": 1e4}, (0.5, 0.5, 0.5)),
    "inch": ({"unit": "in", "factor": 1 / 25400}, (0.5, 0.5, 0.5)),
    "z twice as coarse": ({"z": 2.0}, (1.0, 0.5, 0.5)),
}


def ome(path: Path, unit: str | None = None, factor: float = 1.0, z: float | None = 1.0, z_unit: str = "") -> Path:
    sizes = {"X": 1.0, "Y": 1.0} | ({} if z is None else {"Z": z})
    about: dict[str, Any] = {f"PhysicalSize{axis}": 0.5 * factor * size for axis, size in sizes.items()}
    if unit:
        about |= {f"PhysicalSize{axis}Unit": unit for axis in sizes}
    if z_unit:
        about["PhysicalSizeZUnit"] = z_unit
    tifffile.imwrite(path, np.ones((9, 10, 11), np.float32), ome=True, metadata={"axes": "ZYX", **about})
    return path


@pytest.mark.parametrize(("change", "voxel_zyx_um"), OME.values(), ids=OME)
def test_voxels_of_ome_tiff(tmp_path: Path, change: dict[str, Any], voxel_zyx_um: tuple[float, ...] | None) -> None:
    assert open_volume(ome(tmp_path / "v.ome.tif", **change)).voxel_zyx_um == pytest.approx(voxel_zyx_um)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"z": None}, "not along z"),
        ({"z_unit": "pixel"}, "PhysicalSizeZ.*not understood"),
        ({"z_unit": "reference frame"}, "PhysicalSizeZ.*not understood"),
        ({"unit": "m"}, "makes no sense"),
        ({"unit": "km"}, "makes no sense"),
    ],
)
def test_ome_tiff_that_does_not_say_it_all(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    path = ome(tmp_path / "v.ome.tif", **change)
    with pytest.raises(DataError, match=says):
        open_volume(path)
    assert open_volume(path, 0.5).voxel_zyx_um == (0.5, 0.5, 0.5)


def test_units_of_energy_and_time() -> None:
    assert [factor(unit, "keV") for unit in ("keV", "kev", "KEV", "eV", "EV", "MeV")] == pytest.approx(
        [1, 1, 1, 1e-3, 1e-3, 1e3]
    )
    assert [factor(unit, "s") for unit in ("s", "sec", "seconds", "ms", "us", "min")] == pytest.approx(
        [1, 1, 1, 1e-3, 1e-6, 60]
    )
    assert factor("keV", "um") is None


def test_the_library_of_units_is_loaded_when_it_is_needed() -> None:
    code = (
        "import xrm_control, xrm_control.cli.main, xrm_control.storage.formats.units, sys; print('pint' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
