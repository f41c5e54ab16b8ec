"""truth.json, which a simulated instrument writes, and what a measurement is when held against it."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from xrm_control.contracts.document import Document, Figure, Interval, JsonFile, Record


class Told(Record):
    """A part of truth.json: the simulator may tell more than is asked for."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class TrueBody(Told):
    """A true particle or void; place on the stage at theta = 0, um."""

    id: int
    x_um: float
    y_um: float
    z_um: float
    volume_um3: float
    equivalent_diameter_um: float


class TrueParticle(TrueBody):
    """radius_max_um: of the sphere about its centre that holds it."""

    surface_area_um2: float | None = None
    radius_max_um: float | None = None


class TrueVoid(TrueBody):
    """particle_id: the `id` of the particle that holds it."""

    particle_id: int


class TrueAxis(Told):
    """Where the rotation axis is imaged, right of the detector's middle."""

    offset_um: float


class SpecimenTruth(Document):
    """truth.json: what an analysis should find."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    particles: tuple[TrueParticle, ...]
    voids: tuple[TrueVoid, ...] = ()
    rotation_axis: TrueAxis = TrueAxis(offset_um=0.0)


TRUTH = JsonFile("truth.json", SpecimenTruth)


class Pair(Record):
    """A measured particle and the true one that it is. offset_um: between their centres."""

    roi: str
    particle_id: int
    true_id: int
    offset_um: float
    diameter_um: float
    true_diameter_um: float
    volume_um3: float
    true_volume_um3: float
    surface_area_um2: Figure
    true_surface_area_um2: Figure


class Missed(Record):
    """A true particle that was not found."""

    roi: str
    true_id: int
    true_diameter_um: float


class VoidClass(Record):
    """True voids of one class of diameters, and how many were found; the last class has no upper end."""

    diameter_um: Interval
    n_true: int
    detected_fraction: float
    volume_ratio_median: Figure


class TruthMatch(Record):
    """Measured against true; errors are (measured - true) / true. None where nothing was matched.

    rotation_axis_error_px: by region.
    """

    min_diameter_um: float
    n_true: int = Field(title="true particles")
    n_matched: int
    matched_fraction: Figure
    diameter_error_percent_median: Figure
    diameter_error_percent_median_absolute: Figure
    diameter_error_percent_p95_absolute: Figure
    volume_error_percent_median: Figure
    volume_error_percent_median_absolute: Figure
    volume_error_percent_p95_absolute: Figure
    surface_error_percent_median: Figure
    surface_error_percent_median_absolute: Figure
    surface_error_percent_p95_absolute: Figure
    position_error_um_median: Figure
    pairs: tuple[Pair, ...]
    missed: tuple[Missed, ...]
    voids: tuple[VoidClass, ...]
    rotation_axis_error_px: dict[str, float] = Field(default_factory=dict)
