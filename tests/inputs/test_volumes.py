"""Volumes of unknown make: measured for what they are, or refused; never halved, and never one particle with voids."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from scipy.ndimage import affine_transform

import xrm_control as xrm
from tests.analysis.phantoms import MU, VOXEL_UM, ball, render
from tests.inputs.ole import xradia
from xrm_control.core.errors import AnalysisError, DataError
from xrm_control.storage.formats.ome_tiff import write_volume, write_volume_16bit
from xrm_control.storage.formats.tiff_stack import write_tiff_stack

pytestmark = pytest.mark.usefixtures("white_figures")

Volume = np.ndarray
BALLS = [ball(-3.5, -3.5, 0, 4.5), ball(4.5, 3.5, 2, 3.5)]
SHAPE = (36, 48, 48)
VOLUME = render(BALLS, SHAPE, snr=20)
CLEAN = render(BALLS, SHAPE, snr=None)
DIAMETERS = [7.0, 9.0]


def to_16bit(volume: Volume, background: float = 1000.0, step: float = 2e-5) -> Volume:
    return np.clip(background + volume / step, 0, 65535).astype(np.uint16)


def diameters(found: xrm.AnalysedVolume) -> list[float]:
    return sorted(float(row["equivalent_diameter_um"]) for row in found.particle_rows)


def check(path: Path | Volume, voxel_um: float | None = VOXEL_UM, rel: float = 0.015) -> xrm.AnalysedVolume:
    """Both balls, whole, of the right size, without voids."""
    found = xrm.analyze(path, voxel_size_um=voxel_um)
    assert diameters(found) == pytest.approx(DIAMETERS, rel=rel)
    assert found.results.counts.whole_particles == 2
    assert found.results.counts.voids == 0
    return found


def outside(volume: Volume, radius: float) -> Volume:
    _, y, x = np.indices(volume.shape)
    return np.hypot(y - (volume.shape[1] - 1) / 2, x - (volume.shape[2] - 1) / 2) > radius * volume.shape[2] / 2


def tif(path: Path, volume: Volume, **more: Any) -> Path:
    options: dict[str, Any] = {"photometric": "minisblack", **more}
    tifffile.imwrite(path, volume, **options)
    return path


INVERTED: dict[str, Volume] = {
    "floats": 0.06 - VOLUME,
    "without noise": 0.05 - CLEAN,
    "16 bits": 65535 - to_16bit(VOLUME),
    "8 bits": (200 - VOLUME * 2000).clip(0, 255).astype(np.uint8),
    "negative": -VOLUME,
    "from within a particle": np.full(SHAPE, MU, np.float32) - render([ball(0, 0, 0, 3)], SHAPE, snr=None),
}


@pytest.mark.parametrize("volume", INVERTED.values(), ids=INVERTED)
def test_inverted_contrast_is_refused(tmp_path: Path, volume: Volume) -> None:
    np.save(tmp_path / "v.npy", volume)
    with pytest.raises(DataError, match=r"v\.npy: bright all around and dark within"):
        xrm.analyze(tmp_path / "v.npy", voxel_size_um=VOXEL_UM)


@pytest.mark.parametrize("kind", ["uint16", "uint8"])
def test_white_as_zero_is_turned_round(tmp_path: Path, kind: str) -> None:
    stored = to_16bit(VOLUME) if kind == "uint16" else (50 + VOLUME * 2000).clip(0, 255).astype(np.uint8)
    path = tif(tmp_path / "v.tif", np.iinfo(kind).max - stored, photometric="miniswhite")
    found = check(path)
    assert "white is stored as zero" in found.results.warnings[0]


def test_white_as_zero_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    for number, image in enumerate(65535 - to_16bit(VOLUME)):
        tif(tmp_path / "s" / f"{number:03d}.tif", image, photometric="miniswhite")
    check(tmp_path / "s")


@pytest.mark.parametrize("radius", [1.0, 0.97, 0.9])
@pytest.mark.parametrize("value", [0, 65535])
def test_a_mask_outside_a_circle_is_no_background(radius: float, value: int) -> None:
    """Zeros, or whatever one value, around a background of 1000."""
    volume = to_16bit(VOLUME)
    volume[outside(volume, radius)] = value
    assert "mask" in check(volume).results.field


def test_a_mask_around_attenuation() -> None:
    for value in (0.0, -1.0):
        volume = np.where(outside(VOLUME, 0.95), np.float32(value), VOLUME + np.float32(0.01))
        assert "mask" in check(volume).results.field


CROPS: dict[str, tuple[int, int, int]] = {
    "long": (36, 40, 96),
    "flat": (96, 32, 48),
    "deep": (32, 96, 40),
    "square": (36, 64, 64),
    "a column": (120, 36, 36),
}


@pytest.mark.parametrize("shape", CROPS.values(), ids=CROPS)
def test_a_crop_is_a_crop(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    """Also in its corners, where a reconstruction has nothing."""
    far = [n / 2 * VOXEL_UM - 5.0 for n in shape]
    bodies = [ball(side * far[2], side * far[1], side * far[0], 3.5) for side in (1, -1)]
    np.save(tmp_path / "v.npy", render(bodies, shape, snr=20))
    found = xrm.analyze(tmp_path / "v.npy", voxel_size_um=VOXEL_UM)
    assert diameters(found) == pytest.approx([7.0, 7.0], rel=0.015)
    assert found.results.counts.whole_particles == 2
    assert "crop" in found.results.field
    assert all(float(row["weight"]) >= 1 for row in found.particle_rows)


def test_a_particle_cut_by_a_crop_is_not_whole() -> None:
    bodies = [ball(0, 0, 0, 4), ball(11, 0, 0, 4), ball(0, 11, 0, 4)]
    found = xrm.analyze(render(bodies, SHAPE, snr=20), voxel_size_um=VOXEL_UM)
    assert (found.results.counts.particles, found.results.counts.whole_particles) == (3, 1)


def test_our_own_volumes_are_cylinders(tmp_path: Path) -> None:
    for write in (write_volume, write_volume_16bit):
        path = tmp_path / f"{write.__name__}.ome.tif"
        write(path, VOLUME, VOXEL_UM)
        found = check(path, None)
        assert "cylinder" in found.results.field
        assert found.results.grey == "1/um, as the file says"
        assert found.results.scale == "0.512 um, from PhysicalSizeX in µm"


def squeezed(factor_z: float, factor_y: float = 1.0) -> Volume:
    """The same bodies in voxels so many times as long."""
    ratios = np.array([factor_z, factor_y, 1.0])
    shape = tuple((np.array(SHAPE) / ratios).astype(int))
    offset: Any = 0.5 * ratios - 0.5
    return affine_transform(VOLUME, ratios, offset, output_shape=shape, order=1, mode="nearest")


@pytest.mark.parametrize("factor", [1.5, 2.0, 1.2, 0.5, 3.0])
@pytest.mark.parametrize("kind", ["ome", "imagej"])
def test_oblong_voxels_are_resampled(tmp_path: Path, factor: float, kind: str) -> None:
    volume, z_um = squeezed(factor), factor * VOXEL_UM
    path = tmp_path / "v.ome.tif"
    if kind == "ome":
        sizes = {"PhysicalSizeX": VOXEL_UM, "PhysicalSizeY": VOXEL_UM, "PhysicalSizeZ": z_um * 1e3}
        tifffile.imwrite(path, volume, ome=True, metadata={"axes": "ZYX", **sizes, "PhysicalSizeZUnit": "nm"})
    else:
        path = tmp_path / "v.tif"
        about = {"axes": "ZYX", "spacing": z_um, "unit": "um"}
        tifffile.imwrite(path, volume, imagej=True, resolution=(1 / VOXEL_UM, 1 / VOXEL_UM), metadata=about)
    found = check(path, None, rel=0.03)
    assert "were resampled to cubes" in found.results.warnings[0]


def test_voxels_too_oblong(tmp_path: Path) -> None:
    about = {"axes": "ZYX", "spacing": 6.0, "unit": "um"}
    path = tmp_path / "v.tif"
    tifffile.imwrite(path, VOLUME, imagej=True, resolution=(2.0, 2.0), metadata=about)
    with pytest.raises(DataError, match="too oblong"):
        xrm.analyze(path)


@pytest.mark.parametrize(
    ("c0", "c1", "unit"), [(-0.2, 2e-5, "1/um"), (-2000.0, 0.2, "1/cm"), (-32768.0, 1.0, "Gray Value")]
)
def test_calibration_of_imagej(tmp_path: Path, c0: float, c1: float, unit: str) -> None:
    stored = to_16bit(VOLUME, background=10000)
    lines = f"ImageJ=1.54f\nimages={SHAPE[0]}\nslices={SHAPE[0]}\nunit=um\nspacing=0.512\n"
    lines += f"cf=0\nc0={c0}\nc1={c1}\nvunit={unit}\n"
    path = tmp_path / "v.tif"
    tifffile.imwrite(
        path,
        stored,
        description=lines,
        metadata=None,
        resolution=(1 / VOXEL_UM, 1 / VOXEL_UM),
        photometric="minisblack",
    )
    found = check(path, None)
    quality = found.results.quality["volume"]
    if unit == "Gray Value":
        assert quality.particle_mode_per_um is None
        assert quality.further["grey_unit"] == "Gray Value"
    else:
        assert quality.particle_mode_per_um == pytest.approx(MU, rel=0.02)


def test_a_calibration_that_is_no_line(tmp_path: Path) -> None:
    path = tmp_path / "v.tif"
    lines = f"ImageJ=1.54f\nimages={SHAPE[0]}\nslices={SHAPE[0]}\ncf=4\nc0=1\nc1=2\nc2=3\n"
    tifffile.imwrite(path, to_16bit(VOLUME), description=lines, metadata=None, photometric="minisblack")
    with pytest.raises(DataError, match="no straight line"):
        xrm.analyze(path, voxel_size_um=0.5)


@pytest.mark.parametrize("dtype", ["uint16", "uint8", "int16", "int32", "float32"])
def test_grey_values_of_files_are_named(tmp_path: Path, dtype: str) -> None:
    top = 200 if dtype == "uint8" else 20_000
    np.save(tmp_path / "v.npy", (VOLUME / MU * top / 2 + top / 4).astype(dtype))
    found = check(tmp_path / "v.npy")
    quality = found.results.quality["volume"]
    assert quality.threshold_per_um is None
    assert quality.further["threshold_grey"] == pytest.approx(top / 2, rel=0.02)
    assert found.results.grey.startswith("grey values")
    assert np.isnan(found.particle_rows[0].get("mean_attenuation_per_um", np.nan))


def test_floats_without_a_unit_are_taken_for_attenuation_and_it_is_said(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", VOLUME)
    found = check(tmp_path / "v.npy")
    assert found.results.grey == "1/um, assumed: the file states no unit"
    assert found.particle_rows[0]["mean_attenuation_per_um"] == pytest.approx(MU, rel=0.02)


def test_errors_name_the_unit_too(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.random.default_rng(0).normal(1000, 10, SHAPE).astype(np.uint16))
    with pytest.raises(AnalysisError, match=r"noise .* grey values"):
        xrm.analyze(tmp_path / "v.npy", voxel_size_um=0.5)


def stack(folder: Path, volume: Volume, **spoil: Any) -> Path:
    write_tiff_stack(folder, volume)
    for number in spoil.get("without", ()):
        (folder / f"slice_{number:04d}.tif").unlink()
    for number, image in spoil.get("instead", {}).items():
        tif(folder / f"slice_{number:04d}.tif", image)
    return folder


@pytest.mark.parametrize("without", [(1,), (17,), (10, 11, 12), (5, 25), (34,)])
def test_slices_missing_in_a_folder(tmp_path: Path, without: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"do not count on by one.*follows slice_00"):
        xrm.analyze(stack(tmp_path / "s", VOLUME, without=without), voxel_size_um=VOXEL_UM)


ODD_SLICES: dict[str, tuple[Callable[[Volume], Volume], str]] = {
    "another type": (lambda image: (image * 5000).astype(np.uint8), "one shape and type"),
    "floats among integers": (lambda image: image.astype(np.float64), "one shape and type"),
    "another shape": (lambda image: image[:-1], "one shape and type"),
    "twice the scale": (lambda image: image * 2, "another scale"),
    "a tenth of it": (lambda image: image / 10, "another scale"),
    "256 times": (lambda image: image * 256, "another scale"),
    "zeros": (lambda image: image * 0, "one value alone|another scale"),
    "of another volume": (lambda image: np.roll(image, 20, axis=0), "another scale.*or not of this volume"),
}


@pytest.mark.parametrize(("act", "says"), ODD_SLICES.values(), ids=ODD_SLICES)
@pytest.mark.parametrize("volume", [VOLUME, CLEAN], ids=["noise", "clean"])
def test_a_slice_of_another_kind(tmp_path: Path, volume: Volume, act: Callable[[Volume], Volume], says: str) -> None:
    folder = stack(tmp_path / "s", volume, instead={18: act(volume[18])})
    with pytest.raises(DataError, match=says):
        xrm.analyze(folder, voxel_size_um=VOXEL_UM)


LOST: dict[str, slice] = {
    "one": np.s_[18:19],
    "three": np.s_[17:20],
    "upper half": np.s_[18:],
    "lower half": np.s_[:18],
    "a third": np.s_[12:24],
}


@pytest.mark.parametrize("where", LOST.values(), ids=LOST)
@pytest.mark.parametrize("volume", [VOLUME, CLEAN, to_16bit(VOLUME)], ids=["noise", "clean", "16 bits"])
def test_slices_of_zeros(tmp_path: Path, volume: Volume, where: slice) -> None:
    lost = volume.copy()
    lost[where] = 0
    np.save(tmp_path / "v.npy", lost)
    with pytest.raises(DataError, match="one value alone"):
        xrm.analyze(tmp_path / "v.npy", voxel_size_um=VOXEL_UM)


def test_clean_slices_beyond_particles_are_no_loss() -> None:
    check(render(BALLS, (60, 48, 48), snr=None))


@pytest.mark.parametrize("lost", [0, 1, 2, 3])
def test_ome_tiff_in_several_files(tmp_path: Path, lost: int) -> None:
    names = [f"v_{number}.ome.tif" for number in range(4)]
    uuids = [f"urn:uuid:0000000{number}-0000-4000-8000-000000000000" for number in range(4)]
    blocks = "".join(
        f'<TiffData FirstZ="{9 * n}" IFD="0" PlaneCount="9"><UUID FileName="{name}">{uuid}</UUID></TiffData>'
        for n, (name, uuid) in enumerate(zip(names, uuids, strict=True))
    )
    for number, name in enumerate(names):
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="{uuids[number]}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="float" '
            f'SizeX="48" SizeY="48" SizeZ="36" SizeC="1" SizeT="1" PhysicalSizeX="{VOXEL_UM}" '
            f'PhysicalSizeY="{VOXEL_UM}" PhysicalSizeZ="{VOXEL_UM}">'
            f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{blocks}</Pixels></Image></OME>'
        )
        part = VOLUME[9 * number : 9 * number + 9]
        tifffile.imwrite(tmp_path / name, part, description=xml, metadata=None, photometric="minisblack")
    first = tmp_path / names[0 if lost else 1]
    if lost == 0:
        check(first, None)
    (tmp_path / names[lost]).unlink()
    with pytest.raises(DataError, match=rf"files of the volume are missing.*{names[lost]}"):
        xrm.analyze(first)


@pytest.mark.parametrize("thickness", [1, 2, 3])
@pytest.mark.parametrize("snr", [None, 20])
def test_shells_are_no_empty_volume(thickness: int, snr: float | None) -> None:
    width = thickness * VOXEL_UM
    shells = [*BALLS, ball(-3.5, -3.5, 0, 4.5 - width, -1), ball(4.5, 3.5, 2, 3.5 - width, -1)]
    with pytest.raises(AnalysisError, match="thinner than five voxels: shells"):
        xrm.analyze(render(shells, SHAPE, snr=snr, fwhm_voxels=0.5), voxel_size_um=VOXEL_UM)


def test_colours_and_pictures_are_no_volumes(tmp_path: Path) -> None:
    rgb = tif(tmp_path / "rgb.tif", np.zeros((40, 50, 3), np.uint8), photometric="rgb")
    one = tif(tmp_path / "one.tif", VOLUME[0])
    for path, says in ((rgb, "colours"), (one, "three dimensions")):
        with pytest.raises(DataError, match=says):
            xrm.analyze(path, voxel_size_um=0.5)


def test_a_volume_cut_short(tmp_path: Path) -> None:
    for share in (0.3, 0.6, 0.9, 0.99):
        path = write_volume(tmp_path / f"{share}.ome.tif", VOLUME, VOXEL_UM)
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        with pytest.raises(DataError, match=rf"{share}\.ome\.tif"):
            xrm.analyze(path)


def test_an_xradia_volume_is_measured(tmp_path: Path) -> None:
    check(xradia(tmp_path / "v.txm", to_16bit(VOLUME), PixelSize=VOXEL_UM), None)
    check(xradia(tmp_path / "w.txm", VOLUME, PixelSize=VOXEL_UM), None)


def _of_balls(seed: int = 0) -> np.ndarray:
    """Three balls of 12, 14 and 16 um in voxels of 0.5 um, with noise."""
    z, y, x = np.mgrid[:72, :72, :72].astype(np.float32)
    inside = [(20, 22, 22, 12), (48, 46, 38, 16), (28, 54, 54, 14)]
    away = [np.sqrt((z - a) ** 2 + (y - b) ** 2 + (x - c) ** 2) - r for a, b, c, r in inside]
    volume = 0.05 * np.clip(0.5 - np.min(away, axis=0), 0, 1)
    return (volume + np.random.default_rng(seed).normal(0, 0.003, volume.shape)).astype(np.float32)


RAMP = np.linspace(0, 1, 72, dtype=np.float32)


@pytest.mark.parametrize(
    ("change", "doubted"),
    [
        (lambda v: v, False),
        (lambda v: v + 0.005 * RAMP, False),
        (lambda v: v + 0.03 * RAMP, True),
        (lambda v: v + 0.03 * RAMP[:, None], True),
        (lambda v: v + 0.03 * RAMP[:, None, None], True),
        (lambda v: v + 0.03 * (2 * RAMP - 1) ** 2, True),
    ],
    ids=["even", "a tenth", "across", "along the rows", "along z", "cupped"],
)
def test_an_uneven_ground_is_doubted(change: Any, doubted: bool) -> None:
    found = xrm.analyze(change(_of_balls()), voxel_size_um=0.5)
    assert [doubt.startswith("uneven ground") for doubt in found.results.doubts] == [True] * doubted


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda v: np.concatenate([v[:40], v[:40]]), "a slice is there twice"),
        (lambda v: np.concatenate([v[:40], v[9:10], v[40:]]), "a slice is (there twice|in another scale)"),
        (lambda v: v[36], "three dimensions"),
    ],
    ids=["a half twice", "one again elsewhere", "one slice alone"],
)
def test_slices_that_are_no_volume(change: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        xrm.analyze(change(_of_balls()), voxel_size_um=0.5)


@pytest.mark.parametrize("scale", [1e3, 1e4], ids=["per mm", "per cm"])
def test_an_array_that_attenuates_more_than_any_matter_is_grey_values(scale: float) -> None:
    found = xrm.analyze(_of_balls() * scale, voxel_size_um=0.5)
    assert found.results.counts.particles == 3
    assert found.results.grey.startswith("grey values")
    assert np.isnan(found.particle_rows[0]["mean_attenuation_per_um"])
