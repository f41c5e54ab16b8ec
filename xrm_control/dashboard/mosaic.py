"""The mosaic as the desktop: tiles where they are on the stage, the stitched picture, and the regions on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from xrm_control.contracts.document import JsonFile, Model
from xrm_control.contracts.plan import PLAN
from xrm_control.contracts.population import Population
from xrm_control.contracts.quality import FOREIGN_QUALITY
from xrm_control.contracts.results import REGION_RESULTS
from xrm_control.contracts.rois import ROIS, RoiRecord, RoisDocument
from xrm_control.contracts.tables import Particle
from xrm_control.contracts.trust import TrustVerdict
from xrm_control.core.errors import XrmError
from xrm_control.core.frame_id import MOSAIC
from xrm_control.core.states import FrameKind, FrameOutcome, RoiState, RunState
from xrm_control.dashboard.models_mosaic import MosaicView, Regions, RegionView, TileView
from xrm_control.storage.journal_reader import JournalReader
from xrm_control.storage.records import RoiStateRecord, StageProgress
from xrm_control.storage.run_folder import RunFolder

WAITING, SCANNING = "waiting", str(RunState.SCANNING)
# Of the paper's camera, where a plan does not tell.
_FIELD_UM = 65.5
_Stamp = tuple[int, int]


def mosaic_view(folder: RunFolder) -> MosaicView:
    """Its tiles, and the stitched picture once it is there. Raises DataError where the journal cannot be read."""
    field_um = _field_um(folder)
    with JournalReader.open(folder.journal) as journal:
        planned = [frame for frame in journal.planned_frames("", MOSAIC) if frame.kind is FrameKind.TILE]
        kept = {plan.frame_id: frame for plan, frame in journal.stored_frames("")}
        missing = journal.missing_frames()
    tiles: list[TileView] = []
    for plan in planned:
        frame = kept.get(plan.frame_id)
        where = plan.target if frame is None else frame.exposure.actual
        rows, columns = (1, 1) if frame is None else frame.shape
        row, column = _place(plan.frame_id)
        open_ = FrameOutcome.MISSING if plan.frame_id in missing else FrameOutcome.OPEN
        tiles.append(
            TileView(
                frame_id=str(plan.frame_id),
                row=row,
                column=column,
                x_um=where.x_um,
                y_um=where.y_um,
                width_um=field_um,
                height_um=field_um * rows / columns,
                outcome=open_ if frame is None else FrameOutcome.KEPT,
                picture="" if frame is None else f"frames/{plan.frame_id}.png",
            )
        )
    known = rois_of(folder)
    if known is None or not folder.mosaic_tiff.is_file():
        return MosaicView(tiles=tuple(tiles))
    about, half = known.mosaic, known.mosaic.pixel_size_um / 2
    rows, columns = about.shape
    return MosaicView(
        tiles=tuple(tiles),
        picture="mosaic.png",
        x0_um=about.x0_um - half,
        y0_um=about.y0_um - half,
        width_um=columns * about.pixel_size_um,
        height_um=rows * about.pixel_size_um,
        particles=about.particles,
    )


def regions_view(folder: RunFolder) -> Regions:
    """The regions as they stand. Raises DataError where the journal cannot be read."""
    known = rois_of(folder)
    if known is None:
        return Regions(regions=())
    with JournalReader.open(folder.journal) as journal:
        lives = journal.roi_states()
        progress = {one.roi: one for one in journal.progress() if one.roi}
    return Regions(regions=tuple(_region(folder, roi, lives, progress) for roi in known.rois))


def rois_of(folder: RunFolder) -> RoisDocument | None:
    """rois.json; None while there is none that can be read."""
    try:
        return ROIS.read(folder.rois) if folder.rois.is_file() else None
    except XrmError:
        return None


def _region(
    folder: RunFolder, roi: RoiRecord, lives: Mapping[str, RoiStateRecord], progress: Mapping[str, StageProgress]
) -> RegionView:
    place, life, frames = folder.roi(roi.name), lives.get(roi.name), progress.get(roi.name)
    done, planned = (frames.done, frames.planned) if frames is not None else (0, 0)
    measured = _NOTHING
    if life is not None and life.state is RoiState.REPORTED:
        measured = _measured(place.results, _stamp(place.results), place.quality, _stamp(place.quality))
    return RegionView(
        name=roi.name,
        x_um=roi.x_um,
        y_um=roi.y_um,
        z_um=roi.z_um,
        width_um=roi.width_um,
        height_um=roi.height_um,
        state=str(life.state) if life is not None else (SCANNING if done else WAITING),
        reason="" if life is None else life.reason,
        why=roi.reason,
        added_by=roi.added_by,
        done=done,
        planned=planned,
        expected_particles=roi.expected_particles,
        particles=measured.particles,
        voided=measured.voided,
        voided_percent=measured.voided_percent,
        equivalent_diameter_um=measured.equivalent_diameter_um,
        trust=measured.trust,
        preview="" if not place.preview.is_file() else f"files/{roi.name}/preview.png",
        volume=place.volume.is_file(),
        doubts=measured.doubts,
    )


@dataclass(frozen=True)
class _Measured:
    """What a region's results and quality tell of it."""

    particles: int | None = None
    voided: int | None = None
    voided_percent: float | None = None
    equivalent_diameter_um: float | None = None
    trust: str = ""
    doubts: tuple[str, ...] = ()


_NOTHING = _Measured()


@lru_cache(maxsize=4096)
def _measured(results_path: Path, results_stamp: _Stamp, quality_path: Path, quality_stamp: _Stamp) -> _Measured:
    """Read once: a day has hundreds of regions, and all of them are looked at again and again. stamps: change with the
    files.
    """
    results = _read(REGION_RESULTS, results_path)
    if results is None:
        return _NOTHING
    quality = _read(FOREIGN_QUALITY, quality_path)
    voided = results.population.voided_fraction
    diameter = results.population.of(Particle.equivalent_diameter_um)
    checks = () if quality is None else quality.checks
    return _Measured(
        particles=results.counts.whole_particles,
        voided=_voided(results.population),
        voided_percent=None if voided is None or voided.value is None else 100 * voided.value,
        equivalent_diameter_um=None if diameter is None else diameter.mean,
        trust="" if quality is None or quality.verdict is None else str(quality.verdict),
        doubts=tuple(one.text for one in checks if one.verdict not in (None, TrustVerdict.PASS)),
    )


def _voided(population: Population) -> int | None:
    """How many whole particles have voids; None where nobody has counted them."""
    share, dead = population.voided_fraction, population.of(Particle.dead_volume_percent)
    if share is None or share.value is None:
        return None
    # Of a dead volume there are as many values as voided particles.
    return dead.n if dead is not None else None if share.value > 0 else 0


def _read(file: JsonFile[Model], path: Path) -> Model | None:
    try:
        return file.read(path)
    except XrmError:
        return None


def _stamp(path: Path) -> _Stamp:
    try:
        about = path.stat()
    except OSError:
        return 0, 0
    return about.st_mtime_ns, about.st_size


def _field_um(folder: RunFolder) -> float:
    try:
        return PLAN.read(folder.plan).field_of_view_um
    except XrmError:
        return _FIELD_UM


def _place(frame_id: str) -> tuple[int, int]:
    """Row and column in a tile's name."""
    row, column = frame_id.rpartition("/tile_r")[2].split("_c")
    return int(row), int(column)
