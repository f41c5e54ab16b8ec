"""What a file says is used: alignment frames, exposures, monitors, entries; what is not there is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from tests.inputs.balls import check_ball, longer
from tests.inputs.files import (
    THETA,
    Quantity,
    ball_scan,
    changed,
    data_exchange,
    nxtomo,
    nxtomo_content,
    tiff_folder,
    write_hdf5,
)
from xrm_control.core.errors import DataError
from xrm_control.storage.formats.registry import open_volume, read_scan
from xrm_control.storage.formats.scan_file import ScanOptions

VIEWS = len(THETA)


PLACES: dict[str, Callable[[float], dict[str, Any]]] = {
    "beside the frames": lambda t: {"exchange__exposure_time": 1.0, "exchange__exposure_time_white": t},
    "in ms": lambda t: {
        "exchange__exposure_time": Quantity(1000.0, "ms"),
        "exchange__exposure_time_flat": Quantity(1000.0 * t, "ms"),
    },
    "with the detector": lambda t: {
        "measurement__instrument__detector__exposure_time": 1.0,
        "measurement__instrument__detector__flat_exposure_time": t,
    },
    "in the process": lambda t: {
        "measurement__instrument__detector__exposure_time": 1.0,
        "process__acquisition__flat_fields__flat_exposure_time": t,
    },
    "one for each frame": lambda t: {
        "exchange__exposure_time": np.ones(VIEWS),
        "exchange__data_white_exposure": np.full(10, t),
    },
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("flats", [0.5, 1.25])
def test_flats_exposed_for_another_time(tmp_path: Path, place: Callable[[float], dict[str, Any]], flats: float) -> None:
    scan = longer(ball_scan(), flats)
    check_ball(data_exchange(tmp_path / "scan.h5", scan, **place(flats)), f"got {1 / flats:.4g} times the light")


def test_exposures_as_attributes(tmp_path: Path) -> None:
    path = data_exchange(tmp_path / "scan.h5", longer(ball_scan(), 0.5))
    with h5py.File(path, "a") as file:
        file["exchange/data"].attrs["exposure_time"] = 1.0
        file["exchange/data_white"].attrs["exposure_time"] = 0.5
    check_ball(path, "got 2 times the light")


def per_frame(views: Any, flats: Any) -> np.ndarray:
    """For darks, flats, projections and flats, as in the stack of an NXtomo file."""
    half = np.broadcast_to(flats, 10)
    return np.concatenate((np.ones(5), half[:5], np.broadcast_to(views, VIEWS), half[5:]))


def test_count_times_of_nxtomo(tmp_path: Path) -> None:
    times = Quantity(per_frame(1.0, 0.8), "s")
    check_ball(
        nxtomo(tmp_path / "a.nx", longer(ball_scan(), 0.8), instrument__detector__count_time=times), "1.25 times"
    )


@pytest.mark.parametrize("unit", ["counts", "A"])
def test_a_beam_that_the_monitor_saw_change(tmp_path: Path, unit: str) -> None:
    """By 40 % during the scan; without the monitor the ball would be wrong by more than 10 %."""
    beam = 1 + 0.2 * np.sin(np.arange(VIEWS) / 5)
    scan = changed(
        ball_scan(), projections=lambda p: (100 + (p - 100.0) * beam[:, None, None]).round().astype(np.uint16)
    )
    more: dict[str, Any] = {"control__data": Quantity(3e5 * per_frame(beam, 1.0), unit)}
    if unit == "A":
        more["instrument__detector__count_time"] = Quantity(per_frame(1.0, 1.0), "s")
    check_ball(nxtomo(tmp_path / "a.nx", scan, **more), "beam monitor")


@pytest.mark.parametrize("light", [0.0, np.nan, -1.0, 1e-9])
def test_light_that_cannot_be(tmp_path: Path, light: float) -> None:
    monitor = per_frame(np.where(np.arange(VIEWS) == 7, light, 1.0), 1.0)
    path = nxtomo(tmp_path / "a.nx", control__data=monitor)
    if np.isnan(light):
        assert read_scan(path).light is None
        return
    with pytest.raises(DataError, match="beam monitor of the frames cannot be right"):
        read_scan(path)


@pytest.mark.parametrize("back", [1, 4, 5, 9, 20])
def test_alignment_frames_are_no_projections(tmp_path: Path, back: int) -> None:
    """The sample has moved by six pixels when they are taken."""
    scan = ball_scan()
    content = nxtomo_content(scan)
    moved = np.roll(scan.projections[:back], 6, axis=2)
    frames = np.concatenate((content["entry/instrument/detector/data"], moved))
    key = content["entry/instrument/detector/image_key"]
    angle = content["entry/sample/rotation_angle"].value
    content |= {
        "entry/instrument/detector/data": frames,
        "entry/instrument/detector/image_key": np.concatenate((key, np.zeros(back, int))),
        "entry/instrument/detector/image_key_control": np.concatenate((key, np.full(back, -1))),
        "entry/sample/rotation_angle": Quantity(np.concatenate((angle, THETA[:back] * -1)), "degree"),
    }
    path = write_hdf5(tmp_path / "a.nx", content)
    assert len(read_scan(path).projections) == VIEWS
    check_ball(path, f"{back} alignment frames were left out")


def test_invalid_frames_and_odd_keys(tmp_path: Path) -> None:
    key = nxtomo_content(ball_scan())["entry/instrument/detector/image_key"]
    bad = np.where(np.arange(len(key)) == 20, 3, key)
    found = read_scan(nxtomo(tmp_path / "a.nx", instrument__detector__image_key=bad))
    assert len(found.projections) == VIEWS - 1
    assert "1 frames that the file calls invalid" in found.origins.notes[0]
    for odd in (4, 7, -2, 100, -100):
        with pytest.raises(DataError, match="is no key of a frame"):
            read_scan(nxtomo(tmp_path / f"{odd}.nx", instrument__detector__image_key=np.where(key == 2, odd, key)))


@pytest.mark.parametrize("names", [("entry", "entry2"), ("entry0000", "entry0001"), ("a", "b"), ("1.1", "2.1")])
def test_two_scans_in_a_file(tmp_path: Path, names: tuple[str, str]) -> None:
    one, two = nxtomo_content(ball_scan(), names[0]), nxtomo_content(ball_scan(), names[1])
    two[f"{names[1]}/instrument/detector/x_pixel_size"] = Quantity(7e-7, "m")
    path = write_hdf5(tmp_path / "a.nx", one | two)
    with pytest.raises(DataError, match=rf"several scans.*{names[0]}, {names[1]}.*--entry"):
        read_scan(path)
    assert read_scan(path, ScanOptions(entry=names[1])).pixel_size_um == pytest.approx(0.7)
    assert read_scan(path, ScanOptions(entry=f"/{names[0]}")).pixel_size_um == pytest.approx(0.5)
    with pytest.raises(DataError, match="no such entry"):
        read_scan(path, ScanOptions(entry="nowhere"))
    with h5py.File(path, "a") as file:
        file.attrs["default"] = names[1]
    assert read_scan(path).pixel_size_um == pytest.approx(0.7)


def test_another_group_of_data_exchange(tmp_path: Path) -> None:
    scan = changed(ball_scan(), projections=lambda p: p[:31], theta_deg=lambda t: t[:31])
    path = data_exchange(tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        file["exchange_2/data"], file["exchange_2/theta"] = scan.projections[:], scan.theta_deg
    assert len(read_scan(path).projections) == VIEWS
    assert len(read_scan(path, ScanOptions(entry="exchange_2")).projections) == 31
    with pytest.raises(DataError, match="exchange, exchange_2"):
        read_scan(path, ScanOptions(entry="exchange_9"))


CONES: dict[str, dict[str, Any]] = {
    "NeXus": {
        "instrument__source__distance": Quantity(-0.05, "m"),
        "instrument__detector__distance": Quantity(0.5, "m"),
    },
    "NeXus, mm": {
        "instrument__source__distance": Quantity(50, "mm"),
        "instrument__detector__distance": Quantity(500, "mm"),
    },
    "source alone": {"instrument__source__distance": Quantity(0.2, "m")},
    "source to detector": {
        "instrument__source_detector_distance": Quantity(0.6, "m"),
        "instrument__source_sample_distance": Quantity(0.1, "m"),
    },
    "in letters": {"instrument__sod": Quantity(100, "mm"), "instrument__sdd": Quantity(600, "mm")},
    "in words": {"instrument__geometry": "cone beam"},
}


@pytest.mark.parametrize("change", CONES.values(), ids=CONES)
def test_cone_beams_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    for path in (
        nxtomo(tmp_path / "a.nx", **change),
        data_exchange(tmp_path / "a.h5", **{f"measurement__{name}": item for name, item in change.items()}),
    ):
        with pytest.raises(DataError, match=r"cone-beam scan.*analyze"):
            read_scan(path)


@pytest.mark.parametrize(
    "change",
    [
        {"instrument__detector__distance": Quantity(0.03, "m")},
        {"instrument__source__distance": Quantity(-145.0, "m"), "instrument__detector__distance": Quantity(0.2, "m")},
        {"instrument__source__distance": Quantity(40.0, "m")},
        {"instrument__source__distance": Quantity(0.0, "m"), "instrument__detector__distance": Quantity(0.2, "m")},
        {"instrument__geometry": "parallel beam"},
    ],
)
def test_parallel_beams_are_taken(tmp_path: Path, change: dict[str, Any]) -> None:
    assert len(read_scan(nxtomo(tmp_path / "a.nx", **change)).projections) == VIEWS


def virtual(folder: Path, **change: Any) -> Path:
    """The projections in four files, put together by a virtual dataset."""
    frames = ball_scan().projections[:]
    path = data_exchange(folder / "scan.h5", exchange__data=None)
    layout = h5py.VirtualLayout(frames.shape, frames.dtype)
    for number, part in enumerate(np.array_split(np.arange(VIEWS), 4)):
        name = f"part{number}.h5"
        if change.get("without_map") != number:
            layout[part[0] : part[-1] + 1] = h5py.VirtualSource(name, "data", (len(part), *frames.shape[1:]))
        if change.get("without_file") == number:
            continue
        with h5py.File(folder / name, "w") as file:
            kept = part[:-2] if change.get("short") == number else part
            file["other" if change.get("other_name") == number else "data"] = frames[kept]
    with h5py.File(path, "a") as file:
        file.create_virtual_dataset("exchange/data", layout, fillvalue=0)
    return path


def test_virtual_data_that_are_whole(tmp_path: Path) -> None:
    check_ball(virtual(tmp_path))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        *[({"without_file": number}, f"part{number}.h5 is missing") for number in range(4)],
        ({"without_map": 2}, "have a source"),
        ({"short": 1}, r"part1\.h5:data has the shape"),
        ({"other_name": 3}, r"part3\.h5 has no data"),
    ],
)
def test_virtual_data_with_a_part_missing(tmp_path: Path, change: dict[str, int], says: str) -> None:
    with pytest.raises(DataError, match=rf"scan\.h5.*read as zeros.*{says}"):
        read_scan(virtual(tmp_path, **change))


@pytest.mark.parametrize("left", [None, 0.0, 0.3, 0.99, 1.0])
def test_external_files(tmp_path: Path, left: float | None) -> None:
    frames = ball_scan().projections[:]
    path = data_exchange(tmp_path / "scan.h5", exchange__data=None)
    raw = tmp_path / "frames.raw"
    with h5py.File(path, "a") as file:
        item = file.create_dataset("exchange/data", frames.shape, frames.dtype, external=[(str(raw), 0, frames.nbytes)])
        item[...] = frames
    if left == 1.0:
        return check_ball(path)
    if left is None:
        raw.unlink()
    else:
        raw.write_bytes(raw.read_bytes()[: int(left * frames.nbytes)])
    with pytest.raises(DataError, match=r"read as zeros.*frames\.raw is (missing|\d+ bytes long)"):
        read_scan(path)
    return None


@pytest.mark.parametrize("what", ["data", "data_white", "data_dark"])
@pytest.mark.parametrize("chunks", [None, (1, 21, 41), (5, 21, 41)])
def test_what_was_never_written(tmp_path: Path, what: str, chunks: tuple[int, ...] | None) -> None:
    """36 GB that are announced take neither time nor memory."""
    frames = getattr(ball_scan(), {"data": "projections", "data_white": "flats", "data_dark": "darks"}[what])[:]
    path = data_exchange(tmp_path / "scan.h5", **{f"exchange__{what}": None})
    with h5py.File(path, "a") as file:
        shape = (20_000, 1000, 1000) if chunks is None else frames.shape
        item = file.create_dataset(f"exchange/{what}", shape, frames.dtype, chunks=chunks)
        if chunks:
            item[: -chunks[0]] = frames[: -chunks[0]]
    with pytest.raises(DataError, match=rf"exchange/{what}.*never written"):
        read_scan(path)


def test_sparse_volumes_are_looked_at_before_memory_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "v.npy"
    np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(21000, 700, 700)).flush()
    with pytest.raises(DataError, match=r"v\.npy.*(does not fit into memory.*GB needed|holds zeros)"):
        open_volume(path)


def test_tiff_projections_with_angles(tmp_path: Path) -> None:
    folder = tiff_folder(tmp_path / "scan")
    angles = tmp_path / "angles.txt"
    angles.write_text("\n".join(map(str, THETA)))
    patterns = {"flats": "flat_*.tif", "darks": "dark_*.tif", "pixel_size_um": 0.5}
    check_ball(folder, options=ScanOptions(angles=angles, **patterns))
    check_ball(folder, options=ScanOptions(start_deg=-90, end_deg=90, **patterns))
    np.save(tmp_path / "angles.npy", np.radians(THETA))
    check_ball(folder, options=ScanOptions(angles=tmp_path / "angles.npy", angle_unit="rad", **patterns))
    found = read_scan(folder, ScanOptions(start_deg=-90, end_deg=90, **patterns))
    assert "from --start -90 and --end 90" in found.origins.angles


@pytest.mark.parametrize("written", ["\ufeff{}", "# degrees\n{}", "{}\n# the end\n", "{} # last\n"])
def test_lists_of_angles_with_other_things_in_them(tmp_path: Path, written: str) -> None:
    (tmp_path / "a.txt").write_text(written.format("\n".join(map(str, THETA))), encoding="utf-8")
    found = read_scan(data_exchange(tmp_path / "a.h5"), ScanOptions(angles=tmp_path / "a.txt"))
    np.testing.assert_allclose(found.theta_deg, THETA)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("\n".join(f"{number},{angle}" for number, angle in enumerate(THETA)), "122 numbers, limit 61 views.*point"),
        ("\n".join(f"{angle:.1f}".replace(".", ",") for angle in THETA), "122 numbers, limit 61 views.*point"),
        ("angle\n1", "is no list of angles"),
        (None, "is no file"),
    ],
)
def test_lists_of_angles_that_are_none(tmp_path: Path, written: str | None, says: str) -> None:
    place = tmp_path / "a.txt"
    place.mkdir() if written is None else place.write_text(written)
    with pytest.raises(DataError, match=says):
        read_scan(data_exchange(tmp_path / "a.h5"), ScanOptions(angles=place))


WRONG_TIFF: dict[str, tuple[dict[str, Any], str]] = {
    "no angles": ({"start_deg": None, "end_deg": None}, "do not say their angles.*--angles"),
    "one end": ({"end_deg": None}, "both ends"),
    "no such file": ({"angles": Path("nowhere.txt"), "start_deg": None, "end_deg": None}, "no such file"),
    "flats not named": ({"flats": None}, "look like those of references.*--flats"),
    "nothing matches": ({"flats": "white*.tif"}, "no picture has a name like this"),
    "all is flat": ({"flats": "*.tif"}, "no projection is left"),
    "an entry": ({"entry": "entry"}, "--entry"),
}


@pytest.mark.parametrize(("change", "says"), WRONG_TIFF.values(), ids=WRONG_TIFF)
def test_tiff_projections_that_lack_something(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    told = ScanOptions(start_deg=-90, end_deg=90, flats="flat_*.tif", darks="dark_*.tif", pixel_size_um=0.5)
    with pytest.raises(DataError, match=says):
        read_scan(tiff_folder(tmp_path / "scan"), replace(told, **change))


@pytest.mark.parametrize("spoil", ["gap", "shape", "type", "stranger", "short list", "words"])
def test_tiff_projections_that_do_not_fit(tmp_path: Path, spoil: str) -> None:
    folder, angles = tiff_folder(tmp_path / "scan"), tmp_path / "angles.txt"
    values = [str(value) for value in THETA]
    picture = folder / "proj_0030.tif"
    if spoil == "gap":
        picture.unlink()
    elif spoil == "shape":
        tifffile.imwrite(picture, np.ones((3, 4), np.uint16))
    elif spoil == "type":
        tifffile.imwrite(picture, np.ones((21, 41), np.float32))
    elif spoil == "stranger":
        tifffile.imwrite(folder / "overview.tif", np.ones((21, 41), np.uint16))
    elif spoil == "short list":
        values.pop()
    else:
        values[3] = "ten"
    angles.write_text("\n".join(values))
    told = ScanOptions(angles=angles, flats="flat_*.tif", darks="dark_*.tif", pixel_size_um=0.5)
    with pytest.raises(DataError, match=r"proj_003|one shape|overview|one angle per view|no list of angles"):
        _ = read_scan(folder, told).projections[:]
