"""What fuzzing found: each kind of it, refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xrm_control as xrm
from tests.inputs.files import THETA, Quantity, ball_scan, changed, data_exchange
from tests.inputs.test_volumes import VOLUME, VOXEL_UM
from xrm_control.analysis.field import find_field
from xrm_control.analysis.volume_check import refuse_broken
from xrm_control.contracts.handoff import HANDOFF
from xrm_control.core.errors import DataError
from xrm_control.reconstruction.intensities import judge
from xrm_control.storage.formats.numpy_array import NumpyArray
from xrm_control.storage.formats.scan_file import ScanOptions


@pytest.mark.parametrize("seed", range(5))
def test_angles_in_another_order_than_the_views(seed: int) -> None:
    shuffled = changed(ball_scan(), theta_deg=np.random.default_rng(seed).permutation)
    with pytest.raises(DataError, match="do not belong together"):
        judge(shuffled)


def test_a_part_in_another_order_is_noted_and_the_same_order_for_both_is_no_fault() -> None:
    rng = np.random.default_rng(0)
    part = changed(ball_scan(), theta_deg=lambda theta: np.r_[theta[:20], rng.permutation(theta[20:])])
    assert "unlike those of neighbouring angles" in judge(part).notes[0]
    order = rng.permutation(61)
    both = changed(ball_scan(), theta_deg=lambda theta: theta[order], projections=lambda frames: frames[order])
    assert judge(both).notes == ()


def test_views_of_less_light_than_the_flats_are_remarked_on() -> None:
    dim = changed(ball_scan(), projections=lambda frames: (100 + (frames - 100.0) * 0.8).astype(np.uint16))
    found = judge(dim)
    assert found.notes == ()
    assert "transmission is 0.8" in found.remarks[0]


def repeated(volume: np.ndarray) -> None:
    volume[18] = volume[17]


def row_lost(volume: np.ndarray) -> None:
    volume[:, 20] = 0


def column_lost(volume: np.ndarray) -> None:
    volume[:, :, 7] = 0.01


def absurd(volume: np.ndarray) -> None:
    volume[3, 4, 5] = 1e30


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (repeated, "same to the last digit"),
        (row_lost, "row holds one"),
        (column_lost, "column holds"),
        (absurd, "no grey"),
    ],
)
def test_volumes_in_which_a_part_is_another(spoil: Any, says: str) -> None:
    volume = VOLUME.copy()
    spoil(volume)
    with pytest.raises(DataError, match=says):
        refuse_broken(volume, find_field(volume, "auto"))


def test_enlarged_volumes_repeat_their_slices_by_right() -> None:
    volume = VOLUME.repeat(2, axis=0)
    refuse_broken(volume, find_field(volume, "auto"))
    with pytest.raises(DataError, match="so few slices"):
        refuse_broken(VOLUME[:1], find_field(VOLUME[:1], "box"))


def test_an_array_longer_than_its_header_says(tmp_path: Path) -> None:
    path = tmp_path / "v.npy"
    np.save(path, VOLUME)
    data = path.read_bytes()
    path.write_bytes(data[:128] + bytes(3204) + data[128:])
    with pytest.raises(DataError, match="longer than its header"):
        NumpyArray().read(path, VOXEL_UM)


@pytest.mark.parametrize("header", [b"{'descr': '<f4', \\\n", b"{'descr': (((", b"\xff" * 20, b"lambda: 0"])
def test_an_array_whose_header_is_damaged(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "v.npy"
    np.save(path, VOLUME)
    data = path.read_bytes()
    path.write_bytes(data[:10] + header + data[10 + len(header) :])
    with pytest.raises(DataError, match="cannot be read as a NumPy array"):
        NumpyArray().read(path, VOXEL_UM)
    with pytest.raises(DataError, match="is no list of angles"):
        xrm.reconstruct(data_exchange(tmp_path / "a.h5"), options=ScanOptions(angles=path))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"volume": "v.tif", "voxel_size_um": 5, "voxel_size_um": 0.5}', "'voxel_size_um' stands twice"),
        (r'{"volume": "v.tif", "voxel_size_um": 0.5, "roi": "\ud800"}', "half a character"),
        ('{"volume": "v.tif", "voxel_size_um": 0.5, "roi": "\ud800"}', "half a character"),
        ('{"volume": "v.tif", "voxel_size_um": 0.5, "\udfff": 1}', "half a character"),
    ],
)
def test_json_that_cannot_be_meant(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "handoff.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(DataError, match=says):
        HANDOFF.read_foreign(path)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("voxel_size_um", 512, "makes no sense"),
        ("attenuation_scale", 1e300, "no stored number"),
        ("volume", "/dev/zero", "no regular file"),
        ("volume", "v\0.tif", "cannot be read"),
    ],
)
def test_handoffs_of_impossible_numbers(tmp_path: Path, key: str, value: object, says: str) -> None:
    content = {"volume": "v.tif", "voxel_size_um": 0.5, key: value}
    (tmp_path / "handoff.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=says):
        xrm.analyze(tmp_path / "handoff.json")


@pytest.mark.parametrize(
    ("told", "says"),
    [(ScanOptions(start_deg=0, end_deg=1e300), "--end"), (ScanOptions(start_deg=float("nan"), end_deg=180), "--start")],
)
def test_angles_that_are_none(tmp_path: Path, told: ScanOptions, says: str) -> None:
    with pytest.raises(DataError, match=says):
        xrm.reconstruct(data_exchange(tmp_path / "scan.h5"), options=told)


@pytest.mark.parametrize("theta", [THETA / 2, THETA * 0.9])
def test_what_is_found_while_it_is_reconstructed_names_the_file_too(tmp_path: Path, theta: np.ndarray) -> None:
    path = data_exchange(tmp_path / "scan.h5", exchange__theta=Quantity(theta, "degrees"))
    with pytest.raises(DataError, match=r"scan\.h5: theta_deg: no two views are half a turn apart"):
        xrm.reconstruct(path)
