"""Statistics over the whole particles of a run or a region."""

from __future__ import annotations

from typing import Any, Literal, cast

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from xrm_control.contracts.column import Column
from xrm_control.contracts.document import Figure, Interval, Record

_LAST = (
    *("voided_fraction", "voided_fraction_by_mosaic", "cracked_fraction", "volume_weighted_diameter_um", "weighting"),
)
"""Entries that come after the quantities."""


class Distribution(Record):
    """One quantity over `n` particles; nothing but n where n is 0. d10, d50, d90: weighted quantiles.

    sigma_ln: standard deviation of the logarithm, where all values are positive.
    """

    n: int
    mean: Figure = None
    mean_interval: Interval | None = None
    standard_deviation: Figure = None
    standard_deviation_interval: Interval | None = None
    median: Figure = None
    median_interval: Interval | None = None
    d10: Figure = None
    d10_interval: Interval | None = None
    d50: Figure = None
    d90: Figure = None
    d90_interval: Interval | None = None
    sigma_ln: Figure = None
    sigma_ln_interval: Interval | None = None


class Share(Record):
    """A frequency among `n` particles, with Wilson's interval."""

    value: Figure
    interval: Interval
    n: int


class VolumeWeighted(Record):
    """Diameters below which 10, 50 and 90 % of the particles' volume lie (Dv10, Dv50, Dv90 of ISO 9276-2)."""

    n: int
    d10: Figure
    d50: Figure
    d90: Figure
    d50_interval: Interval | None = None
    d10_interval: Interval | None = None
    d90_interval: Interval | None = None


class Weighting(Record):
    """By what each whole particle counts.

    kind: border: by 1 over the probability that it is whole in the field; mosaic: by what the mosaic holds of its size
    besides, over what was measured of it, in so many classes. reason: why the population is not vouched for, "" for
    nothing; volume_reason: the same of what is weighted by volume alone.
    """

    kind: Literal["border", "mosaic"]
    reason: str = ""
    volume_reason: str = ""
    classes: int = 0

    @property
    def unbiased(self) -> bool:
        """Whether the choice of regions does not show in the population."""
        return self.kind == "mosaic" and not self.reason


class DoubleSampling(Record):
    """The share of voided particles with what the mosaic's radiographs say of all particles, beside the plain share.

    value, interval: None where it is not stated, for this reason. worth: as many particles by CT alone would tell as
    much as these n do with the radiographs; strength: by how much the predictions count; correlation: of prediction and
    CT within a size, cross-validated. n: whole particles by CT, of which n_pairs have a counterpart in the mosaic and
    n_without should have one; n_mosaic: particles of the mosaic, of which n_judged have a radiograph that says
    something, and n_lost should have been measured whole and were not.
    """

    n: int = 0
    n_pairs: int = 0
    n_without: int = 0
    n_mosaic: int = 0
    n_judged: int = 0
    n_lost: int = 0
    value: Figure = None
    interval: Interval | None = None
    worth: Figure = None
    strength: Figure = None
    correlation: Figure = None
    reason: str = ""


class Population(Record):
    """What can be said of the powder as a whole; intervals are 95 %.

    weighting: None in results of a region alone, and of before there was a choice.

    quantities: by the name of their column. In the file each stands beside `n_particles`, under its own name.
    voided_fraction, volume_weighted_diameter_um: None where there is no whole particle, or voids were not counted.
    """

    n_particles: int = Field(title="particles", description="particles that were measured, cut ones too")
    n_whole: int = Field(
        title="whole particles", description="those that the volume does not cut, and that stayed where they were"
    )
    n_voids: int | None = Field(
        title="internal voids of whole particles", description="closed and ambiguous ones; None: not looked for"
    )
    quantities: dict[str, Distribution] = Field(default_factory=dict)
    voided_fraction: Share | None = Field(
        default=None, title="share of particles with voids", description="weighted, with Wilson's interval"
    )
    voided_fraction_by_mosaic: DoubleSampling | None = Field(
        default=None,
        title="share with voids, with the mosaic's radiographs",
        description="double sampling: voids judged on the radiographs of all particles of the mosaic, too; None: one"
        " region's own, and of before it was estimated",
    )
    cracked_fraction: Share | None = Field(
        default=None,
        title="share of cracked particles",
        description="with a crack of any kind, weighted, with Wilson's interval; None: not looked for",
    )
    volume_weighted_diameter_um: VolumeWeighted | None = Field(
        default=None,
        title="diameter weighted by volume",
        description="diameters below which 10, 50 and 90 % of the particles' volume lie",
    )
    weighting: Weighting | None = Field(
        default=None,
        title="weights",
        description="`kind`: border (the field's border alone), or mosaic (its sizes, too); `reason`: why the"
        " population is not vouched for; `volume_reason`: why Dv10, Dv50, Dv90 are not; `classes` of size",
    )

    def of(self, column: Column) -> Distribution | None:
        """Statistics of a column; None where there are none."""
        return self.quantities.get(column.name)

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        content = cast("dict[str, Any]", content)
        if "quantities" in content:
            return content
        own = {name: value for name, value in content.items() if name in cls.model_fields}
        return {**own, "quantities": {name: value for name, value in content.items() if name not in own}}

    @model_serializer(mode="wrap")
    def _spread(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = handler(self)
        quantities: dict[str, dict[str, Any]] = content.pop("quantities")
        last = {name: content.pop(name) for name in _LAST}
        return {
            **content,
            **{name: {k: v for k, v in entry.items() if v is not None} for name, entry in quantities.items()},
            **{name: entry for name, entry in last.items() if entry is not None},
        }
