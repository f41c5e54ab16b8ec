"""What the regions of a run measured, put together: its tables, and how they compare with the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from xrm_control.analysis.population import population_weights
from xrm_control.analysis.size_classes import MosaicSizes
from xrm_control.analysis.truth_match import Field, match_truth, rotation_axis_error_px
from xrm_control.contracts.columns import COLUMNS, STANDARD, ColumnsDocument
from xrm_control.contracts.handoff import HANDOFF
from xrm_control.contracts.rows import Rows, csv_text, pool_rows, read_rows
from xrm_control.contracts.tables import Particle
from xrm_control.contracts.truth import TRUTH, TruthMatch
from xrm_control.core.geometry import Pose
from xrm_control.storage.run_folder import RoiFolder, RunFolder


@dataclass(frozen=True)
class Measured:
    """Rows of particles.csv and voids.csv of some regions; voids: None where nobody looked for any in one of them, or
    where no region was measured.
    """

    particles: Rows
    voids: Rows | None

    @property
    def columns(self) -> ColumnsDocument:
        """The columns that there are, but for headers that are no names of columns."""
        voids = () if self.voids is None else self.voids.columns
        return ColumnsDocument(
            particles=tuple(column for column in self.particles.columns if column.describable),
            voids=tuple(column for column in voids if column.describable),
        )


def read_measured(folder: RunFolder, rois: Sequence[str]) -> Measured:
    """The tables of those regions of a run. Raises DataError, naming file, row and column."""
    places = [(folder.roi(roi), _columns_of(folder.roi(roi))) for roi in rois]
    particles = pool_rows(read_rows(place.particles, known.particles) for place, known in places)
    if not places or not all(place.voids.is_file() for place, _ in places):
        return Measured(particles, None)
    return Measured(particles, pool_rows(read_rows(place.voids, known.voids) for place, known in places))


def weighted(measured: Measured, mosaic: MosaicSizes) -> Measured:
    """The same, and of each particle its weight in the population."""
    weights = population_weights(measured.particles, mosaic)
    return replace(measured, particles=measured.particles.having(Particle.population_weight, weights))


def read_tables(out: Path) -> Measured:
    """The tables that an analysis core wrote into `out`. Raises DataError, naming file, row and column."""
    known = STANDARD.joined(COLUMNS.read(out / COLUMNS.name)) if (out / COLUMNS.name).is_file() else STANDARD
    voids = out / "voids.csv"
    return Measured(
        read_rows(out / "particles.csv", known.particles), read_rows(voids, known.voids) if voids.is_file() else None
    )


def write_run_tables(folder: RunFolder, rois: Sequence[str], mosaic: MosaicSizes | None = None) -> tuple[Path, ...]:
    """particles.csv, voids.csv and columns.json of the whole run, durable; returns those that there are.

    With what is known of the mosaic each particle has its weight in the population, too.
    """
    if not rois:
        return ()
    measured = read_measured(folder, rois)
    if mosaic is not None:
        measured = weighted(measured, mosaic)
    made = [folder.write_text(folder.particles, csv_text(measured.particles), replace=True)]
    if measured.voids is not None:
        made.append(folder.write_text(folder.voids, csv_text(measured.voids), replace=True))
    made.append(folder.write_text(folder.columns, COLUMNS.text(measured.columns), replace=True))
    return tuple(made)


def compare_with_truth(
    folder: RunFolder,
    place: RunFolder,
    rois: Sequence[str],
    measured: Measured,
    columns_px: int,
    pixel_um: float,
    axis_offset_um: float = 0.0,
) -> TruthMatch | None:
    """The regions of a simulated run against its truth.json; None where there is none, or nothing was measured.

    place: where the regions' hand-offs are; columns_px, pixel_um: of the scans' detector images; axis_offset_um: how
    far right of the instrument's axis the regions' own was kept.
    """
    if not folder.truth.is_file() or not len(measured.particles):
        return None
    truth = TRUTH.read(folder.truth)
    fields: list[Field] = []
    axis_error_px: dict[str, float] = {}
    for roi in rois:
        path = place.roi(roi).handoff
        handoff = HANDOFF.read(path)
        if handoff.shape is None or handoff.rotation_axis_px is None:
            continue
        centre = handoff.centre_stage_um
        fields.append(Field(roi, Pose(centre.x, centre.y, centre.z, 0.0), handoff.shape, handoff.voxel_size_um))
        axis_error_px[roi] = rotation_axis_error_px(
            handoff.rotation_axis_px, columns_px, truth.rotation_axis.offset_um + axis_offset_um, pixel_um
        )
    found = match_truth(measured.particles, measured.voids, truth, fields)
    return found.model_copy(update={"rotation_axis_error_px": axis_error_px})


def _columns_of(place: RoiFolder) -> ColumnsDocument:
    return STANDARD.joined(COLUMNS.read(place.columns)) if place.columns.is_file() else STANDARD
