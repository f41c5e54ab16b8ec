"""Scan files: what other people's tools wrote is read, what is damaged is refused by name."""

from __future__ import annotations

import io
import pickle
import struct
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import olefile
import pytest

from xrm_control.core.errors import DataError
from xrm_control.reconstruction.scan import ScanData
from xrm_control.storage.formats import xradia
from xrm_control.storage.formats.hdf5 import lazy_frames
from xrm_control.storage.formats.ome_tiff import write_volume
from xrm_control.storage.formats.registry import read_scan, read_volume, scan_formats, volume_formats

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
VOLUME = np.random.default_rng(1).normal(0.02, 0.02, (5, 7, 9)).astype(np.float32)


def real(name: str) -> Path:
    if not (DATA / name).exists():
        pytest.skip("the real data in ../shared/data is not here")
    return DATA / name


def data_exchange(path: Path, **change: object) -> Path:
    """A small Data Exchange file; a change of None leaves the dataset out."""
    datasets: dict[str, object] = {
        "exchange/data": np.arange(60, dtype=np.uint16).reshape(5, 3, 4),
        "exchange/data_white": np.full((2, 3, 4), 900, np.uint16),
        "exchange/data_dark": np.full((1, 3, 4), 10, np.uint16),
        "exchange/theta": np.linspace(0, 180, 5),
    }
    with h5py.File(path, "w") as file:
        for name, values in (datasets | {f"exchange/{key}": value for key, value in change.items()}).items():
            if values is not None:
                file[name] = values
    return path


def nxtomo(path: Path, entry: str = "entry") -> Path:
    with h5py.File(path, "w") as file:
        detector = file.create_group(f"{entry}/instrument/detector")
        detector["data"] = np.arange(72, dtype=np.uint16).reshape(6, 3, 4)
        detector["image_key"] = [2, 1, 0, 0, 3, 1]
        detector["x_pixel_size"] = 5.12e-7
        detector["x_pixel_size"].attrs["units"] = "m"
        file[f"{entry}/sample/rotation_angle"] = np.radians([0.0, 0, 10, 20, 30, 0])
        file[f"{entry}/sample/rotation_angle"].attrs["units"] = "rad"
        file[f"{entry}/instrument/beam/incident_energy"] = 5.4
    return path


def test_data_exchange(tmp_path: Path) -> None:
    scan = read_scan(data_exchange(tmp_path / "scan.h5"))
    assert scan.projections.shape == (5, 3, 4)
    assert scan.projections.dtype == np.uint16
    assert scan.theta_deg == pytest.approx([0, 45, 90, 135, 180])
    assert scan.flats.shape == (2, 3, 4)
    assert scan.darks.shape == (1, 3, 4)
    assert scan.pixel_size_um is None


def test_a_file_without_references_is_named_with_what_to_give(tmp_path: Path) -> None:
    path = data_exchange(tmp_path / "scan.h5", data_white=None)
    with pytest.raises(DataError, match=r"no reference images.*give a file with reference images") as refused:
        ScanData.of(read_scan(path), pixel_size_um=0.5)
    assert str(refused.value).startswith(f"{path}: ")


def test_data_exchange_with_radians_pixel_and_energy(tmp_path: Path) -> None:
    path = data_exchange(tmp_path / "scan.hdf", data_dark=None)
    with h5py.File(path, "a") as file:
        del file["exchange/theta"]
        file["exchange/theta"] = np.radians(np.linspace(0, 180, 5))
        file["exchange/theta"].attrs["units"] = "radians"
        for name, value, unit in (
            ("measurement/instrument/detection_system/objective/resolution", 650.0, "nm"),
            ("measurement/instrument/monochromator/energy", 9200.0, "eV"),
        ):
            file[name] = value
            file[name].attrs["units"] = unit
    scan = read_scan(path)
    assert scan.theta_deg == pytest.approx([0, 45, 90, 135, 180])
    assert scan.pixel_size_um == pytest.approx(0.65)
    assert scan.energy_kev == pytest.approx(9.2)
    assert scan.darks.shape == (0, 3, 4)


@pytest.mark.parametrize("entry", ["entry", "entry0000"])
def test_nxtomo(tmp_path: Path, entry: str) -> None:
    scan = read_scan(nxtomo(tmp_path / "scan.nx", entry))
    assert [one[0, 0] for one in scan.projections] == [24, 36]
    assert scan.theta_deg == pytest.approx([10, 20])
    assert list(scan.flat_time_s) == [1, 5]
    assert list(scan.time_s) == [2, 3]
    assert len(scan.darks) == 1
    assert scan.pixel_size_um == pytest.approx(0.512)
    assert scan.energy_kev == pytest.approx(5.4)


def test_the_real_tooth() -> None:
    scan = read_scan(real("tooth.h5"))
    assert scan.projections.shape == (181, 2, 640)
    assert (len(scan.flats), len(scan.darks)) == (10, 10)
    assert scan.theta_deg[-1] == pytest.approx(179.0055, abs=1e-3)
    with pytest.raises(DataError, match="how large a pixel is"):
        ScanData.of(scan)
    assert ScanData.of(scan, pixel_size_um=2.0).pixel_size_um == 2.0


def test_the_real_xradia_scan() -> None:
    scan = read_scan(real("xradia_chip_tomo.txrm"))
    assert scan.projections.shape == (7, 256, 256)
    assert scan.projections.dtype == np.uint16
    assert (scan.projections[:].min(), scan.projections[:].max()) == (1, 476)
    assert scan.theta_deg == pytest.approx([-45.0, -30.0, -15.0, 0.0, 15.0, 30.0, 45.0], abs=0.02)
    assert scan.pixel_size_um == pytest.approx(0.1558, abs=1e-4)
    assert scan.energy_kev == pytest.approx(9.2, abs=1e-3)  # the stream is longer than the images
    assert scan.shifts_px is not None
    assert scan.shifts_px[0] == pytest.approx([0.25916, -0.24400], abs=1e-4)  # y is stored upwards
    assert len(scan.flats) == 0
    with pytest.raises(DataError, match=r"no reference images.*normalised"):
        ScanData.of(scan)
    assert ScanData.of(scan, assume_normalised=True).normalised
    supplied = ScanData.of(scan, flats=np.full((2, 256, 256), 500))
    assert supplied.flat_time_s.shape == (2,)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"theta": None}, "/exchange/theta: the file does not say the angles"),
        ({"theta": np.zeros(4)}, "one angle per projection"),
        ({"theta": np.zeros((5, 2))}, "numbers in 1 dimensions"),
        ({"data": np.zeros((3, 4))}, "numbers in 3 dimensions"),
        ({"data_white": np.zeros((2, 3, 5))}, "shape of the projections"),
    ],
)
def test_damaged_data_exchange(tmp_path: Path, change: dict, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read_scan(data_exchange(tmp_path / "scan.h5", **change))


def cut(path: Path, share: float) -> Path:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path


def test_truncated_files_are_refused(tmp_path: Path) -> None:
    for path in (
        cut(data_exchange(tmp_path / "half.h5"), 0.5),
        cut(write_volume(tmp_path / "v.ome.tif", VOLUME, 0.5), 0.6),
    ):
        with pytest.raises(DataError, match=path.name):
            (read_volume if path.name.endswith("tif") else read_scan)(path)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_a_truncated_xradia_file_is_refused(tmp_path: Path, share: float) -> None:
    copy = tmp_path / "cut.txrm"
    copy.write_bytes(real("xradia_chip_tomo.txrm").read_bytes())
    with pytest.raises(DataError, match=r"cut\.txrm"):
        read_scan(cut(copy, share)).projections[:]


def rewritten(tmp_path: Path, **integers: int) -> Path:
    """The real Xradia file with other integers in its ImageInfo."""
    copy = tmp_path / "odd.txrm"
    copy.write_bytes(real("xradia_chip_tomo.txrm").read_bytes())
    with olefile.OleFileIO(str(copy), write_mode=True) as container:
        for name, value in integers.items():
            container.write_stream(f"ImageInfo/{name}", struct.pack("<i", value))
    return copy


def test_an_aborted_xradia_scan_has_the_images_it_took(tmp_path: Path) -> None:
    scan = read_scan(rewritten(tmp_path, ImagesTaken=5))
    assert scan.projections.shape == (5, 256, 256)
    assert len(scan.theta_deg) == 5


@pytest.mark.parametrize(
    ("integers", "says"),
    [
        ({"DataType": 9}, "unknown data type"),
        ({"DataType": 10}, "cut short or of another type"),
        ({"ImageHeight": 255}, "cut short or of another type"),
        ({"ImagesTaken": 0}, "holds no image"),
        ({"ImagesTaken": 8}, "the stream is missing"),
    ],
)
def test_an_xradia_file_that_contradicts_itself(tmp_path: Path, integers: dict, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read_scan(rewritten(tmp_path, **integers))


class Container:
    """Streams in memory, spelt as some versions of the instrument's software spell them."""

    def __init__(self, streams: dict[str, bytes]) -> None:
        self.streams = streams

    def listdir(self) -> list[list[str]]:
        return [name.split("/") for name in self.streams]

    def openstream(self, entry: list[str]) -> io.BytesIO:
        return io.BytesIO(self.streams["/".join(entry)])

    def get_size(self, entry: list[str]) -> int:
        return len(self.streams["/".join(entry)])


def test_xradia_with_a_reference_and_more_than_a_hundred_images() -> None:
    images = {f"ImageData{(i + 99) // 100}/Image{i}": np.full(6, i, "<f4").tobytes() for i in range(1, 103)}
    facts = {
        "imageinfo/noofimages": 102,
        "ImageInfo/imageWidth": 3,
        "ImageInfo/ImageHeight": 2,
        "ImageInfo/DataType": 10,
    }
    container = Container(
        images
        | {name: struct.pack("<i", value) for name, value in facts.items()}
        | {
            "ImageInfo/Angles": np.arange(110, dtype="<f4").tobytes(),
            "ReferenceData/Image": np.full(6, 700, "<u2").tobytes(),
            "ReferenceData/DataType": struct.pack("<i", 5),
            "ImageInfo/Energy": np.array([5.4], "<f4").tobytes(),
        }
    )
    scan = xradia.read_streams(lambda: nullcontext(container), "memory")
    assert list(scan.projections[:, 0, 0]) == list(range(1, 103))
    assert scan.projections.dtype == np.float32
    assert scan.flats.shape == (1, 2, 3)
    assert scan.flats.dtype == np.uint16
    assert scan.theta_deg[-1] == 101
    assert scan.energy_kev == pytest.approx(5.4)
    assert scan.shifts_px is None
    assert scan.pixel_size_um is None


def test_files_that_are_none_of_these(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no scan")
    (tmp_path / "empty.h5").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "odd.txrm").write_text("not OLE")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["something"] = 1
    for name, says in (
        ("notes.txt", "known format"),
        ("empty.h5", "is empty"),
        ("missing.h5", "no such file"),
        ("folder", "known format"),
        ("odd.txrm", "known format"),
        ("other.h5", "known format"),
    ):
        for read in (read_scan, read_volume):
            with pytest.raises(DataError, match=says):
                read(tmp_path / name)


def test_the_content_decides_where_the_name_does_not(tmp_path: Path) -> None:
    path = data_exchange(tmp_path / "scan.dat")
    assert len(read_scan(path).projections) == 5


def test_formats_are_found_by_looking() -> None:
    assert {"Data Exchange", "NXtomo", "Xradia"} <= {one.name for one in scan_formats()}
    assert {"TIFF", "TIFF stack", "NumPy"} <= {one.name for one in volume_formats()}


INDEXES = {
    "all": np.s_[:],
    "one": np.s_[3],
    "last": np.s_[-1],
    "some": np.s_[1:4],
    "backwards": np.s_[::-1],
    "numbers": np.array([4, 0, 1, 2]),
    "mask": np.array([True, False, True, False, True]),
    "rows": np.s_[:, 1:3],
    "a row": np.s_[:, 2],
    "every other row": np.s_[1:, ::2],
    "a window": np.s_[2:, 1:3, 1:-1],
    "a pixel": np.s_[:, 0, 0],
    "numbers and rows": (np.array([3, 1]), slice(0, 2)),
    "nothing": np.s_[5:],
    "no rows": np.s_[:, 2:2],
}


@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES)
def test_frames_left_in_a_file_are_indexed_like_the_array_they_are(tmp_path: Path, index: Any) -> None:
    """Held against numpy on the same numbers, for stacks whole and picked out."""
    numbers = np.random.default_rng(2).integers(0, 60_000, (9, 3, 4)).astype(np.uint16)
    chosen = [8, 0, 1, 2, 5]
    with h5py.File(tmp_path / "frames.h5", "w") as file:
        file["plain"] = numbers[:5]
        file.create_dataset("packed", data=numbers, chunks=(1, 3, 4), compression="gzip")
        plain, picked = lazy_frames(file, "plain"), lazy_frames(file, "packed", chosen)
    for lazy, true in ((plain, numbers[:5]), (pickle.loads(pickle.dumps(picked)), numbers[chosen])):
        assert np.array_equal(lazy[index], true[index])
        assert lazy[index].shape == true[index].shape
        assert np.array_equal(np.asarray(lazy), true)


def test_frames_left_in_a_file_that_is_gone(tmp_path: Path) -> None:
    path = data_exchange(tmp_path / "scan.h5")
    frames = read_scan(path).projections
    path.unlink()
    with pytest.raises(DataError, match=r"scan\.h5"):
        frames[0]
