"""The columns of every table: particles.csv, voids.csv and the paper's Table 1, each defined once.

Code that reads or writes a column names it by its definition (`Particle.volume_um3`), so that a column which is renamed
or gone is an error for the type checker. What a metric measures besides is defined in the metric's own file.
"""

from __future__ import annotations

from typing import Final

from xrm_control.contracts.column import Column, uncertainty
from xrm_control.contracts.units import unit_of

PLANES: Final = ("xy", "xz", "yz")
AZIMUTHS_DEG: Final = tuple(range(0, 360, 45))

_CORE = "built-in core"
_SIZE, _SHAPE, _RADII, _ROUGHNESS = "metric size", "metric shape", "metric radii", "metric roughness"
_GREY = "grey-level integration (partial voxels count by their share)"
_NECKS = "built-in core: grey of the sections on both sides of a contact, fitted to those of two balls, blurred"
_CRACKS = "built-in core: sheetness with hysteresis, then grey missing along lines across the sheet"
_CROFTON = "Crofton's formula in 13 directions"
_MOVED = "check `movers`: its place in each view against its place in the volume"
_FLOOR = "what a perfect sphere of this size shows at this blur and noise"


def _place(axis: str, what: str) -> Column:
    return Column(
        name=f"{axis}_um",
        label=axis,
        meaning=f"{axis} of the {what}'s centroid in the volume, origin at the volume's centre",
        source=f"{_SIZE}: grey-weighted centroid" if what == "particle" else f"{_CORE}: centroid of its voxels",
        unit="µm",
        required=True,
    )


def _number(name: str, label: str, meaning: str, source: str) -> Column:
    return Column(name=name, label=label, meaning=meaning, source=source, unit=unit_of(name))


def _whole(name: str, label: str, meaning: str, source: str) -> Column:
    return _number(name, label, meaning, source).model_copy(update={"statistics": "whole"})


def _required(column: Column, dtype: str = "positive") -> Column:
    return Column.model_validate({**column.model_dump(), "required": True, "dtype": dtype})


class Particle:
    """Columns of particles.csv, one particle a row."""

    particle_id: Final = Column(
        name="particle_id", label="particle", meaning="number of the particle in its region, from 1; in labels.ome.tif",
        source=_CORE, dtype="id", required=True,
    )  # fmt: skip
    roi: Final = Column(
        name="roi",
        label="region",
        meaning="the region scanned",
        source="hand-off",
        dtype="text",
        required=True,
    )
    x_um: Final = _place("x", "particle")
    y_um: Final = _place("y", "particle")
    z_um: Final = _place("z", "particle")
    volume_um3: Final = _required(
        _whole("volume_um3", "volume", "volume of the envelope, solid and voids", f"{_SIZE}: {_GREY}")
    )
    surface_area_um2: Final = _whole(
        "surface_area_um2", "surface area", "area of the envelope", f"{_SHAPE}: {_CROFTON}, scaled to the volume"
    )
    sphericity: Final = _whole(
        "sphericity", "sphericity", "Wadell: area of the sphere of the same volume over the area; not clipped", _SHAPE
    )
    surface_to_volume_per_um: Final = _whole(
        "surface_to_volume_per_um", "surface to volume", "surface area over volume", _SHAPE
    )
    equivalent_diameter_um: Final = _required(
        _whole("equivalent_diameter_um", "equivalent diameter", "diameter of the sphere of the same volume", _SIZE)
    )
    radius_mean_um: Final = _whole(
        "radius_mean_um", "radius mean", "mean of the radii at 8 azimuths in three planes", f"{_RADII}: sub-voxel rays"
    )
    radius_um: Final = {
        plane: _number(
            f"radius_{plane}_um", f"radius {plane}", f"mean of the 8 radii in the plane {plane}", f"{_RADII}: sub-voxel"
        )
        for plane in PLANES
    }
    roughness_um: Final = {
        plane: _whole(
            f"roughness_{plane}_um",
            f"roughness {plane}",
            f"largest minus smallest of the 8 radii in the plane {plane}, less its floor in quadrature; below 0: less"
            " than the floor, as half of all perfect spheres are, so that means hold",
            f"{_ROUGHNESS}: sub-voxel rays",
        )
        for plane in PLANES
    }
    void_count: Final = _number(
        "void_count", "internal voids", "internal voids, closed or ambiguous", f"{_SIZE}: flooding"
    )
    void_volume_um3: Final = _number(
        "void_volume_um3", "void volume", "volume of its internal voids", f"{_SIZE}: {_GREY}"
    )
    dead_volume_percent: Final = _number(
        "dead_volume_percent", "dead volume", "void volume over the envelope's volume", _SIZE
    ).model_copy(update={"statistics": "voided"})
    mean_attenuation_per_um: Final = _whole(
        "mean_attenuation_per_um",
        "mean attenuation",
        "mean of the interior more than 2.5 voxels deep; the volume's mode where there is hardly any; its uncertainty "
        "is without what all particles of a scan share, as a second line of the source: the check `attenuation` limits "
        "that",
        _SIZE,
    )
    touches_boundary: Final = Column(
        name="touches_boundary", label="touches boundary", meaning="1: cut by the volume's border, or nearly; 0: whole",
        source=_CORE, dtype="flag", required=True,
    )  # fmt: skip
    weight: Final = Column(
        name="weight",
        label="weight",
        meaning="1 over the probability that a particle of its size is whole in the field (Miles-Lantuejoul); 0: cut",
        source=_CORE,
        dtype="weight",
        required=True,
    )
    weight_u: Final = uncertainty(weight)
    population_weight: Final = Column(
        name="population_weight",
        label="weight in the population",
        meaning="in the population's statistics: `weight` and, where the mosaic can be counted, what it holds of this"
        " size over what was measured of it; 0: not counted. In the table of the whole run",
        source="population: post-stratification by the mosaic's size classes",
    )
    stage_um: Final = {
        axis: _number(f"stage_{axis}_um", f"stage {axis}", f"{axis} of its centroid on the stage at theta = 0", _CORE)
        for axis in "xyz"
    }
    touches_rows: Final = _number("touches_rows", "touches rows", "1: cut by an end of the cylinder", _CORE)
    touches_cylinder: Final = _number("touches_cylinder", "touches cylinder", "1: cut by the cylinder's side", _CORE)
    volume_voxels_um3: Final = _number(
        "volume_voxels_um3", "volume in voxels", "volume of the envelope, the paper's way", f"{_SIZE}: voxel count"
    )
    surface_faces_um2: Final = _number(
        "surface_faces_um2", "area of faces", "area of the envelope, the paper's way", f"{_SHAPE}: voxel faces"
    )
    void_count_ambiguous: Final = _number(
        "void_count_ambiguous",
        "ambiguous voids",
        "internal voids closed only by one voxel",
        f"{_SIZE}: flooding",
    )
    void_count_open: Final = _number(
        "void_count_open", "open voids", "voids that reach the surface; not internal", f"{_SIZE}: flooding"
    )
    void_voxels_um3: Final = _number(
        "void_voxels_um3", "void volume in voxels", "volume of its internal voids by counting voxels", _SIZE
    )
    radius_single_um: Final = {
        plane: tuple(
            _number(
                f"radius_{plane}_{azimuth:03d}_um",
                f"radius {plane} at {azimuth}°",
                f"radius in the plane {plane}, {azimuth}° from its first axis to its second",
                f"{_RADII}: sub-voxel ray",
            )
            for azimuth in AZIMUTHS_DEG
        )
        for plane in PLANES
    }
    radius_single_u_um: Final = _number(
        "radius_single_u_um", "u of one radius", "standard uncertainty of one of the 24 radii, from noise", _RADII
    )
    rays_in_contact: Final = _number(
        "rays_in_contact", "rays in contact", "of the 24 rays: those that end at a touching neighbour", _RADII
    )
    roughness_voxel_um: Final = {
        plane: _number(
            f"roughness_voxel_{plane}_um",
            f"roughness in voxels {plane}",
            f"largest minus smallest of the 8 radii in the plane {plane}, the paper's way",
            f"{_ROUGHNESS}: rays that step whole voxels",
        )
        for plane in PLANES
    }
    roughness_local_um: Final = {
        plane: _number(
            f"roughness_local_{plane}_um",
            f"local roughness {plane}",
            f"mean absolute difference of radii 45° apart in the plane {plane}",
            _ROUGHNESS,
        )
        for plane in PLANES
    }
    roughness_local_max_um: Final = {
        plane: _number(
            f"roughness_local_max_{plane}_um",
            f"largest local roughness {plane}",
            f"largest absolute difference of radii 45° apart in the plane {plane}",
            _ROUGHNESS,
        )
        for plane in PLANES
    }
    crack_kind: Final = Column(
        name="crack_kind",
        label="crack",
        meaning="none; inner: does not reach the surface; edge: reaches it; through: parts the particle, whose pieces"
        " are one row. The gravest of its cracks; volume, diameter, area and sphericity are those of the unbroken"
        " envelope, open cracks included; a crack is a void, and dead volume, only where it is closed and the"
        " threshold shows it",
        source=_CRACKS,
        dtype="text",
        choices=("none", "inner", "edge", "through"),
    )
    crack_count: Final = _number("crack_count", "cracks", "cracks found in it, at most 4", _CRACKS)
    crack_volume_um3: Final = _number(
        "crack_volume_um3", "crack volume", "volume of its cracks: opening times area", _CRACKS
    )
    crack_opening_um: Final = _number(
        "crack_opening_um",
        "crack opening",
        "median opening of its crack, away from the tip; also below a voxel",
        _CRACKS,
    )
    crack_depth_um: Final = _number(
        "crack_depth_um",
        "crack depth",
        "of its deepest crack: from the edge, along the line from mouth to tip; through or inner, its least width",
        _CRACKS,
    )
    neck_kind: Final = Column(
        name="neck_kind",
        label="neck",
        meaning="none: touches no other, or its necks cannot be measured; contact: touches others; fused: made of"
        " bodies that are grown together; unsure: by one of its necks it may be one with another, or two. The gravest",
        source=_NECKS,
        dtype="text",
        choices=("none", "contact", "fused", "unsure"),
    )
    neck_ratio: Final = _number(
        "neck_ratio",
        "neck ratio",
        "radius of its widest neck to another, without blur, over the radius of the smaller one's widest section",
        _NECKS,
    )
    moved_um: Final = _number(
        "moved_um",
        "moved",
        "how far it moved during the scan, at least; nothing: it stayed. One that moved counts in no statistics",
        _MOVED,
    )
    moved_um_u: Final = uncertainty(moved_um)
    moved_at_deg: Final = _number(
        "moved_at_deg",
        "moved at",
        "angle of the view before which it hopped; of one that crept, of the first view",
        _MOVED,
    )
    roughness_floor_um: Final = _number("roughness_floor_um", "roughness floor", f"{_FLOOR}, sub-voxel", _ROUGHNESS)
    roughness_voxel_floor_um: Final = _number(
        "roughness_voxel_floor_um", "roughness floor in voxels", f"{_FLOOR}, voxel rays", _ROUGHNESS
    )


class Void:
    """Columns of voids.csv, one void a row."""

    void_id: Final = Column(
        name="void_id", label="void", meaning="number of the void in its region, from 1", source=_CORE, dtype="id",
        required=True,
    )  # fmt: skip
    particle_id: Final = Particle.particle_id.model_copy(update={"meaning": "the particle that holds it"})
    roi: Final = Particle.roi
    x_um: Final = _place("x", "void")
    y_um: Final = _place("y", "void")
    z_um: Final = _place("z", "void")
    volume_um3: Final = _required(_number("volume_um3", "volume", "volume of the void", f"{_CORE}: {_GREY}"))
    surface_area_um2: Final = _number("surface_area_um2", "surface area", "area of the void", f"{_CORE}: {_CROFTON}")
    sphericity: Final = _number(
        "sphericity", "sphericity", "Wadell; at most 1, as no body has less area than the ball of its volume", _CORE
    )
    surface_to_volume_per_um: Final = _number(
        "surface_to_volume_per_um", "surface to volume", "surface area over volume", _CORE
    )
    equivalent_diameter_um: Final = _required(
        _number("equivalent_diameter_um", "equivalent diameter", "diameter of the sphere of the same volume", _CORE)
    )
    kind: Final = Column(
        name="kind",
        label="kind",
        meaning="closed: sealed; ambiguous: sealed but for one voxel, which noise can open; open: reaches the surface",
        source=f"{_CORE}: flooding with 6-connectivity, before and after a closing",
        dtype="text",
        choices=("closed", "ambiguous", "open"),
        required=True,
    )
    volume_voxels_um3: Final = _number("volume_voxels_um3", "volume in voxels", "by counting voxels", _CORE)
    surface_faces_um2: Final = _number("surface_faces_um2", "area of faces", "by voxel faces", _CORE)


INTERNAL: Final = ("closed", "ambiguous")
"""Kinds of voids that count as internal."""

_MEASURED: Final = (
    *(Particle.x_um, Particle.y_um, Particle.z_um, Particle.volume_um3, Particle.surface_area_um2),
    *(Particle.sphericity, Particle.surface_to_volume_per_um, Particle.equivalent_diameter_um),
    *(Particle.radius_mean_um, *Particle.radius_um.values(), *Particle.roughness_um.values()),
)
_DEAD: Final = (Particle.void_volume_um3, Particle.dead_volume_percent, Particle.mean_attenuation_per_um)

PARTICLE_COLUMNS: Final[tuple[Column, ...]] = (
    *(Particle.particle_id, Particle.roi, *_MEASURED, Particle.void_count, *_DEAD),
    *(Particle.touches_boundary, Particle.weight, *(uncertainty(column) for column in (*_MEASURED, *_DEAD))),
    *(Particle.weight_u, *Particle.stage_um.values()),
)
"""What the built-in core writes first, in this order."""

CRACK_COLUMNS: Final[tuple[Column, ...]] = (
    *(Particle.crack_kind, Particle.crack_count, Particle.crack_volume_um3, uncertainty(Particle.crack_volume_um3)),
    *(Particle.crack_opening_um, uncertainty(Particle.crack_opening_um), Particle.crack_depth_um),
)
"""Of the built-in core; a table of before has none of them."""

NECK_COLUMNS: Final[tuple[Column, ...]] = (Particle.neck_kind, Particle.neck_ratio)
"""Of the built-in core; a table of before has none of them."""

MOVED_COLUMNS: Final[tuple[Column, ...]] = (Particle.moved_um, Particle.moved_um_u, Particle.moved_at_deg)
"""Of regions in which a particle moved; written when the region is judged."""

PARTICLE_DETAILS: Final[tuple[Column, ...]] = (
    *(column for radii in Particle.radius_single_um.values() for column in radii),
    *(Particle.radius_single_u_um, Particle.rays_in_contact, *Particle.roughness_voxel_um.values()),
    *(*Particle.roughness_local_um.values(), *Particle.roughness_local_max_um.values()),
    *(Particle.roughness_floor_um, Particle.roughness_voxel_floor_um, Particle.surface_faces_um2),
    *(Particle.volume_voxels_um3, Particle.void_count_ambiguous, Particle.void_count_open, Particle.void_voxels_um3),
    *(Particle.touches_rows, Particle.touches_cylinder, *CRACK_COLUMNS, *NECK_COLUMNS),
)
"""What follows them."""

_VOID_MEASURED: Final = (
    *(Void.x_um, Void.y_um, Void.z_um, Void.volume_um3, Void.surface_area_um2, Void.sphericity),
    *(Void.surface_to_volume_per_um, Void.equivalent_diameter_um),
)

VOID_COLUMNS: Final[tuple[Column, ...]] = (
    *(Void.void_id, Void.particle_id, Void.roi, *_VOID_MEASURED, Void.kind),
    *(*(uncertainty(column) for column in _VOID_MEASURED), Void.volume_voxels_um3, Void.surface_faces_um2),
)


def required(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """Those that every analysis core must write."""
    return tuple(column for column in columns if column.required)


def quantities(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """Those of which the population's statistics are made."""
    return tuple(column for column in columns if column.statistics != "none")
