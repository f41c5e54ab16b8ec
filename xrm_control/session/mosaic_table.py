"""The list of the mosaic's particles, as it is kept beside the mosaic."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from xrm_control.contracts.column import uncertainty
from xrm_control.contracts.mosaic_table import MOSAIC_COLUMNS, MosaicParticle
from xrm_control.contracts.rois import PlacesRecord
from xrm_control.contracts.rows import Rows, csv_text
from xrm_control.mosaic.tiles import Mosaic
from xrm_control.roi.count import Count
from xrm_control.roi.particles2d import Particle2D


def mosaic_table(particles: Sequence[Particle2D], count: Count, mosaic: Mosaic, stage_accuracy_um: float) -> str:
    """mosaic_particles.csv.

    To what a fit leaves open of a place comes how far its tile may lie from where it is said to be: the mosaic's
    residual, or what the stage is said to keep where that is not known (an even error up to stage_accuracy_um). To a
    length comes what is not known of the pixel, as far as the overlaps have measured it.
    """
    residual_um = mosaic.residual_um
    off_um = stage_accuracy_um / math.sqrt(3) if residual_um is None else residual_um
    found = mosaic.registration
    scale = 0.0 if found is None else float(np.diag(found.picture_to_stage_u).max())
    countable = count.places.at(np.array([p.x_um for p in particles]), np.array([p.y_um for p in particles]))
    rows = [
        _row(number, particle, bool(here), off_um, scale)
        for number, (particle, here) in enumerate(zip(particles, countable, strict=True), start=1)
    ]
    return csv_text(Rows.of(rows, MOSAIC_COLUMNS), MOSAIC_COLUMNS)


def places_record(count: Count) -> PlacesRecord | None:
    """Where the particles can be counted, as rois.json holds it; None where nobody looked."""
    found = count.places
    if not found.countable.size:
        return None
    signs = np.where(found.matter, np.where(found.countable, "1", "0"), "-")
    return PlacesRecord(
        cell_um=found.cell_um,
        left_um=found.left_um,
        top_um=found.top_um,
        accounted=tuple(
            tuple(round(v, 2) if math.isfinite(v) else None for v in row) for row in found.accounted.tolist()
        ),
        countable=tuple("".join(row) for row in signs.tolist()),
    )


def _row(number: int, particle: Particle2D, countable: bool, off_um: float, scale: float) -> dict[str, float | str]:
    column, fit = MosaicParticle, particle.fit
    row: dict[str, float | str] = {
        column.number.name: number,
        column.x_um.name: particle.x_um,
        column.y_um.name: particle.y_um,
        column.equivalent_diameter_um.name: particle.equivalent_diameter_um,
        column.thickness_um.name: particle.peak_thickness_um,
        column.touches_edge.name: int(particle.touches_edge),
        column.countable.name: int(countable),
        column.certain.name: 0,
        column.shape.name: "sphere",
    }
    if fit is None:
        return row
    lengths = (
        (column.equivalent_diameter_um, particle.equivalent_diameter_um, fit.diameter_u_um),
        (column.long_axis_um, fit.long_um, fit.long_u_um),
        (column.short_axis_um, fit.short_um, fit.short_u_um),
        (column.thickness_um, particle.peak_thickness_um, fit.peak_thickness_u_um),
    )
    for length, value_um, u_um in lengths:
        row |= {length.name: value_um, uncertainty(length).name: math.hypot(u_um, scale * value_um)}
    return row | {
        uncertainty(column.x_um).name: math.hypot(fit.x_u_um, off_um),
        uncertainty(column.y_um).name: math.hypot(fit.y_u_um, off_um),
        column.azimuth_deg.name: fit.azimuth_deg,
        column.shape.name: fit.shape,
        column.hollow.name: fit.hollow,
        column.overlap.name: fit.overlap,
        column.misfit.name: fit.left,
        column.certain.name: int(fit.certain),
    }
