"""Volumes in parts: the same as at once, taken up where they were left, never mixed with another scan's."""

from __future__ import annotations

import asyncio
import errno
import pickle
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.scan_on_disk import PIXEL_UM, scan_job
from xrm_control.compute.inline import Inline
from xrm_control.core.clock import VIRTUAL, run
from xrm_control.core.errors import DataError, RecipeError, StorageError
from xrm_control.core.states import FrameKind
from xrm_control.processing.regions import ScanJob
from xrm_control.processing.scans import FileScan
from xrm_control.processing.volumes import (
    Volume,
    VolumeJob,
    assemble_volume,
    keep_volume,
    make_parts,
    remove_parts,
)
from xrm_control.reconstruction.pipeline import reconstruct_scan
from xrm_control.storage.formats import planes
from xrm_control.storage.formats.ome_tiff import write_volume
from xrm_control.storage.formats.registry import read_volume
from xrm_control.storage.formats.scan_file import ScanOptions

ROWS = 4


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> ScanJob:
    return scan_job(tmp_path_factory.mktemp("scan"), rows_at_a_time=ROWS)


@pytest.fixture
def job(scan: ScanJob, tmp_path: Path) -> VolumeJob:
    return replace(scan.volume, folder=tmp_path / "volume.ome.tif.part")


def make(job: VolumeJob, until: int | None = None) -> list[int]:
    """Make the parts; `until` so many rows are done. Returns what was heard."""
    heard: list[int] = []

    def told(done: int, of: int) -> None:
        assert of == job.rows[1] - job.rows[0]
        heard.append(done)
        if until is not None and done >= until:
            raise KeyboardInterrupt

    async def work() -> None:
        with Inline().open() as workers:
            await make_parts(workers, job, told)

    if until is None:
        run(work(), VIRTUAL)
    else:
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(work())
    return heard


def damaged(job: VolumeJob, by: bytes) -> None:
    """Some voxels of the second part are others."""
    path = job.folder / "volume.tif"
    _, columns = job.shape[1:]
    with path.open("r+b") as file:
        file.seek(1000 + ROWS * 4 * columns**2)
        file.write(by)


def whole(made: Volume) -> np.ndarray:
    return np.concatenate(list(made.parts))


@pytest.mark.parametrize("rows", [None, (5, 22)])
def test_the_parts_are_the_volume_made_at_once(job: VolumeJob, rows: tuple[int, int] | None) -> None:
    job = replace(job, spec=job.spec.model_copy(update={"rows": rows}))
    first, end = job.rows
    assert make(job) == [*range(ROWS, end - first, ROWS), end - first]
    made = assemble_volume(job)
    at_once = reconstruct_scan(job.source.load(), job.spec)
    assert np.array_equal(whole(made), at_once.volume)
    assert made.quality == at_once.quality
    assert (made.shape, made.rows) == (at_once.volume.shape, at_once.rows)
    assert (made.voxel_size_um, made.rotation_axis_px) == (at_once.voxel_size_um, at_once.rotation_axis_px)
    remove_parts(job)
    assert not job.folder.exists()


def test_a_small_scan_is_made_in_memory(scan: ScanJob, tmp_path: Path) -> None:
    spec = scan.reconstruction.model_copy(update={"memory_gb": 2.0})
    job = VolumeJob(scan.scan, spec, scan.scan.shape, tmp_path / "parts")
    assert make(job) == []
    assert len(assemble_volume(job).parts) == 1
    assert not job.folder.exists()


def test_it_goes_on_where_it_was_left(job: VolumeJob) -> None:
    make(job, until=12)
    made = sorted(job.folder.glob("rows-*.json"))
    assert 3 <= len(made) < 12
    before = {path: path.stat().st_mtime_ns for path in made}
    make(job)
    assert {path: path.stat().st_mtime_ns for path in made} == before
    assert np.array_equal(whole(assemble_volume(job)), reconstruct_scan(job.source.load(), job.spec).volume)


def test_what_a_dead_worker_left_half_written_does_not_count(job: VolumeJob) -> None:
    make(job, until=4)
    (job.folder / "rows-00004-00008.json").unlink(missing_ok=True)
    (job.folder / "tmpabc.part").write_bytes(b"half")
    damaged(job, b"half a part")
    make(job)
    assert np.array_equal(whole(assemble_volume(job)), reconstruct_scan(job.source.load(), job.spec).volume)


CHANGES = {
    "another filter": lambda spec: spec.model_copy(
        update={"method": spec.method.model_copy(update={"filter": "hann"})}
    ),
    "another axis": lambda spec: spec.model_copy(update={"rotation_axis": 30.0}),
    "other sizes": lambda spec: spec.model_copy(update={"memory_gb": spec.memory_gb * 3}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_parts_made_with_other_settings_are_not_used(job: VolumeJob, change) -> None:
    make(job)
    other = replace(job, spec=change(job.spec))
    make(other)
    made = assemble_volume(other)
    assert np.array_equal(whole(made), reconstruct_scan(other.source.load(), other.spec).volume)
    assert len(list(job.folder.glob("rows-*.json"))) == len(other.parts)


def test_parts_of_another_scan_are_not_used(job: VolumeJob, tmp_path: Path) -> None:
    """The same place and settings, one frame less."""
    make(job)
    scan = pickle.loads(pickle.dumps(job.source))
    view = next(i for i, (plan, _) in enumerate(scan.frames) if plan.kind == FrameKind.PROJECTION and plan.number == 30)
    less = replace(scan, frames=[frame for i, frame in enumerate(scan.frames) if i != view])
    other = VolumeJob(less, job.spec, less.shape, job.folder)
    make(other)
    assert assemble_volume(other).quality["views"] == 60
    assert np.array_equal(whole(assemble_volume(other)), reconstruct_scan(less.load(), job.spec).volume)


def test_a_part_that_is_gone_is_named(job: VolumeJob) -> None:
    make(job)
    (job.folder / "rows-00008-00012.json").unlink()
    with pytest.raises(DataError, match="rows-00008-00012"):
        assemble_volume(job)
    make(job)
    (job.folder / "volume.tif").unlink()
    with pytest.raises(DataError, match=r"volume\.tif"):
        assemble_volume(job)


def test_a_part_that_was_damaged_since_is_made_anew(job: VolumeJob) -> None:
    make(job)
    damaged(job, b"\xff" * 40)
    make(job)
    assert np.array_equal(whole(assemble_volume(job)), reconstruct_scan(job.source.load(), job.spec).volume)


def test_a_file_of_parts_that_is_gone_is_begun_anew(job: VolumeJob) -> None:
    make(job, until=12)
    (job.folder / "volume.tif").unlink()
    make(job)
    assert np.array_equal(whole(assemble_volume(job)), reconstruct_scan(job.source.load(), job.spec).volume)


def test_the_parts_lie_in_the_volumes_own_file(job: VolumeJob, tmp_path: Path) -> None:
    """No byte is written twice, and none differs from the file that is written at once; who does it again may."""
    make(job)
    made = assemble_volume(job)
    kept = [keep_volume(job, made, tmp_path / name) for name in ("kept.ome.tif", "again.ome.tif")]
    assert {path.stat().st_ino for path in kept} == {(job.folder / "volume.tif").stat().st_ino}
    at_once = reconstruct_scan(job.source.load(), job.spec)
    plain = write_volume(tmp_path / "plain.ome.tif", at_once.volume, at_once.voxel_size_um)
    assert kept[0].read_bytes() == plain.read_bytes()
    with pytest.raises(StorageError, match="exists already"):
        keep_volume(job, made, plain)
    assert [path.name for path in tmp_path.glob("*.part")] == [job.folder.name]
    remove_parts(job)
    assert np.array_equal(read_volume(kept[0])[0], at_once.volume)


def test_without_hard_links_it_is_copied(job: VolumeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.ENOTSUP, "no links here")

    make(job)
    made = assemble_volume(job)
    monkeypatch.setattr(planes.os, "link", refused)
    kept = keep_volume(job, made, tmp_path / "kept.ome.tif")
    assert kept.stat().st_ino != (job.folder / "volume.tif").stat().st_ino
    assert kept.read_bytes() == (job.folder / "volume.tif").read_bytes()


def test_rows_that_the_detector_does_not_have(job: VolumeJob) -> None:
    with pytest.raises(RecipeError, match="0 to 48"):
        make(replace(job, spec=job.spec.model_copy(update={"rows": (40, 49)})))


def test_a_scan_in_a_file_is_the_same_as_in_a_run(job: VolumeJob, tmp_path: Path) -> None:
    scan = job.source.load()
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["exchange/data"], file["exchange/theta"] = scan.projections[:], scan.theta_deg
        file["exchange/data_white"], file["exchange/data_dark"] = scan.flats, scan.darks
    source = FileScan(path, ScanOptions(pixel_size_um=PIXEL_UM))
    other = replace(job, source=source)
    make(other)
    # The file has no times: its flats are all before the scan, which the beam's own change tells apart a little.
    assert np.abs(whole(assemble_volume(other)) - reconstruct_scan(scan, job.spec).volume).max() < 0.005
    before = source.identity()
    path.touch()
    assert source.identity() != before
