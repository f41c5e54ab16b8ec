"""A scan's volume made in parts, here or on many workers, and taken up again where it was left.

All parts have their place in one file from the start, which is the volume's own when the last is there: nothing is
written twice. It lies in a folder beside the volume with a note of which scan and with what settings it is, so that
nothing of another one is ever mixed in, and one of each part that is on the disk, with the hashes of its planes. Making
a part twice gives the same bytes. A scan of one part, as at high binning, is done in memory.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from xrm_control.compute.executor import Workers
from xrm_control.core.cpus import alone
from xrm_control.core.errors import DataError
from xrm_control.core.origins import Origins
from xrm_control.core.tasks import begin
from xrm_control.reconstruction.incremental_fbp import OrthogonalSlices
from xrm_control.reconstruction.pipeline import (
    Prepared,
    ReconstructionSpec,
    parts_of,
    prepare,
    reconstruct_rows,
    reconstruct_scan,
    side_of,
)
from xrm_control.reconstruction.quality import QualitySums
from xrm_control.reconstruction.scan import ScanData
from xrm_control.storage.durable import durable_file, make_folder, part_path, storage_error
from xrm_control.storage.formats.ome_tiff import begin_volume, write_volume
from xrm_control.storage.formats.planes import are_planes, finish_planes, put_planes
from xrm_control.storage.formats.planes_on_disk import AnyVolume, PlanesOnDisk

_FORMAT = 2
_NOTE, _PREPARED, _PIXELS = "about.json", "prepared.npz", "volume.tif"
LOCK = "lock"

Rows = tuple[int, int]
OnRows = Callable[[int, int], None]


class ScanSource(Protocol):
    """Where a scan is; picklable, and loaded by each worker for itself."""

    def load(self) -> ScanData: ...

    def identity(self) -> str:
        """Another one for other data."""
        ...

    def proven(self) -> ScanSource:
        """The same, its frames held against their hashes once, where it has some: not by every part again."""
        ...


@dataclass(frozen=True)
class VolumeJob:
    """What is to be made of which scan. shape: (views, rows, columns) of it. folder: for the parts. origins: told in
    the volume's file.
    """

    source: ScanSource
    spec: ReconstructionSpec
    shape: tuple[int, int, int]
    folder: Path
    origins: Origins | None = None

    @property
    def rows(self) -> Rows:
        """First and end detector row of the volume."""
        return self.spec.rows_of(self.shape[1])

    @property
    def parts(self) -> tuple[Rows, ...]:
        """What is made, kept and lost as a whole."""
        return parts_of(self.spec, self.shape)

    @property
    def bytes(self) -> int:
        """Of the finished volume, in float32."""
        return 4 * (self.rows[1] - self.rows[0]) * self.shape[2] ** 2

    def note(self) -> dict[str, Any]:
        """What tells the parts of this job from those of another."""
        return {
            "format": _FORMAT,
            "scan": self.source.identity(),
            "shape": list(self.shape),
            "reconstruction": self.spec.model_dump(mode="json"),
            **({} if self.origins is None else {"origins": identity_of(self.origins)}),
        }


@dataclass(frozen=True)
class Volume:
    """A volume, (rows, columns, columns) float32 in 1/um in parts along z, its figures of quality by name, and what the
    method had to say of it. shifts_px: see `Reconstruction`. digests: SHA-256 of its planes, where it is from parts.
    """

    parts: Sequence[AnyVolume]
    rows: Rows
    voxel_size_um: float
    rotation_axis_px: float
    quality: dict[str, float]
    warnings: tuple[str, ...]
    shifts_px: tuple[tuple[float, float], ...] = ()
    digests: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(rows, columns, columns)."""
        _, rows, columns = self.parts[0].shape
        return (sum(len(part) for part in self.parts), rows, columns)

    def slices(self) -> OrthogonalSlices:
        """Through the middle."""
        rows, _, columns = self.shape
        z, middle, views = rows // 2, columns // 2, int(self.quality["views"])
        zx, zy = (np.concatenate([part[cut] for part in self.parts]) for cut in (np.s_[:, middle], np.s_[:, :, middle]))
        yx = next(image for number, image in enumerate(image for part in self.parts for image in part) if number == z)
        return OrthogonalSlices(yx, zx, zy, (z, middle, middle), views, views)


async def make_parts(workers: Workers, job: VolumeJob, on_rows: OnRows | None = None) -> None:
    """Make all parts that are not there yet; `on_rows(done, of)` hears of each. Nothing is made of a single part."""
    if len(job.parts) == 1:
        return
    job = await workers.run(prepare_parts, job)
    first, end = job.rows
    done = 0
    tasks = [begin(_made(workers, job, rows)) for rows in job.parts]
    try:
        for task in asyncio.as_completed(tasks):
            done += await task
            if on_rows is not None:
                on_rows(done, end - first)
    finally:
        for task in tasks:
            task.cancel()


async def _made(workers: Workers, job: VolumeJob, rows: Rows) -> int:
    await workers.run(make_part, job, rows)
    return rows[1] - rows[0]


def prepare_parts(job: VolumeJob) -> VolumeJob:
    """What is to be known of the whole; runs on a worker. Parts of another scan or other settings are thrown away.

    Gives the job as it is to be done. Raises StorageError where they cannot be, DataError for a scan that is no use.
    """
    with alone():
        job = replace(job, source=job.source.proven())
    note = job.note()
    if _read_note(job.folder) != note or not (job.folder / _PIXELS).is_file():
        make_folder(job.folder)
        try:
            for old in job.folder.iterdir():
                if old.name != LOCK:
                    old.unlink()
        except OSError as error:
            raise storage_error("parts of another volume cannot be taken away", job.folder, error) from error
        scan = job.source.load()
        with alone():
            prepared = prepare(scan, job.spec)
        side = side_of(scan, prepared)
        first, end = job.rows
        start = begin_volume(job.folder / _PIXELS, (end - first, side, side), prepared.pixel_size_um, job.origins)
        content: dict[str, Any] = prepared.as_arrays() | {"side": np.array(side), "start": np.array(start)}
        with _part_file(job.folder / _PREPARED) as file:
            np.savez(file, **content)
        with _part_file(job.folder / _NOTE) as file:
            file.write(json.dumps(note).encode())
    return job


def make_part(job: VolumeJob, rows: Rows) -> None:
    """One part, unless it is there; runs on a worker."""
    place = _Place.of(job, rows)
    if place.kept():
        return
    volume, found = reconstruct_rows(job.source.load(), job.spec, place.prepared, rows)
    # A worker that was given up may still be writing while another one does; they write the same.
    digests = put_planes(place.pixels, place.start, volume)
    with _part_file(place.note) as file:
        file.write(json.dumps({"planes": digests, "quality": found.as_dict()}).encode())


@dataclass(frozen=True)
class _Place:
    """Of a part: where its planes, of side x side voxels, begin in the file of all; its note."""

    prepared: Prepared
    pixels: Path
    start: int
    side: int
    note: Path

    @classmethod
    def of(cls, job: VolumeJob, rows: Rows) -> _Place:
        """Raises DataError where nothing was prepared."""
        try:
            with np.load(job.folder / _PREPARED) as content:
                prepared, start, side = Prepared.from_arrays(content), int(content["start"]), int(content["side"])
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"what is known of the whole scan is missing: {error}", where=str(job.folder)) from error
        start += (rows[0] - job.rows[0]) * 4 * side**2
        return cls(prepared, job.folder / _PIXELS, start, side, _note_of(job.folder, rows))

    def kept(self) -> bool:
        """Whether the part is there from before, as it was written."""
        if not self.note.exists():
            return False
        try:
            digests, _ = _told(self.note)
        except DataError:
            return False
        return are_planes(self.pixels, self.start, 4 * self.side**2, digests)

    def planes(self, count: int) -> PlanesOnDisk:
        """As they lie in the file, (count, side, side). Raises DataError where they are missing, StorageError
        where the disk fails.
        """
        shape = (count, self.side, self.side)
        return PlanesOnDisk.of(self.pixels, shape, np.dtype(np.float32), self.start)


def _told(note: Path) -> tuple[tuple[str, ...], QualitySums]:
    """Hashes of a part's planes, and its figures. Raises DataError for a part that is missing."""
    try:
        content = json.loads(note.read_bytes())
        return tuple(map(str, content["planes"])), QualitySums.from_dict(content["quality"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise _missing(note, error) from error


def _missing(path: Path, why: Exception) -> DataError:
    return DataError(f"a part of the volume is missing: {why}", where=str(path))


def _part_file(path: Path) -> AbstractContextManager[BinaryIO]:
    return durable_file(path, "a part of the volume", replace=True, own_name=True)


def assemble_volume(job: VolumeJob) -> Volume:
    """The volume, from its parts (left in their file) or, where there is one only, made at once; runs on a worker.

    Raises DataError for a part that is missing.
    """
    if len(job.parts) == 1:
        result = reconstruct_scan(job.source.load(), job.spec)
        return Volume(
            [result.volume],
            result.rows,
            result.voxel_size_um,
            result.rotation_axis_px,
            result.quality,
            result.warnings,
            result.shifts_px,
        )
    parts: list[PlanesOnDisk] = []
    digests: list[str] = []
    metrics: list[QualitySums] = []
    prepared = _Place.of(job, job.rows).prepared
    for rows in job.parts:
        place = _Place.of(job, rows)
        planes, found = _told(place.note)
        parts.append(place.planes(rows[1] - rows[0]))
        digests += planes
        metrics.append(found)
    whole = reduce(add, metrics)
    return Volume(
        parts,
        job.rows,
        prepared.pixel_size_um,
        prepared.axis.column_px,
        whole.quality(prepared.axis, job.shape[2]) | prepared.figures,
        whole.warnings,
        prepared.shifts_px,
        tuple(digests),
    )


def keep_volume(job: VolumeJob, volume: Volume, target: Path, *, replace: bool = False) -> Path:
    """The volume as OME-TIFF in float32, whole and on the disk; not written again where it is from parts.

    Raises StorageError where the disk fails or `target` exists (unless `replace`), DataError for NaN and infinity.
    """
    if volume.digests:
        rows, _, side = volume.shape
        end = _Place.of(job, job.rows).start + 4 * rows * side**2
        if finish_planes(job.folder / _PIXELS, end, volume.digests, target, replace=replace):
            return target
    return write_volume(target, volume.parts, volume.voxel_size_um, replace=replace, origins=job.origins)


def remove_parts(job: VolumeJob) -> None:
    """When the volume is on the disk."""
    shutil.rmtree(job.folder, ignore_errors=True)


def parts_folder(volume: Path) -> Path:
    """The folder for the parts of a volume's file: beside it, under a name that does not count as one."""
    return part_path(volume.with_name(f"{volume.name}.rows"))


def identity_of(*facts: object) -> str:
    """A short name for facts that make a scan what it is."""
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _note_of(folder: Path, rows: Rows) -> Path:
    return folder / f"rows-{rows[0]:05d}-{rows[1]:05d}.json"


def _read_note(folder: Path) -> Any:
    try:
        return json.loads((folder / _NOTE).read_bytes())
    except (OSError, ValueError):
        return None
