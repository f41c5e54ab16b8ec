"""Everything in a recipe that can be found wrong, or doubtful, without beam: each stage's own diagnostics, together."""

from __future__ import annotations

from collections.abc import Iterator

from xrm_control.acquisition.conditions import diagnose_conditions
from xrm_control.acquisition.feasibility import diagnose_mosaic, diagnose_scan
from xrm_control.acquisition.offset import diagnose_apart
from xrm_control.contracts.columns import KNOWN_PARTICLE_COLUMNS
from xrm_control.contracts.plan import Plan
from xrm_control.contracts.specification import diagnose_specification
from xrm_control.core.diagnostics import Diagnostic, collected
from xrm_control.core.errors import RecipeError, SafetyRefusal
from xrm_control.core.states import Level
from xrm_control.devices.protocols import InstrumentDescription
from xrm_control.devices.safety import Guard, diagnose_clearance
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.handoff import diagnose_command, find_core
from xrm_control.recipe.planning import (
    check_axis,
    diagnose_paths,
    likely_count,
    planned_mosaic,
    possible_binnings,
    volume_side_px,
)
from xrm_control.recipe.source import Source
from xrm_control.roi.strategy import Limits

_MOST_TOLD = 25


def diagnose(recipe: Recipe, instrument: InstrumentDescription) -> tuple[Diagnostic, ...]:
    """Errors and warnings in the order of the recipe's stages. What rests on something refused is not looked at."""
    found: list[Diagnostic] = []
    with collected(found):
        possible_binnings(recipe, instrument.camera)
    found += _of_machine(recipe)
    if any(one.refuses for one in found if "binning" in one.fields[0]):
        return tuple(found)
    found += _of_stages(recipe, instrument)
    limits_known = False
    with collected(found):
        guard = Guard(instrument.axes, recipe.safety, recipe.sample)
        limits_known = True
        limits = Limits(guard.limits["x"], guard.limits["y"])
        mosaic = planned_mosaic(recipe.mosaic, instrument.camera)
        found += recipe.roi.diagnose(mosaic, instrument.camera.field_of_view_um, limits, recipe.sample)
        found += diagnose_apart(recipe.scan, recipe.roi.planned(), instrument.camera)
        # Steps can be walked where there are not too many of them.
        if not any(one.refuses and one.fields[0].startswith("scan.") for one in found):
            found += diagnose_paths(recipe, instrument, guard)
    if limits_known:
        found += _of_volume(recipe, instrument)
    return tuple(dict.fromkeys(found))


def refuse(found: tuple[Diagnostic, ...], source: Source | None) -> tuple[Diagnostic, ...]:
    """Raise one error for everything that refuses the recipe, each with its place; returns the warnings."""
    errors = [one for one in found if one.refuses]
    if not errors:
        return tuple(one for one in found if not one.refuses)
    if len(errors) == 1:
        raise errors[0].error(place(errors[0], source))
    lines = [str(one.error(place(one, source))) for one in errors[:_MOST_TOLD]]
    if len(errors) > len(lines):
        lines.append(f"... and {len(errors) - len(lines)} more errors")
    kind = SafetyRefusal if any(one.safety for one in errors) else RecipeError
    raise kind("\n".join(lines))


def place(one: Diagnostic, source: Source | None) -> str:
    """Where what a diagnostic blames was said: ``x.yaml:14: scan.exposure_s``; of several fields, the first given."""
    if not one.fields:
        return source.name if source else "recipe"
    if source is None:
        return ", ".join(one.fields)
    said = source.blamed(one.fields)
    where = source.where(said)
    return where if where.startswith("--set ") and f"{said}=" in where else f"{where}: {said}"


def _of_machine(recipe: Recipe) -> Iterator[Diagnostic]:
    found: list[Diagnostic] = []
    with collected(found):
        find_core(recipe.handoff)
    with collected(found):
        recipe.compute.check_machine()
    found += diagnose_command(recipe.handoff, here=recipe.compute.here)
    if recipe.compute.here:
        with collected(found):
            recipe.reconstruction.method.check_machine()
    yield from found


def _of_stages(recipe: Recipe, instrument: InstrumentDescription) -> Iterator[Diagnostic]:
    yield from diagnose_clearance(recipe.safety, instrument)
    yield from recipe.retry.diagnose()
    yield from recipe.policies.diagnose()
    columns = KNOWN_PARTICLE_COLUMNS if recipe.handoff.foreign else recipe.analysis.columns
    yield from diagnose_specification(recipe.specification, columns)
    yield from diagnose_conditions(recipe.conditions, recipe.instrument.values())
    yield from diagnose_mosaic(recipe.mosaic, recipe.scan, recipe.sample, instrument)
    scan = tuple(diagnose_scan(recipe.scan, instrument, likely_count(recipe)))
    yield from scan
    if any(one.refuses for one in scan):
        return
    found: list[Diagnostic] = []
    with collected(found):
        recipe.scan.check_angles(instrument.camera, instrument.axes["theta"].tolerance)
        check_axis(recipe, instrument.camera)
    yield from found


def _of_volume(recipe: Recipe, instrument: InstrumentDescription) -> Iterator[Diagnostic]:
    camera, scan = instrument.camera, recipe.scan
    rows, columns = camera.height_px // scan.binning, camera.width_px // scan.binning
    pixel_um = camera.binned_pixel_um(scan.binning)
    found = list(
        recipe.reconstruction.diagnose((rows, columns), pixel_um, scan.useful_diameter_um, scan.axis_offset_um)
    )
    yield from found
    if not recipe.handoff.foreign and not any(one.refuses for one in found):
        first, end = recipe.reconstruction.rows_of(rows)
        side = volume_side_px(scan, camera)
        yield from recipe.analysis.diagnose((end - first, side, side), pixel_um)
    materials: list[Diagnostic] = []
    with collected(materials):
        mu_per_um = recipe.sample.mu_per_um(instrument.energy_kev)
        materials += recipe.sample.diagnose(mu_per_um, instrument.energy_kev)
        materials += recipe.analysis.threshold.diagnose(mu_per_um)
    yield from materials


def diagnose_memory(plan: Plan, total_bytes: int | None) -> Iterator[Diagnostic]:
    """Of a plan on a machine with so much memory: the analysis would be ended after the scan."""
    if total_bytes is not None and plan.memory_bytes > total_bytes:
        yield Diagnostic(
            ("reconstruction.rows", "scan.binning", "compute"),
            "reconstruction and analysis need more memory than this machine has: they may be ended after the scan",
            f"{plan.memory_bytes / 1e9:.1f} GB",
            f"{total_bytes / 1e9:.1f} GB",
            "reconstruct fewer rows, take fewer workers, or compute on a cluster",
            Level.WARNING,
        )
