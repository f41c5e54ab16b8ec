"""All families by the name of their entry-point group, for whoever lists kinds. Members are listed nowhere."""

from __future__ import annotations

from xrm_control.acquisition.order import ORDERS, ProjectionOrder
from xrm_control.acquisition.references import REFERENCE_SCHEMES, ReferenceScheme
from xrm_control.analysis.metric import METRICS, Metric
from xrm_control.analysis.spec import metrics_left_out
from xrm_control.analysis.threshold import THRESHOLDS, Threshold
from xrm_control.compute.executor import EXECUTORS, Compute
from xrm_control.core.family import Family
from xrm_control.core.findings import Finding
from xrm_control.core.model import Spec
from xrm_control.devices.backend import BACKENDS, Backend
from xrm_control.exports.exporter import EXPORTERS, Exporter
from xrm_control.exports.mesh_exporter import MESH_EXPORTERS, MeshExporter
from xrm_control.recipe.handoff import broken_cores, installed_cores
from xrm_control.reconstruction.reconstructor import RECONSTRUCTORS, Reconstructor
from xrm_control.roi.strategy import STRATEGIES, RoiStrategy

_PREFIX = "xrm_control."
_FAMILIES: tuple[tuple[Family, type[Spec]], ...] = (
    (BACKENDS, Backend),
    (ORDERS, ProjectionOrder),
    (REFERENCE_SCHEMES, ReferenceScheme),
    (STRATEGIES, RoiStrategy),
    (RECONSTRUCTORS, Reconstructor),
    (THRESHOLDS, Threshold),
    (METRICS, Metric),
    (EXECUTORS, Compute),
    (EXPORTERS, Exporter),
    (MESH_EXPORTERS, MeshExporter),
)


def kinds(name: str) -> tuple[str, ...]:
    """The kinds of a family, sorted: ``kinds("reconstructors")``. Raises KeyError for what is no family."""
    family, base = {family.group.removeprefix(_PREFIX): (family, base) for family, base in _FAMILIES}[name]
    return tuple(family.members(base))


def examine_families() -> list[Finding]:
    """What each family offers, and which members of other packages cannot be used."""
    found: list[Finding] = []
    for family, base in _FAMILIES:
        name = family.group.removeprefix(_PREFIX).replace("_", " ")
        found.append(Finding(name, True, ", ".join(family.members(base)) or "none"))
        found += [_broken(f"{name}: {kind}", reason) for kind, reason in family.broken(base).items()]
    found += [_asked_for(f"metrics: {kind}", reason) for kind, reason in metrics_left_out().items()]
    found.append(Finding("analysis cores", True, ", ".join(("builtin", *installed_cores()))))
    return found + [_broken(f"analysis cores: {name}", reason) for name, reason in broken_cores().items()]


def _asked_for(what: str, reason: str) -> Finding:
    return Finding(what, True, f"not measured by default: {reason}", "name it in analysis.metrics where it is wanted")


def _broken(what: str, reason: str) -> Finding:
    return Finding(what, False, reason, "update or remove the package that offers it")
