"""Volume files: what is written is read back by us and by others, and what is no volume is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from xrm_control.core.errors import DataError, StorageError
from xrm_control.storage.formats.ome_tiff import write_volume, write_volume_16bit
from xrm_control.storage.formats.registry import read_volume
from xrm_control.storage.formats.tiff_stack import write_tiff_stack

VOLUME = np.random.default_rng(1).normal(0.02, 0.02, (5, 7, 9)).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.uint16, np.uint32, np.uint8])
def test_ome_tiff_gives_back_what_it_got(tmp_path: Path, dtype: type) -> None:
    volume = (VOLUME * 1000).astype(dtype) if dtype is np.float32 else np.arange(315).reshape(5, 7, 9).astype(dtype)
    path = write_volume(tmp_path / "volume.ome.tif", volume, 0.512)
    again, voxel_um = read_volume(path)
    assert again.dtype == dtype
    assert np.array_equal(again, volume)
    assert voxel_um == pytest.approx(0.512)


def test_ome_tiff_says_what_others_need(tmp_path: Path) -> None:
    path = write_volume(tmp_path / "volume.ome.tif", VOLUME, 0.512)
    with tifffile.TiffFile(path) as file:
        assert file.is_ome
        assert file.series[0].axes == "ZYX"
        assert file.ome_metadata is not None
        pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
    assert (pixels["SizeX"], pixels["SizeY"], pixels["SizeZ"]) == (9, 7, 5)
    assert [pixels[f"PhysicalSize{axis}"] for axis in "XYZ"] == [0.512] * 3
    assert {pixels[f"PhysicalSize{axis}Unit"] for axis in "XYZ"} == {"µm"}


def test_the_same_volume_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = (write_volume(tmp_path / f"{n}.ome.tif", VOLUME, 0.512).read_bytes() for n in "ab")
    assert one.replace(b"a.ome.tif", b"b.ome.tif") == two


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    def identity(name: str, volume: np.ndarray) -> str:
        with tifffile.TiffFile(write_volume(tmp_path / name, volume, 0.512)) as file:
            return tifffile.xml2dict(file.ome_metadata or "")["OME"]["UUID"]

    one, same, other = identity("a.tif", VOLUME), identity("b.tif", VOLUME), identity("c.tif", VOLUME + 1)
    assert one == same != other
    assert int(one.removeprefix("urn:uuid:").replace("-", ""), 16) > 0


def test_a_volume_in_parts_is_the_same_file(tmp_path: Path) -> None:
    """The parts may be left in a file; 16 bits take their scale from all of them."""
    np.save(tmp_path / "lower.npy", VOLUME[2:])
    parts = [VOLUME[:2], np.load(tmp_path / "lower.npy", mmap_mode="r")]
    for write in (write_volume, write_volume_16bit):
        one, two = tmp_path / "whole" / "v.ome.tif", tmp_path / "parts" / "v.ome.tif"
        for path, volume in ((one, VOLUME), (two, parts)):
            path.parent.mkdir(exist_ok=True)
            write(path, volume, 0.5, replace=True)
        assert one.read_bytes() == two.read_bytes()
    for wrong, says in (([], "no parts"), ([VOLUME, VOLUME[:, 1:]], "alike"), ([VOLUME, VOLUME * np.nan], "NaN")):
        with pytest.raises(DataError, match=says):
            write_volume(tmp_path / "wrong.ome.tif", wrong, 0.5)


def test_sixteen_bits_lead_back_to_attenuation(tmp_path: Path) -> None:
    path = tmp_path / "small.ome.tif"
    scale = write_volume_16bit(path, VOLUME, 0.512)
    with tifffile.TiffFile(path) as file:
        stored = file.asarray()
    assert stored.dtype == np.uint16
    assert (stored.min(), stored.max()) == (0, 65535)
    again, voxel_um = read_volume(path)
    assert voxel_um == pytest.approx(0.512)
    assert np.abs(again - VOLUME).max() < 0.51 * scale.step_per_um + 1e-8
    assert np.abs(scale.attenuation(stored) - VOLUME).max() < 0.51 * scale.step_per_um + 1e-8
    flat = np.full((2, 3, 4), 0.25, np.float32)
    write_volume_16bit(tmp_path / "flat.ome.tif", flat, 1.0)
    assert np.array_equal(read_volume(tmp_path / "flat.ome.tif")[0], flat)


def test_a_binned_volume_in_16_bits_has_4_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "volume.ome.tif"
    write_volume_16bit(path, np.random.default_rng(0).random((128, 128, 128), np.float32), 0.512)
    assert path.stat().st_size == pytest.approx(4.19e6, rel=0.01)


def test_nothing_is_overwritten_unless_asked(tmp_path: Path) -> None:
    path = write_volume(tmp_path / "volume.ome.tif", VOLUME, 0.5)
    with pytest.raises(StorageError, match="exists already"):
        write_volume(path, VOLUME * 2, 0.5)
    assert np.array_equal(read_volume(path)[0], VOLUME)
    write_volume(path, VOLUME * 2, 0.5, replace=True)
    assert np.array_equal(read_volume(path)[0], VOLUME * 2)
    with pytest.raises(StorageError):
        write_volume(tmp_path / "no" / "such" / "folder.tif", VOLUME, 0.5)


@pytest.mark.parametrize(
    ("volume", "voxel_um", "says"),
    [
        (VOLUME[0], 0.5, "three dimensions"),
        (VOLUME[:0], 0.5, "three dimensions"),
        (VOLUME * np.nan, 0.5, "NaN"),
        (VOLUME, 0.0, "voxel size"),
        (VOLUME, np.nan, "voxel size"),
    ],
)
def test_what_is_no_volume_is_not_written(tmp_path: Path, volume: np.ndarray, voxel_um: float, says: str) -> None:
    for write in (write_volume, write_volume_16bit):
        with pytest.raises(DataError, match=says):
            write(tmp_path / "volume.ome.tif", volume, voxel_um)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("sizes", "unit", "expected"), [((512, 512, 512), "nm", 0.512), ((0.003, 0.003, 0.003), "mm", 3.0)]
)
def test_other_units(tmp_path: Path, sizes: tuple, unit: str, expected: float) -> None:
    lengths = dict(zip(("PhysicalSizeX", "PhysicalSizeY", "PhysicalSizeZ"), sizes, strict=True))
    units = {f"{name}Unit": unit for name in lengths}
    tifffile.imwrite(tmp_path / "v.ome.tif", VOLUME, metadata={"axes": "ZYX", **lengths, **units})
    assert read_volume(tmp_path / "v.ome.tif")[1] == pytest.approx(expected)


def test_voxels_that_are_no_cubes_are_refused(tmp_path: Path) -> None:
    lengths = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 1.0}
    tifffile.imwrite(tmp_path / "v.ome.tif", VOLUME, metadata={"axes": "ZYX", **lengths})
    with pytest.raises(DataError, match="no cubes"):
        read_volume(tmp_path / "v.ome.tif")


def test_imagej_and_plain_tiff(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "ij.tif",
        VOLUME,
        imagej=True,
        resolution=(1 / 0.512, 1 / 0.512),
        metadata={"axes": "ZYX", "spacing": 0.512, "unit": "um"},
    )
    volume, voxel_um = read_volume(tmp_path / "ij.tif")
    assert np.array_equal(volume, VOLUME)
    assert voxel_um == pytest.approx(0.512, rel=1e-4)
    tifffile.imwrite(tmp_path / "plain.tif", VOLUME, photometric="minisblack")
    volume, voxel_um = read_volume(tmp_path / "plain.tif")
    assert np.array_equal(volume, VOLUME)
    assert voxel_um is None


def test_a_folder_of_slices_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    folder = write_tiff_stack(tmp_path / "stack", VOLUME)
    assert np.array_equal(read_volume(folder)[0], VOLUME)
    loose = tmp_path / "loose"
    loose.mkdir()
    for number in (10, 9, 8):
        tifffile.imwrite(loose / f"s{number}.tif", np.full((3, 4), number, np.uint8))
    assert list(read_volume(loose)[0][:, 0, 0]) == [8, 9, 10]
    tifffile.imwrite(loose / "s11.tif", np.zeros((5, 4), np.uint8))
    with pytest.raises(DataError, match=r"s11\.tif"):
        read_volume(loose)


def test_numpy_volumes_and_what_they_may_hold(tmp_path: Path) -> None:
    path = tmp_path / "volume.npy"
    np.save(path, VOLUME)
    assert np.array_equal(read_volume(path)[0], VOLUME)
    for wrong, says in (
        (np.where(VOLUME > 0.05, np.nan, VOLUME), "NaN"),
        (VOLUME[0], "three dimensions"),
        (VOLUME.astype(complex), "real numbers"),
        (np.array([{}], object), "NumPy array"),
    ):
        np.save(path, wrong, allow_pickle=True)
        with pytest.raises(DataError, match=says):
            read_volume(path)


def test_pictures_are_no_volumes(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "picture.tif", VOLUME[0])
    with pytest.raises(DataError, match="three dimensions"):
        read_volume(tmp_path / "picture.tif")
