"""mosaic_particles.csv: what the mosaic shows of each particle, with its uncertainty."""

from __future__ import annotations

from typing import Final

from xrm_control.contracts.column import Column, Dtype, uncertainty
from xrm_control.contracts.units import unit_of

_FIT = "fit of projected bodies to the mosaic's map of chords"


def _number(name: str, label: str, meaning: str, dtype: Dtype = "number") -> Column:
    return Column(
        name=name,
        label=label,
        meaning=meaning,
        source=_FIT,
        unit=unit_of(name),
        dtype=dtype,
        required=dtype != "number",
    )


class MosaicParticle:
    """Columns of mosaic_particles.csv, one particle a row, from top to bottom."""

    number: Final = _number("number", "particle of the mosaic", "number of the particle in the mosaic, from 1", "id")
    x_um: Final = _number("x_um", "x", "x of its middle on the stage")
    y_um: Final = _number("y_um", "y", "y of its middle on the stage")
    equivalent_diameter_um: Final = _number(
        "equivalent_diameter_um",
        "equivalent diameter",
        "diameter of the sphere of the same volume; of a shell, of its envelope",
        "positive",
    )
    long_axis_um: Final = _number("long_axis_um", "long axis", "long axis of its shadow")
    short_axis_um: Final = _number("short_axis_um", "short axis", "short axis of its shadow")
    azimuth_deg: Final = _number("azimuth_deg", "azimuth", "of the long axis, from stage x towards y, 0 to 180")
    thickness_um: Final = _number(
        "thickness_um", "thickness", "its longest chord along the beam; of a shell, as if solid"
    )
    shape: Final = Column(
        name="shape", label="shape", meaning="what it was taken for", source=_FIT, dtype="text",
        choices=("sphere", "ellipsoid", "shell"), required=True,
    )  # fmt: skip
    hollow: Final = _number("hollow", "hollow", "inner over outer size of a shell; 0: none")
    overlap: Final = _number("overlap", "overlap", "how many others lie over it, mean over its shadow")
    misfit: Final = _number("misfit", "misfit", "chi-squared for each pixel within its rim; 1 is noise")
    touches_edge: Final = _number(
        "touches_edge", "touches edge", "1: cut by the mosaic's edge, or by a hole in it", "flag"
    )
    countable: Final = _number(
        "countable",
        "countable",
        "1: particles can be counted where it lies; 0: those found there are no measure",
        "flag",
    )
    certain: Final = _number(
        "certain",
        "certain",
        "1: counted with certainty: alone, explained by one body, whole, not among the smallest, and countable",
        "flag",
    )


_MEASURED: Final = (
    MosaicParticle.x_um,
    MosaicParticle.y_um,
    MosaicParticle.equivalent_diameter_um,
    MosaicParticle.long_axis_um,
    MosaicParticle.short_axis_um,
    MosaicParticle.thickness_um,
)

MOSAIC_COLUMNS: Final = (
    MosaicParticle.number,
    *(one for column in _MEASURED for one in (column, uncertainty(column))),
    MosaicParticle.azimuth_deg,
    MosaicParticle.shape,
    MosaicParticle.hollow,
    MosaicParticle.overlap,
    MosaicParticle.misfit,
    MosaicParticle.touches_edge,
    MosaicParticle.countable,
    MosaicParticle.certain,
)
"""All of them, in their order."""
