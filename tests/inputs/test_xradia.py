"""Xradia files: scans, references in the file and in others, cone beams, volumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import xrm_control as xrm
from tests.inputs.balls import check_ball, longer
from tests.inputs.files import THETA, ball_scan, changed, data_exchange, nxtomo
from tests.inputs.ole import xradia
from xrm_control.core.errors import DataError
from xrm_control.storage.formats.registry import open_volume, read_scan
from xrm_control.storage.formats.scan_file import ScanOptions

VIEWS = len(THETA)


def txrm(folder: Path, scan: Any, name: str = "scan.txrm", **facts: Any) -> Path:
    own = {"Angles": THETA, "PixelSize": 0.5, "ExpTimes": np.ones(VIEWS, "<f4"), "Energy": 5400.0}
    return xradia(folder / name, scan.projections[:], **(own | facts))


def dark_free(scan: Any) -> Any:
    """As the software stores frames: without the dark."""
    return changed(
        scan,
        projections=lambda p: np.maximum(p.astype(int) - 100, 0).astype(np.uint16),
        flats=lambda f: (f - 100).astype(np.uint16),
    )


@pytest.mark.parametrize("flats", [0.5, 0.8, 1.0, 1.25, 2.0])
def test_xradia_references(tmp_path: Path, flats: float) -> None:
    """In the file itself, and in a second one; exposed for another time or not."""
    scan = dark_free(longer(ball_scan(), flats))
    mean = scan.flats[:].mean(axis=0).astype(np.float32)
    inside = txrm(
        tmp_path,
        scan,
        ReferenceData__Image=mean,
        ReferenceData__DataType=np.int32(10),
        ReferenceData__ExpTime=flats,
    )
    says = "" if flats == 1 else f"got {1 / flats:.4g} times"
    check_ball(inside, says)
    alone = txrm(tmp_path, scan, "alone.txrm")
    with pytest.raises(DataError, match="--references"):
        xrm.reconstruct(alone)
    second = xradia(tmp_path / "ref.xrm", scan.flats[:], Angles=np.zeros(10), ExpTimes=np.full(10, flats))
    check_ball(alone, says or "10 flats are from ref.xrm", ScanOptions(references=second))
    picture = xradia(tmp_path / "one.xrm", mean[None], ExpTimes=np.full(1, flats))
    check_ball(alone, "1 flats are from one.xrm", ScanOptions(references=picture))


def test_references_of_other_kinds(tmp_path: Path) -> None:
    scan = ball_scan()
    alone = data_exchange(tmp_path / "a.h5", exchange__data_white=None, exchange__data_dark=None)
    check_ball(alone, "flats are from b.h5", ScanOptions(references=data_exchange(tmp_path / "b.h5")))
    check_ball(alone, "flats are from b.nx", ScanOptions(references=nxtomo(tmp_path / "b.nx")))
    tifffile.imwrite(tmp_path / "flats.tif", scan.flats[:] - 100, photometric="minisblack")
    less = data_exchange(tmp_path / "c.h5", dark_free(scan), exchange__data_white=None, exchange__data_dark=None)
    check_ball(less, "flats are from flats.tif", ScanOptions(references=tmp_path / "flats.tif"))
    tifffile.imwrite(tmp_path / "small.tif", scan.flats[:, :5], photometric="minisblack")
    with pytest.raises(DataError, match="shape of the projections"):
        read_scan(alone, ScanOptions(references=tmp_path / "small.tif"))


@pytest.mark.parametrize(
    ("source", "detector", "cone"), [(50, 150, True), (20, 20, True), (1, 1, False), (0, 0, False)]
)
def test_xradia_cone_beams(tmp_path: Path, source: float, detector: float, cone: bool) -> None:
    distances: dict[str, Any] = {
        "StoRADistance": np.full(VIEWS, source, "<f4"),
        "DtoRADistance": np.full(VIEWS, detector, "<f4"),
    }
    path = txrm(tmp_path, ball_scan(), **distances)
    if cone:
        with pytest.raises(DataError, match="cone-beam"):
            read_scan(path)
    else:
        assert len(read_scan(path).projections) == VIEWS


def test_xradia_volumes(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((12, 9, 10)).astype(np.float32)
    found = open_volume(xradia(tmp_path / "v.txm", values, PixelSize=0.5))
    assert np.array_equal(found.values, values)
    assert found.voxel_zyx_um == (0.5, 0.5, 0.5)
    assert found.scale_source == "0.5 um, from ImageInfo/PixelSize in um"
    assert open_volume(xradia(tmp_path / "w.txm", values, PixelSize=None)).voxel_zyx_um is None
    with pytest.raises(DataError, match="makes no sense"):
        open_volume(xradia(tmp_path / "x.txm", values, PixelSize=5000.0))
    with pytest.raises(DataError, match="known format"):
        read_scan(tmp_path / "v.txm")
