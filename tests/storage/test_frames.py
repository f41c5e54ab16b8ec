"""Frames come back as they went in, or not at all; and the same frame is the same bytes."""

from __future__ import annotations

import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from xrm_control.core.errors import DataError, StorageError
from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose
from xrm_control.storage.frames import FrameStore, encode_frame
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import Exposure
from xrm_control.storage.run_folder import RunFolder

FRAME = FrameId("roi-01/proj_0002")
EXPOSURE = Exposure(Pose(1.5, -2, 3, -44.98), 100.25, 101.5, 42)


@pytest.fixture
def store(folder: RunFolder, journal: Journal) -> FrameStore:
    return FrameStore(folder, journal)


def picture(seed: int = 1) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 2**16, (24, 40), dtype=np.uint16)


def take(store: FrameStore, journal: Journal, frame_id: FrameId, image: np.ndarray[Any, Any]) -> Path:
    return Path(store.store(frame_id, journal.intend(frame_id, theta_deg=0, t_s=100), image, EXPOSURE).path)


def test_store_makes_a_plain_tiff_and_a_commit(store: FrameStore, journal: Journal, folder: RunFolder) -> None:
    image = picture()
    take(store, journal, FRAME, image)
    path = folder.path / "frames/roi-01/proj_0002.tif"
    assert (tifffile.imread(path) == image).all()
    frame = journal.kept_frame(FRAME)
    assert frame is not None
    assert frame.path == "frames/roi-01/proj_0002.tif"
    assert frame.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (frame.bytes, frame.shape, frame.dtype) == (path.stat().st_size, (24, 40), "uint16")
    assert frame.exposure == EXPOSURE
    assert frame.mean_counts == pytest.approx(image.astype(float).sum() / image.size)


def test_the_file_describes_itself_without_a_wall_clock() -> None:
    first = encode_frame(FRAME, 1, picture(), EXPOSURE)
    assert first == encode_frame(FRAME, 1, picture(), EXPOSURE)
    assert first != encode_frame(FRAME, 1, picture(2), EXPOSURE)
    with tifffile.TiffFile(__import__("io").BytesIO(first)) as tiff:
        page = tiff.pages.first
        assert "DateTime" not in page.tags
        said = json.loads(page.description)
        crc = zlib.crc32(json.dumps({name: said[name] for name in said if name != "crc32"}).encode())
        assert said == {
            "frame_id": FRAME,
            "attempt": 1,
            "actual": {"x_um": 1.5, "y_um": -2, "z_um": 3, "theta_deg": -44.98},
            "t_start_s": 100.25,
            "t_end_s": 101.5,
            "unique_id": 42,
            "crc32": zlib.crc32(picture().tobytes(), crc),
        }


def test_attempts_are_kept_apart(store: FrameStore, journal: Journal, folder: RunFolder) -> None:
    take(store, journal, FRAME, picture(1))
    journal.retake(FRAME, "beam lost", t_s=102)
    with pytest.raises(DataError, match="no attempt of this frame is kept"):
        store.load(FRAME)
    take(store, journal, FRAME, picture(2))
    names = sorted(path.name for path in (folder.frames / "roi-01").iterdir())
    assert names == ["proj_0002.a2.tif", "proj_0002.tif"]
    assert (store.load(FRAME) == picture(2)).all()
    assert (tifffile.imread(folder.frame_path(FRAME, 1)) == picture(1)).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "float32", "float64"])
def test_types_survive(store: FrameStore, journal: Journal, dtype: str) -> None:
    image = (np.arange(35).reshape(5, 7) / 2).astype(dtype)
    take(store, journal, FRAME, image)
    loaded = store.load(FRAME)
    assert loaded.dtype == np.dtype(dtype)
    assert (loaded == image).all()


def test_a_frame_of_nan_is_stored_as_evidence(store: FrameStore, journal: Journal) -> None:
    take(store, journal, FRAME, np.full((4, 4), np.nan, np.float32))
    frame = journal.kept_frame(FRAME)
    assert frame is not None
    assert frame.mean_counts is None
    assert np.isnan(store.load(FRAME)).all()


@pytest.mark.parametrize(
    ("shape", "dtype"), [((4,), "uint16"), ((0, 4), "uint16"), ((4, 4), "complex64"), ((1, 2, 3), "uint8")]
)
def test_what_is_no_image_is_refused(store: FrameStore, journal: Journal, shape: tuple[int, ...], dtype: str) -> None:
    with pytest.raises(DataError, match="is no image"):
        take(store, journal, FRAME, np.zeros(shape, dtype))


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "delete"])
def test_damage_is_found(store: FrameStore, journal: Journal, folder: RunFolder, damage: str) -> None:
    take(store, journal, FRAME, picture())
    path = folder.frame_path(FRAME)
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[-100] ^= 1
    path.write_bytes({"truncate": data[:-7], "empty": b""}.get(damage, data))
    if damage == "delete":
        path.unlink()
    with pytest.raises(DataError, match="gone" if damage == "delete" else "not what was committed"):
        store.load(FRAME)


def test_nothing_is_stored_without_an_intent(store: FrameStore, journal: Journal) -> None:
    with pytest.raises(StorageError, match="FOREIGN KEY"):
        store.store(FRAME, 1, picture(), EXPOSURE)
    assert journal.accounting().kept == 0


def test_a_file_is_never_written_twice(store: FrameStore, journal: Journal, folder: RunFolder) -> None:
    take(store, journal, FRAME, picture(1))
    with pytest.raises(StorageError, match="exists already"):
        store.store(FRAME, 1, picture(2), EXPOSURE)
    assert (tifffile.imread(folder.frame_path(FRAME)) == picture(1)).all()


@pytest.mark.parametrize("name", ["../../etc/x", "roi-01/../x", "/roi-01/x", "proj_0001", "roi-01/proj 1", "a/b/c"])
def test_frame_ids_stay_inside_the_folder(store: FrameStore, name: str) -> None:
    with pytest.raises(DataError, match="no frame id"):
        store.store(FrameId(name), 1, picture(), EXPOSURE)


def test_stacks(store: FrameStore, journal: Journal) -> None:
    names = [FrameId.projection("roi-01", number) for number in range(3)]
    for number, name in enumerate(names):
        take(store, journal, name, picture(number))
    stack = store.load_stack([names[2], names[0]])
    assert stack.dtype == np.uint16
    assert (stack == np.stack([picture(2), picture(0)])).all()
    take(store, journal, FrameId("roi-01/proj_0003"), np.zeros((3, 3), np.uint16))
    with pytest.raises(DataError, match=r"does not fit .*\(3, 3\)"):
        store.load_stack([*names, FrameId("roi-01/proj_0003")])
    with pytest.raises(DataError, match="no frames"):
        store.load_stack([])
