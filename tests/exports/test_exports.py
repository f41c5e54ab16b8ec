"""Regions in the formats of others: held against the run's own files, written whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import h5py
import numpy as np
import pytest
import tifffile

import xrm_control as xrm
from tests.exports.runs import ROI, plan_one_more, scanned_run
from xrm_control import app
from xrm_control.cli.main import main
from xrm_control.core.errors import DataError, RecipeError, StorageError
from xrm_control.exports.exporter import Exporter, ReadBack
from xrm_control.exports.region_scan import RegionScan
from xrm_control.exports.writing import write_export
from xrm_control.processing.exports import region_scan
from xrm_control.storage.durable import sha256_file
from xrm_control.storage.formats.hdf5 import dataset
from xrm_control.storage.formats.registry import read_scan
from xrm_control.storage.run_folder import RunFolder

KINDS = {"data_exchange": ".h5", "nxtomo": ".nx"}
THETA_DEG = np.linspace(-90, 90, 61)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return scanned_run(tmp_path_factory.mktemp("run"))


def pictures(run: RunFolder, stem: str) -> np.ndarray:
    """The run's own files, past everything that exports are made with."""
    return np.stack([tifffile.imread(path) for path in sorted((run.frames / ROI).glob(f"{stem}_*.tif"))])


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_read_again_is_the_runs_scan(run: RunFolder, tmp_path: Path, kind: str) -> None:
    (file,) = app.export(run.path, kind, tmp_path / "out")
    assert file.path == tmp_path / "out" / f"{run.path.name}_{ROI}{KINDS[kind]}"
    assert (file.bytes, file.sha256) == (file.path.stat().st_size, sha256_file(file.path))
    scan = read_scan(file.path)
    for images, stem, count in (
        (scan.projections, "proj", file.projections),
        (scan.flats, "flat", file.flats),
        (scan.darks, "dark", file.darks),
    ):
        own = pictures(run, stem)
        assert len(own) == count
        assert images.dtype == own.dtype
        np.testing.assert_array_equal(images[:], own)
    np.testing.assert_allclose(scan.theta_deg, THETA_DEG, atol=1e-12)
    assert (scan.pixel_size_um, scan.energy_kev) == (pytest.approx(0.512), pytest.approx(5.4))
    assert (scan.light, scan.flat_light) == (None, None)


PLACES: dict[str, dict[str, tuple[Any, str | None]]] = {
    # As in De Carlo et al. 2014; white and dark must be there.
    "data_exchange": {
        "implements": ("exchange:measurement:process", None),
        "exchange/data": ((61, 48, 64), "counts"),
        "exchange/data_white": ((10, 48, 64), "counts"),
        "exchange/data_dark": ((5, 48, 64), "counts"),
        "exchange/theta": ((61,), "deg"),
        "measurement/sample/name": ("NMC 811", None),
        "measurement/instrument/monochromator/energy": (5.4, "keV"),
        "measurement/instrument/detection_system/objective/resolution": (0.512, "um"),
        "measurement/instrument/detector/exposure_time": ((61,), "s"),
        "measurement/instrument/detector/exposure_time_flat": ((10,), "s"),
        "process/xrm_control/simulated": (True, None),
        "process/xrm_control/frame_id": ((76,), None),
    },
    # Without any one of these nabu or silx give up.
    "nxtomo": {
        "entry/definition": ("NXtomo", None),
        "entry/instrument/detector/data": ((76, 48, 64), "counts"),
        "entry/instrument/detector/image_key": ((76,), None),
        "entry/instrument/detector/image_key_control": ((76,), None),
        "entry/instrument/detector/x_pixel_size": (0.512e-6, "m"),
        "entry/instrument/detector/y_pixel_size": (0.512e-6, "m"),
        "entry/instrument/detector/distance": (0.0, "m"),
        "entry/instrument/detector/count_time": ((76,), "s"),
        "entry/sample/name": ("NMC 811", None),
        "entry/sample/rotation_angle": ((76,), "degree"),
        "entry/instrument/beam/incident_energy": (5.4, "keV"),
        "entry/beam/incident_energy": (5.4, "keV"),
        "entry/data/data": ((76, 48, 64), "counts"),
    },
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_other_programs_look_for_is_where_they_look(run: RunFolder, tmp_path: Path, kind: str) -> None:
    (file,) = app.export(run.path, kind, tmp_path)
    with h5py.File(file.path) as found:
        for place, (value, units) in PLACES[kind].items():
            item = found[place]
            assert isinstance(item, h5py.Dataset)
            assert item.attrs.get("units") == units, place
            if isinstance(value, tuple):
                assert item.shape == value, place
            else:
                stored = item.asstr()[()] if item.dtype.kind == "O" else item[()]
                assert stored == (pytest.approx(value) if isinstance(value, float) else value), place
        if kind == "nxtomo":
            kinds = {name: item.attrs["NX_class"] for name, item in groups(found)}
            assert kinds["entry"] == "NXentry"
            assert kinds["entry/instrument/detector"] == "NXdetector"
            assert kinds["entry/data"] == "NXdata"
            key = np.asarray(found["entry/instrument/detector/image_key"])
            assert [int((key == one).sum()) for one in (0, 1, 2)] == [61, 10, 5]


def groups(file: h5py.File) -> Sequence[tuple[str, h5py.Group]]:
    found: list[tuple[str, h5py.Group]] = []
    file.visititems(lambda name, item: found.append((name, item)) if "NX_class" in item.attrs else None)
    return found


def test_frames_of_all_kinds_stand_in_the_order_of_time(run: RunFolder, tmp_path: Path) -> None:
    (file,) = app.export(run.path, "nxtomo", tmp_path)
    with h5py.File(file.path) as found:
        times = np.asarray(found["entry/xrm_control/frame_time"])
        names = dataset(found, "entry/xrm_control/frame_id").asstr()[:]
        hashes = dataset(found, "entry/xrm_control/frame_sha256").asstr()[:]
        data = dataset(found, "entry/instrument/detector/data")
        assert (np.diff(times) >= 0).all()
        for index in (0, 40, 75):
            own = run.frames / f"{names[index]}.tif"
            assert hashes[index] == sha256_file(own)
            np.testing.assert_array_equal(data[index], tifffile.imread(own))


def test_a_scan_that_is_not_whole_says_so_in_the_file(tmp_path: Path) -> None:
    run = scanned_run(tmp_path)
    plan_one_more(run)
    (file,) = app.export(run.path, "data_exchange", tmp_path / "out")
    said = "1 of 77 planned frames have not been taken: the scan is not whole"
    assert file.notes == (said,)
    with h5py.File(file.path) as found:
        assert dataset(found, "process/xrm_control/notes").asstr()[()] == said


def test_a_file_that_is_there_stays_unless_it_shall_be_replaced(run: RunFolder, tmp_path: Path) -> None:
    (file,) = app.export(run.path, "nxtomo", tmp_path)
    file.path.write_bytes(b"of somebody else")
    with pytest.raises(DataError, match="not overwritten"):
        app.export(run.path, "nxtomo", tmp_path)
    assert file.path.read_bytes() == b"of somebody else"
    assert app.export(run.path, "nxtomo", tmp_path, replace=True)[0].sha256 == sha256_file(file.path)
    assert os.listdir(tmp_path) == [file.path.name]


def test_a_damaged_frame_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    run = scanned_run(tmp_path)
    frame = run.frames / ROI / "proj_0030.tif"
    data = bytearray(frame.read_bytes())
    data[-5] ^= 1
    frame.write_bytes(data)
    with pytest.raises(DataError, match=r"proj_0030\.tif: the frame's content is not what was committed"):
        app.export(run.path, "data_exchange", tmp_path / "out")
    assert os.listdir(tmp_path / "out") == []


class Faulty(Exporter):
    """Writes what `fault` says, and reads it back."""

    kind: Literal["faulty"] = "faulty"
    suffix: ClassVar[str] = ".npz"
    fault: str = ""

    def write(self, scan: RegionScan, path: Path) -> None:
        if self.fault == "full":
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        held: dict[str, Any] = {
            "projections": scan.projections.images[:],
            "flats": scan.flats.images[:],
            "darks": scan.darks.images[:],
            "theta_deg": scan.projections.theta_deg,
            "pixel_size_um": scan.pixel_size_um,
            "energy_kev": scan.energy_kev,
        }
        if self.fault in ("projections", "flats", "darks"):
            held[self.fault][1, 2, 3] += 1
        elif self.fault.startswith("the number of "):
            name = self.fault.removeprefix("the number of ")
            held[name] = held[name][:-1]
        elif self.fault:
            held[self.fault] = held[self.fault] * 1.001
        np.savez(path, **held)

    def read(self, path: Path) -> ReadBack:
        with np.load(path) as held:
            return ReadBack(**{name: held[name] for name in held.files})


FAULTS = (
    "projections", "flats", "darks", "the number of projections", "the number of darks", "theta_deg", "pixel_size_um",
    "energy_kev",
)  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_reads_back_otherwise_is_thrown_away(run: RunFolder, tmp_path: Path, fault: str) -> None:
    with pytest.raises(DataError, match="is not what the run holds") as told:
        write_export(Faulty(fault=fault), "faulty", region_scan(run, ROI), tmp_path / "scan.npz")
    assert str(told.value.value).startswith(fault)
    assert os.listdir(tmp_path) == []


def test_without_a_fault_it_counts(run: RunFolder, tmp_path: Path) -> None:
    write_export(Faulty(), "faulty", region_scan(run, ROI), tmp_path / "scan.npz")
    assert os.listdir(tmp_path) == ["scan.npz"]


def test_a_full_disk_is_told_and_nothing_is_left(run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="the disk is full"):
        write_export(Faulty(fault="full"), "faulty", region_scan(run, ROI), tmp_path / "scan.npz")
    assert os.listdir(tmp_path) == []


REFUSED = [
    ({"to": "tiff"}, RecipeError, "--to: no such format .*data_exchange, nxtomo"),
    ({"roi": "roi-07"}, DataError, "no frames of this region .*roi-07.*roi-01"),
    ({"out": "inside"}, DataError, "lies in the run's own folder"),
]


@pytest.mark.parametrize(("change", "error", "told"), REFUSED)
def test_refused(run: RunFolder, tmp_path: Path, change: dict[str, str], error: type[Exception], told: str) -> None:
    out = run.path / "exports" if change.get("out") else tmp_path / "out"
    with pytest.raises(error, match=told):
        app.export(run.path, change.get("to", "nxtomo"), out, change.get("roi"))
    assert not out.exists()


def test_the_command_and_the_python_call(
    run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*more: str) -> str:
        monkeypatch.setattr(
            sys, "argv", ["xrm", "export", str(run.path), "--to", "nxtomo", "--out", str(tmp_path), *more]
        )
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 0
        return capsys.readouterr().out

    assert "nxtomo; 61 projections, 10 flats, 5 darks" in said()
    (told,) = json.loads(said("--json", "--replace"))
    (file,) = xrm.open_run(run.path).export("nxtomo", tmp_path, roi=ROI, replace=True)
    assert (told["path"], told["roi"], told["bytes"]) == (str(file.path), ROI, file.bytes)
