"""columns.json: what the columns of a run's tables mean, beside the tables."""

from __future__ import annotations

from xrm_control.contracts.column import Column
from xrm_control.contracts.document import Document, JsonFile
from xrm_control.contracts.tables import MOVED_COLUMNS, PARTICLE_COLUMNS, PARTICLE_DETAILS, VOID_COLUMNS, Particle

KNOWN_PARTICLE_COLUMNS = (*PARTICLE_COLUMNS, *PARTICLE_DETAILS)
"""What the built-in core writes into particles.csv."""

RUN_PARTICLE_COLUMNS = (Particle.population_weight,)
"""What the table of a whole run has besides."""


class ColumnsDocument(Document):
    """columns.json: the columns of particles.csv and of voids.csv.

    An analysis core may write one, too, to tell of columns of its own.
    """

    particles: tuple[Column, ...] = ()
    voids: tuple[Column, ...] = ()

    def joined(self, other: ColumnsDocument) -> ColumnsDocument:
        """These columns, and those of `other` that are not among them."""
        return ColumnsDocument(particles=_union(self.particles, other.particles), voids=_union(self.voids, other.voids))


STANDARD = ColumnsDocument(particles=(*KNOWN_PARTICLE_COLUMNS, *MOVED_COLUMNS), voids=VOID_COLUMNS)
"""All columns that need no columns.json to be understood."""

COLUMNS = JsonFile("columns.json", ColumnsDocument)


def _union(first: tuple[Column, ...], then: tuple[Column, ...]) -> tuple[Column, ...]:
    names = {column.name for column in first}
    return (*first, *(column for column in then if column.name not in names))
