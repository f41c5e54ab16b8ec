"""Particles that moved, marked in the region's tables and left out of its statistics."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xrm_control.analysis.population import pool
from xrm_control.contracts.columns import COLUMNS, STANDARD, ColumnsDocument
from xrm_control.contracts.results import REGION_RESULTS
from xrm_control.contracts.rows import Rows, csv_text, read_rows
from xrm_control.contracts.tables import MOVED_COLUMNS, Particle
from xrm_control.core.errors import XrmError
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.processing.trust.movers import Movers, movers
from xrm_control.storage.durable import durable_file
from xrm_control.storage.run_folder import RoiFolder


def leave_out_movers(evidence: RegionEvidence, out: Path, seed: int) -> int | None:
    """Write what moved into particles.csv, and results.json of the region without it; how many moved, None where nobody
    could look. seed: of the bootstrap.

    Done again, it writes the same. Raises DataError for tables that cannot be read, StorageError for a disk that fails.
    """
    try:
        with np.errstate(all="ignore"):
            found = evidence.once(movers)
    except (XrmError, ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError):
        # The check that looked at the same has said so.
        return None
    particles = evidence.particles
    if isinstance(found, str) or particles is None:
        return None
    place = RoiFolder(out)
    if found.those or particles.has(Particle.moved_um):
        rows = marked(particles, found)
        _write(place.particles, csv_text(rows))
        known = COLUMNS.read(place.columns) if place.columns.is_file() else STANDARD
        _write(place.columns, COLUMNS.text(known.joined(ColumnsDocument(particles=MOVED_COLUMNS))))
        _sum_up(place, rows, known, seed)
    return len(found.those)


def marked(particles: Rows, found: Movers) -> Rows:
    """The table with `MOVED_COLUMNS`, empty for what stayed."""
    ids = particles.ids(Particle.particle_id)
    by_id = {one.particle: one for one in found.those}
    nothing = (float("nan"),) * len(MOVED_COLUMNS)
    cells = [
        (by_id[number].by_um, by_id[number].u_um, by_id[number].theta_deg) if number in by_id else nothing
        for number in ids
    ]
    for column, values in zip(MOVED_COLUMNS, np.array(cells, float).reshape(-1, len(MOVED_COLUMNS)).T, strict=True):
        particles = particles.having(column, values)
    return particles


def _sum_up(place: RoiFolder, particles: Rows, known: ColumnsDocument, seed: int) -> None:
    path = place.path / REGION_RESULTS.name
    if not path.is_file():
        return
    results = REGION_RESULTS.read(path)
    voids = read_rows(place.voids, STANDARD.joined(known).voids) if place.voids.is_file() else None
    pooled = pool(particles, voids, seed=seed)
    moved = int(np.isfinite(particles.numbers(Particle.moved_um)).sum())
    counts = results.counts.model_copy(update={"moved_particles": moved or None})
    told = {"counts": counts, "table1": pooled.table1, "population": pooled.population}
    _write(path, REGION_RESULTS.text(results.model_copy(update=told)))


def _write(path: Path, text: str) -> None:
    with durable_file(path, f"the region's {path.name}", replace=True) as file:
        file.write(text.encode())
