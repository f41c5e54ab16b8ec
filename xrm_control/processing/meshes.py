"""Particles of a region as meshes: from the volume, labels and tables that the run keeps, held against their hashes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from xrm_control.analysis.label_expansion import Box, boxes_of, grown_box
from xrm_control.analysis.meshes import HALF, MARGIN_VOXELS, KnownVoid, RegionVolume, Wall, particle_surfaces
from xrm_control.contracts.quality import QUALITY
from xrm_control.contracts.rows import Rows
from xrm_control.contracts.tables import PARTICLE_COLUMNS, Particle, Void
from xrm_control.core.errors import AnalysisError, DataError
from xrm_control.core.version import __version__
from xrm_control.exports.particle_mesh import Fact, MeshPart, ParticleMesh
from xrm_control.processing.measured import Measured, read_measured
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.loading import load_document
from xrm_control.storage.artifacts import require_recorded
from xrm_control.storage.formats.registry import read_volume
from xrm_control.storage.journal import JournalReader
from xrm_control.storage.run_folder import RoiFolder, RunFolder

VOLUME_TOLERANCE_PERCENT, AREA_TOLERANCE_PERCENT = 0.5, 3.0
PLACE_TOLERANCE_VOXELS, CUT_PLACE_TOLERANCE_VOXELS = 0.3, 1.0
"""By how much hull and table may differ before the file says so in words. Of 115 whole particles of nmc811 and nmc622
the volume differs by up to 0.01 %, the area by 1.9 %, the centre by 0.1 voxels (of cut ones by 0.7)."""

_FWHM = 2.3548
_BLUR_VOXELS = 0.8
_FILES = ("volume.ome.tif", "labels.ome.tif", "phases.ome.tif", "particles.csv", "voids.csv", "quality.json")
_HASHED = ("volume.ome.tif", "labels.ome.tif")
_TOLD = (*PARTICLE_COLUMNS, Particle.touches_rows, Particle.touches_cylinder, Particle.crack_kind)


def measured_regions(run: RunFolder) -> list[str]:
    """Regions of which particles were measured, by name."""
    return sorted(
        path.parent.name for path in run.path.glob("*/particles.csv") if (path.parent / "labels.ome.tif").is_file()
    )


@dataclass(frozen=True)
class RegionMeshes:
    """The particles of one region. Its files are read, and held against their hashes, when they are first asked for."""

    run: RunFolder
    roi: str

    @cached_property
    def ids(self) -> tuple[int, ...]:
        """Of all its particles. Raises DataError where none were measured."""
        if not (self._place.labels.is_file() and self._place.particles.is_file()):
            raise DataError(
                "no particles were measured in this region, or their labels are not kept",
                where=str(self.run.path),
                value=self.roi,
                limit=f"measured: {', '.join(measured_regions(self.run)) or 'none'}",
            )
        if not self._place.volume.is_file():
            raise DataError(
                "the volume of this region is not kept, so that its particles have no surface below a voxel",
                where=str(self._place.volume),
                remedy=f"make it again: xrm reconstruct {self._place.path} --out volume.ome.tif",
            )
        return self._tables.particles.ids(Particle.particle_id)

    def require(self, wanted: Sequence[int]) -> None:
        """Raises DataError for a number that no particle of this region has."""
        missing = [str(one) for one in wanted if one not in self.ids]
        if missing:
            raise DataError(
                "there is no such particle",
                where=f"{self.run.name}, {self.roi}",
                value=", ".join(missing),
                limit=_ranges(self.ids),
            )

    def mesh(self, particle: int) -> ParticleMesh:
        """Hull and inner walls of one particle. Raises DataError for one that is not there, AnalysisError for one of
        which the volume shows no surface, Altered for files that are not what was recorded."""
        self.require([particle])
        region, rows = self._region, self._tables.particles
        row = rows.where(rows.numbers(Particle.particle_id) == particle)
        box = self._boxes[particle - 1] if 0 < particle <= len(self._boxes) else None
        if box is None:
            raise DataError("stands in the table, and not among the labels", where=self.roi, value=particle)
        volume_um3 = float(row.numbers(Particle.volume_um3)[0])
        voids = self._voids(particle)
        grown = grown_box(box, region.labels.shape, MARGIN_VOXELS)
        try:
            found = particle_surfaces(region, particle, grown, volume_um3, voids)
        except AnalysisError as error:
            where = f"{self.run.name}, {self.roi}, {error.where}"
            raise AnalysisError(error.what, where=where, value=error.value, limit=error.limit) from error
        hull = MeshPart("hull", found.hull.surface, _hull_facts(found.hull, row))
        walls = tuple(_void_part(wall, number, voids) for number, wall in enumerate(found.voids, start=1))
        notes = (*_notes(row, hull), *_apart(row, hull, region.voxel_um), *_void_notes(walls, voids))
        return ParticleMesh(self.run.name, self.roi, particle, hull, walls, self._facts(row), notes)

    @property
    def _place(self) -> RoiFolder:
        return self.run.roi(self.roi)

    @cached_property
    def _tables(self) -> Measured:
        return read_measured(self.run, [self.roi])

    @cached_property
    def _region(self) -> RegionVolume:
        with JournalReader.open(self.run.journal) as journal:
            known = journal.artifacts()
        require_recorded(self.run, (known.get(f"{self.roi}/{name}") for name in _FILES))
        grey, voxel_um = read_volume(self._place.volume)
        labels, _ = read_volume(self._place.labels)
        phases_path = self._place.path / "phases.ome.tif"
        phases = read_volume(phases_path)[0] if phases_path.is_file() else None
        for name, other in (("labels.ome.tif", labels), ("phases.ome.tif", phases)):
            if other is not None and other.shape != grey.shape:
                raise DataError(
                    "does not fit the volume", where=f"{self.roi}/{name}", value=other.shape, limit=grey.shape
                )
        if voxel_um is None:
            raise DataError("does not say how large a voxel is", where=str(self._place.volume))
        return RegionVolume(grey, labels, phases, voxel_um, self._blur_voxels(voxel_um))

    @cached_property
    def _boxes(self) -> list[Box | None]:
        return boxes_of(self._region.labels)

    def _blur_voxels(self, voxel_um: float) -> float:
        """Of the volume's edges, as the analysis found it."""
        if not self._place.quality.is_file():
            return _BLUR_VOXELS
        fwhm_um = QUALITY.read(self._place.quality).edge_blur_fwhm_um
        return _BLUR_VOXELS if fwhm_um is None else fwhm_um / _FWHM / voxel_um

    def _voids(self, particle: int) -> list[KnownVoid]:
        rows = self._tables.voids
        if rows is None:
            return []
        own = rows.where(rows.numbers(Void.particle_id) == particle)
        places = [own.numbers(column) for column in (Void.x_um, Void.y_um, Void.z_um)]
        found = zip(own.ids(Void.void_id), *places, own.numbers(Void.volume_um3), strict=True)
        return [
            KnownVoid(number, (float(x), float(y), float(z)), float(volume))
            for number, x, y, z, volume in found
            if np.isfinite([x, y, z, volume]).all()
        ]

    @cached_property
    def _origin(self) -> dict[str, Fact]:
        with JournalReader.open(self.run.journal) as journal:
            record, known = journal.run(), journal.artifacts()
        sample = load_document(self.run.recipe, Recipe)[0].sample.name if self.run.recipe.is_file() else ""
        hashes = {f"sha256_{name}": known[path].sha256 for name in _HASHED if (path := f"{self.roi}/{name}") in known}
        return {
            "program": f"xrm_control {__version__}",
            "run": record.name,
            "roi": self.roi,
            "sample": sample,
            "simulated": float(record.simulated),
            "recipe_sha256": record.recipe_sha256,
            **hashes,
            "voxel_size_um": self._region.voxel_um,
        }

    def _facts(self, row: Rows) -> dict[str, Fact]:
        cells: dict[str, Fact] = {}
        for column in _TOLD:
            if column.name == Particle.roi.name or not row.has(column):
                continue
            if column.is_text:
                cells[column.name] = row.texts(column)[0]
            elif np.isfinite(value := float(row.numbers(column)[0])):
                cells[column.name] = value
        return {**self._origin, **cells}


def _percent(found: float, stated: float) -> float:
    return 100 * (found / stated - 1) if stated > 0 else float("nan")


def _hull_facts(hull: Wall, row: Rows) -> dict[str, Fact]:
    volume, area = (float(row.numbers(column)[0]) for column in (Particle.volume_um3, Particle.surface_area_um2))
    surface = hull.surface
    return {
        "mesh_volume_um3": surface.volume_um3,
        "mesh_area_um2": surface.area_um2,
        "volume_difference_percent": _percent(surface.volume_um3, volume),
        "area_difference_percent": _percent(surface.area_um2, area),
        "level": hull.level,
    }


def _void_part(wall: Wall, number: int, voids: Sequence[KnownVoid]) -> MeshPart:
    stated = sum(void.volume_um3 for void in voids if void.void_id in wall.void_ids)
    facts: dict[str, Fact] = {
        Void.void_id.name: ", ".join(map(str, wall.void_ids)) or "none in voids.csv",
        "mesh_volume_um3": -wall.surface.volume_um3,
        "mesh_area_um2": wall.surface.area_um2,
        "volume_difference_percent": _percent(-wall.surface.volume_um3, stated),
        "level": wall.level,
    }
    return MeshPart(f"void {number}", wall.surface, facts)


def _notes(row: Rows, hull: MeshPart) -> Iterator[str]:
    if row.flags(Particle.touches_boundary)[0]:
        yield "cut by the border of the volume, or nearly: where it goes on the mesh is closed by the field's edge"
    if row.has(Particle.crack_kind) and row.texts(Particle.crack_kind)[0] in ("edge", "through"):
        yield "its crack is filled, as in volume_um3"
    for what, key, limit in (
        ("volume", "volume_difference_percent", VOLUME_TOLERANCE_PERCENT),
        ("area", "area_difference_percent", AREA_TOLERANCE_PERCENT),
    ):
        difference = float(hull.facts[key])
        if not np.isfinite(difference):
            yield f"the table states no {what} to hold the mesh against; its level is {HALF:g}"
        elif abs(difference) > limit:
            yield f"its hull's {what} differs by {difference:+.1f} % from the table's, more than {limit:g} %"


def _apart(row: Rows, hull: MeshPart, voxel_um: float) -> Iterator[str]:
    """A sign that labels and table are not of this volume."""
    stated = [float(row.numbers(column)[0]) for column in (Particle.x_um, Particle.y_um, Particle.z_um)]
    away = float(np.linalg.norm(np.subtract(hull.surface.centre_um, stated))) / voxel_um
    limit = CUT_PLACE_TOLERANCE_VOXELS if row.flags(Particle.touches_boundary)[0] else PLACE_TOLERANCE_VOXELS
    if away > limit:
        where = f"its centre lies {away:.1f} voxels from the table's, more than {limit:g}"
        yield f"{where}: labels, volume and table may not belong together"


def _void_notes(walls: Sequence[MeshPart], voids: Sequence[KnownVoid]) -> Iterator[str]:
    drawn = {number for wall in walls for number in str(wall.facts[Void.void_id.name]).split(", ")}
    lost = [str(void.void_id) for void in voids if str(void.void_id) not in drawn]
    if lost:
        yield f"no wall is seen of void {', '.join(lost)} of voids.csv"
    for wall in walls:
        difference = float(wall.facts["volume_difference_percent"])
        if abs(difference) > VOLUME_TOLERANCE_PERCENT:
            yield f"{wall.name}: its volume differs by {difference:+.1f} % from voids.csv's"


def _ranges(ids: Sequence[int]) -> str:
    """1 to 12, 14."""
    parts: list[str] = []
    ordered = sorted(ids)
    first = 0
    for at in range(len(ordered)):
        if at + 1 == len(ordered) or ordered[at + 1] != ordered[at] + 1:
            parts.append(str(ordered[first]) if at == first else f"{ordered[first]} to {ordered[at]}")
            first = at + 1
    return ", ".join(parts) or "none"
