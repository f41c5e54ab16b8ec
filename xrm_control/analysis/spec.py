"""How a volume is measured: the recipe's `analysis` part. It loads nothing that measures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from xrm_control.analysis.metric import METRICS, Metric
from xrm_control.analysis.splitting import SplitSpec
from xrm_control.analysis.threshold import THRESHOLDS, Threshold
from xrm_control.analysis.thresholds.iso50 import Iso50
from xrm_control.analysis.voids import VoidSpec
from xrm_control.contracts.column import Column
from xrm_control.contracts.tables import CRACK_COLUMNS, NECK_COLUMNS, PARTICLE_COLUMNS, Particle, required
from xrm_control.core.cost import Cost
from xrm_control.core.diagnostics import Diagnostic
from xrm_control.core.model import Spec
from xrm_control.core.states import Level

MIN_SIDE_VOXELS = 8
_OF_THE_CORE = (
    *(Particle.particle_id, Particle.roi, Particle.touches_boundary, Particle.touches_rows, Particle.touches_cylinder),
    *(Particle.weight, Particle.weight_u, *Particle.stage_um.values()),
    *CRACK_COLUMNS,
    *NECK_COLUMNS,
)
# Measured at 128 to 256 voxels a side, the volume itself and what the allocator holds included.
_BYTES_PER_VOXEL = 64
_TABLE_BYTES = 2_000_000


def metrics_left_out() -> dict[str, str]:
    """Kind -> why a metric is measured only where `analysis.metrics` names it; of other packages' metrics."""
    members = METRICS.members(Metric)
    giver = {column.name: "the core" for column in _OF_THE_CORE}
    giver |= {column.name: kind for kind, one in members.items() if METRICS.is_own(one) for column in one.columns}
    found: dict[str, str] = {}
    for kind, member in ((kind, member) for kind, member in members.items() if not METRICS.is_own(member)):
        twice = [column.name for column in member.columns if column.name in giver]
        try:
            member.model_validate({METRICS.tag: kind})
        except ValidationError as error:
            found[kind] = f"it needs settings: {'; '.join(_told(one) for one in error.errors())}"
            continue
        if twice:
            found[kind] = f"{giver[twice[0]]} gives the column {twice[0]}, too"
        else:
            giver |= {column.name: kind for column in member.columns}
    return found


def _told(error: ErrorDetails) -> str:
    return f"{'.'.join(map(str, error['loc']))}: {error['msg']}"


def _all_metrics() -> tuple[Metric, ...]:
    left_out = metrics_left_out()
    members = METRICS.members(Metric).items()
    return tuple(member.model_validate({"kind": kind}) for kind, member in members if kind not in left_out)


class AnalysisSpec(Spec):
    """How a volume is measured. min_particle_um: smaller ones are left out; voxel_relative_u: relative standard
    uncertainty of the voxel size; seed: of the roughness floor's Monte Carlo and of the bootstrap."""

    threshold: Annotated[Threshold, THRESHOLDS] = Iso50()
    split: SplitSpec = SplitSpec()
    voids: VoidSpec = VoidSpec()
    metrics: tuple[Annotated[Metric, METRICS], ...] = Field(default_factory=_all_metrics)
    min_particle_um: float = Field(default=2.0, gt=0, le=1_000_000)
    voxel_relative_u: float = Field(default=0.002, ge=0, lt=0.5)
    seed: int = Field(default=1, ge=0)

    def cost(self, shape: tuple[int, int, int]) -> Cost:
        """Of a volume of shape (z, y, x), which is in memory as a whole: labels, phases, tables and pictures."""
        voxels = math.prod(shape)
        return Cost(disk_bytes=3 * voxels + _TABLE_BYTES, memory_bytes=_BYTES_PER_VOXEL * voxels)

    def diagnose(self, shape: tuple[int, int, int], voxel_size_um: float) -> Iterator[Diagnostic]:
        """Of a volume of `shape` (z, y, x): thick enough to be measured, and larger than the smallest particle."""
        if min(shape) < MIN_SIDE_VOXELS:
            yield Diagnostic(
                ("reconstruction.rows",),
                "the volume would be too thin to be measured",
                f"{shape[0]} x {shape[1]} x {shape[2]} voxels",
                f"at least {MIN_SIDE_VOXELS} on each side",
                "reconstruct more rows, or measure with a core of your own (handoff.command)",
            )
        smallest_um = min(shape[1:]) * voxel_size_um
        if self.min_particle_um >= smallest_um:
            yield Diagnostic(
                ("analysis.min_particle_um",),
                "every particle would be left out: none that is so large fits into the volume",
                f"{self.min_particle_um:g} um",
                f"below {smallest_um:g} um, the width of the volume",
                "give the diameter of the smallest particle that counts; the default is 2",
            )
        elif self.min_particle_um < 2 * voxel_size_um:
            yield Diagnostic(
                ("analysis.min_particle_um", "scan.binning"),
                "particles as small as that are no more than noise: fewer than ten voxels",
                f"{self.min_particle_um:g} um",
                f"at least two voxels, {2 * voxel_size_um:.3g} um",
                "raise it, or scan with less binning",
                Level.WARNING,
            )

    @model_validator(mode="after")
    def _every_column_once(self) -> Self:
        given = {column.name: "the core" for column in _OF_THE_CORE}
        for metric in self.metrics:
            kind = str(getattr(metric, METRICS.tag))
            for column in metric.columns:
                if column.name in given:
                    raise ValueError(f"{kind} and {given[column.name]} both give the column {column.name}")
                given[column.name] = kind
        for column in required(PARTICLE_COLUMNS):
            if column.name not in given:
                raise ValueError(f"no metric gives the column {column.name}, which each run needs: {column.source}")
        return self

    def as_stated(self) -> AnalysisSpec:
        """Itself, without metrics of other packages that nobody named: they are measured because they are installed."""
        if "metrics" in self.model_fields_set:
            return self
        return self.model_copy(update={"metrics": tuple(one for one in self.metrics if METRICS.is_own(type(one)))})

    @property
    def columns(self) -> tuple[Column, ...]:
        """Of particles.csv, in their order: those that every run has first, then what the metrics give besides."""
        given = (*(column for metric in self.metrics for column in metric.columns), *_OF_THE_CORE)
        by_name = {column.name: column for column in given}
        first = [by_name[column.name] for column in PARTICLE_COLUMNS if column.name in by_name]
        return tuple({column.name: column for column in (*first, *given)}.values())
