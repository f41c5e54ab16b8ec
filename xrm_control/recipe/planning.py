"""What a recipe will cost before anything moves: instrument time, disk, dose, particles; and what it must not do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from xrm_control.acquisition.mosaic import MosaicSpec
from xrm_control.acquisition.outline import Outline, mosaic_outline, outline_end, scan_outline
from xrm_control.acquisition.steps import TimeState, cost_of_frames, move_s
from xrm_control.acquisition.tomography import TomographySpec, projections_for
from xrm_control.contracts.plan import Plan, StagePlan
from xrm_control.core.cost import Cost
from xrm_control.core.diagnostics import Diagnostic
from xrm_control.core.errors import DiskFull, RecipeError, SafetyRefusal
from xrm_control.core.frame_id import MOSAIC
from xrm_control.core.geometry import Pose
from xrm_control.core.states import REFERENCES, RunState
from xrm_control.devices.protocols import CameraDescription, InstrumentDescription
from xrm_control.devices.safety import Guard
from xrm_control.recipe.document import Recipe
from xrm_control.roi.strategy import Limits, PlannedMosaic

ORIGIN = Pose(0.0, 0.0, 0.0, 0.0)
# A field of view of 65.5 um holds about 30 particles of the paper's powders.
PARTICLES_PER_FIELD = 30
OPTICS_RESOLUTION_UM = 0.15
# 1024 pixels of 64 nm are 65.5 um, which the paper rounds to 64.
NOMINAL_FIELD_UM = 64.0
# As in `reconstruction.rotation_axis`: how far from half a turn a pair of views may be, in steps and in degrees.
PAIR_STEPS, PAIR_DEG = 1.5, 5.0
_KEV_IN_JOULE = 1.602176634e-16
# A process of this program with its libraries loaded, and a report with its pictures.
_PROCESS_BYTES = 300_000_000
_REPORT_BYTES = 12_000_000


def make_plan(recipe: Recipe, instrument: InstrumentDescription) -> Plan:
    """Walk the recipe's steps in time, and refuse what would leave the limits.

    ROIs that are not known before the mosaic are planned where the mosaic is, from its centre outwards.
    Raises SafetyRefusal or RecipeError.
    """
    camera = instrument.camera
    possible_binnings(recipe, camera)
    guard = Guard(instrument.axes, recipe.safety, recipe.sample)
    recipe.scan.check_angles(camera, instrument.axes["theta"].tolerance)
    check_axis(recipe, camera)
    recipe.roi.check(Limits(guard.limits["x"], guard.limits["y"]), camera.field_of_view_um)
    for found in diagnose_paths(recipe, instrument, guard):
        raise found.error()
    mosaic = mosaic_outline(recipe.mosaic, recipe.sample, camera)
    # Homing brings one axis after the other to where a fresh instrument already is.
    homing_s = sum(axis.settle_s for axis in instrument.axes.values())
    state = outline_end(mosaic, TimeState(ORIGIN, False), instrument)
    stages = [_stage(RunState.HOMING, homing_s), _stage_of(mosaic, state.elapsed_s, camera)]
    scans = _scan_outlines(recipe, instrument)
    for scan in scans:
        first = scan.first_projection
        start = TimeState(first, state.shutter_open, move_s(state.pose, first, instrument))
        state = outline_end(scan, start, instrument)
        stages.append(_stage_of(scan, state.elapsed_s, camera))
    stages.append(_stage(RunState.FINISHING, instrument.shutter_s))
    regions = likely_count(recipe)
    volumes = _volume_cost(recipe, camera).times(regions)
    tiles = recipe.mosaic.rows * recipe.mosaic.columns
    area = (recipe.mosaic.pitch_um(camera) / camera.field_of_view_um) ** 2
    return Plan(
        stages=tuple(stages),
        rois=regions,
        projections=recipe.scan.projection_count(camera),
        pixel_size_um=camera.binned_pixel_um(recipe.scan.binning),
        field_of_view_um=camera.field_of_view_um,
        volume_width_um=recipe.scan.width_um(camera),
        disk_bytes=sum(stage.bytes for stage in stages) + volumes.disk_bytes + _REPORT_BYTES,
        memory_bytes=_memory_bytes(recipe, volumes),
        dose_per_scan_gy=_dose_gy(recipe, instrument),
        particles_in_mosaic=round(PARTICLES_PER_FIELD * tiles * area),
        # Powder lies in a layer along x: what is wider holds so many more.
        particles_per_volume=round(PARTICLES_PER_FIELD * recipe.scan.width_um(camera) / camera.field_of_view_um),
        limits=dict(guard.limits),
        total_s=sum(stage.seconds for stage in stages),
    )


def diagnose_paths(recipe: Recipe, instrument: InstrumentDescription, guard: Guard) -> Iterator[Diagnostic]:
    """The first step of mosaic and scans that would leave the limits or the envelope, or the way to it."""
    outlines = chain(
        (mosaic_outline(recipe.mosaic, recipe.sample, instrument.camera),), _scan_outlines(recipe, instrument)
    )
    for outline in outlines:
        index = guard.first_outside(outline.poses)
        if index is not None:
            yield _outside(recipe, guard, outline, index)
            # What holds for one region mostly holds for all.
            if outline.stage != MOSAIC:
                return


def _outside(recipe: Recipe, guard: Guard, outline: Outline, index: int) -> Diagnostic:
    frame, pose, kind = outline.name(index, recipe.mosaic), outline.pose(index), outline.kind(index)
    stage = "mosaic" if outline.stage == MOSAIC else "scan"
    by_axis = {
        "x": ("mosaic.columns", "mosaic.centre_x_um") if stage == "mosaic" else ("roi",),
        "y": ("mosaic.rows", "mosaic.centre_y_um") if stage == "mosaic" else ("roi",),
        "z": ("mosaic.z_um",) if stage == "mosaic" else ("roi.z_um", "roi"),
        "theta": ("scan.start_deg", "scan.end_deg") if pose.theta_deg < 0 else ("scan.end_deg", "scan.start_deg"),
    }
    try:
        ways = [(frame, outline.pose(index - 1)), (frame, pose)] if index else [(frame, pose)]
        guard.check_path(ways)
    except SafetyRefusal as error:
        axis = next((name for name in by_axis if error.what.startswith(f"axis {name} ")), None)
        fields = by_axis[axis] if axis else ("safety.clearance_um", "sample.strip_width_um")
        remedy = error.remedy
        if axis in ("x", "z") and kind in REFERENCES and guard.first_outside(outline.poses[outline.sample]) is None:
            fields = ("sample.strip_width_um", f"{stage}.clear_margin_um", *fields)
            remedy = "the stage must reach beyond the strip for the flats: give the strip's true width, or margins"
        return Diagnostic(
            fields, f"{error.what} ({error.where})", str(error.value), str(error.limit), remedy, safety=True
        )
    raise RuntimeError(f"{frame}: refused in planning, and not by the guard")


def _scan_outlines(recipe: Recipe, instrument: InstrumentDescription) -> Iterator[Outline]:
    camera, blockers = instrument.camera, recipe.scan.blockers(instrument)
    for number, centre in enumerate(likely_centres(recipe, camera), start=1):
        yield scan_outline(recipe.scan, f"roi-{number:02d}", centre, recipe.sample, camera, blockers=blockers)


def _stage_of(outline: Outline, seconds: float, camera: CameraDescription) -> StagePlan:
    return _stage(outline.stage, seconds, cost_of_frames(len(outline), outline.binning, camera), len(outline))


def _stage(name: str, seconds: float, cost: Cost = Cost(), frames: int = 0) -> StagePlan:
    return StagePlan(name=name, seconds=seconds, frames=frames, bytes=cost.disk_bytes)


def possible_binnings(recipe: Recipe, camera: CameraDescription) -> None:
    """Refuse a binning that the camera does not have. Raises RecipeError."""
    for stage, binning in (("mosaic", recipe.mosaic.binning), ("scan", recipe.scan.binning)):
        if binning not in camera.readout_s:
            raise RecipeError(
                "the camera does not have this binning",
                where=f"{stage}.binning",
                value=binning,
                limit=", ".join(map(str, sorted(camera.readout_s))),
                remedy="choose one of them: binning is done by the camera, not by software",
            )


def check_disk(plan: Plan, free_bytes: int, keep_free_gb: float, where: str) -> None:
    """Refuse a run that would fill the disk. Raises DiskFull with need and free space."""
    need = plan.disk_bytes + int(keep_free_gb * 1e9)
    if need > free_bytes:
        raise DiskFull(
            "the disk would fill during the run",
            where=where,
            value=f"{free_bytes / 1e9:.2f} GB free",
            limit=f"{plan.disk_bytes / 1e9:.2f} GB for the run + {keep_free_gb:g} GB to stay free",
            remedy="free space, choose another --out, or lower output.keep_free_gb",
        )


@dataclass(frozen=True)
class TradeOff:
    """One row of the paper's trade-off: the same region at another binning."""

    binning: int
    pixel_size_um: float
    resolution_um: float
    projections: int
    projections_full_field: int
    scan_s: float
    scan_same_counts_s: float
    frame_bytes: int
    volume_bytes: int


def compare(recipe: Recipe, instrument: InstrumentDescription, binnings: Sequence[int]) -> tuple[TradeOff, ...]:
    """The recipe's scan at other binnings. Projections follow from the useful diameter and the pixel.

    projections_full_field: what the paper's 64 um would need (1571 at binning 1, 196 at 8).
    resolution_um: the larger of one pixel and the zone plate's 150 nm. scan_same_counts_s: exposures lengthened so that
    each pixel collects as many photons as at the recipe's binning.
    """
    camera = instrument.camera
    rows: list[TradeOff] = []
    for binning in binnings:
        scan = recipe.scan.model_copy(update={"binning": binning, "projections": "auto"})
        outline = scan_outline(scan, "roi-01", ORIGIN, recipe.sample, camera, blockers=scan.blockers(instrument))
        seconds = outline_end(outline, TimeState(ORIGIN, False), instrument).elapsed_s
        lit = len(outline) - scan.darks
        longer = recipe.scan.exposure_s * ((recipe.scan.binning / binning) ** 2 - 1)
        side = camera.width_px // binning
        pixel_um = camera.binned_pixel_um(binning)
        rows.append(
            TradeOff(
                binning=binning,
                pixel_size_um=pixel_um,
                resolution_um=max(pixel_um, OPTICS_RESOLUTION_UM),
                projections=scan.projection_count(camera),
                projections_full_field=projections_for(NOMINAL_FIELD_UM, pixel_um),
                scan_s=seconds,
                scan_same_counts_s=seconds + lit * longer,
                frame_bytes=len(outline) * side * side * 2,
                volume_bytes=side**3 * 2,
            )
        )
    return tuple(rows)


def check_axis(recipe: Recipe, camera: CameraDescription) -> None:
    """Refuse a scan in which an automatic rotation axis cannot be found: no two views half a turn apart.

    The angles are evenly spaced, so that it can be told without them. Raises RecipeError.
    """
    scan = recipe.scan
    if recipe.reconstruction.rotation_axis != "auto":
        return
    last = scan.projection_count(camera) - 1
    covered = scan.end_deg - scan.start_deg
    step = covered / last
    miss = abs(min(round(180 / step), last) * step - 180)
    tolerance = min(PAIR_STEPS * step, PAIR_DEG)
    if miss > tolerance:
        raise RecipeError(
            "no two views are half a turn apart, so the rotation axis cannot be found",
            where="scan.start_deg, scan.end_deg, reconstruction.rotation_axis",
            value=f"{covered:.2f} degrees covered, best pair misses 180 by {miss:.3f}",
            limit=f"{tolerance:.3f} degrees",
            remedy="cover 180 degrees, or give reconstruction.rotation_axis as a detector column",
        )


def planned_mosaic(spec: MosaicSpec, camera: CameraDescription) -> PlannedMosaic:
    """What the mosaic will cover."""
    pitch, field_um = spec.pitch_um(camera), camera.field_of_view_um
    x_um, y_um = ((count - 1) / 2 * pitch + field_um / 2 for count in (spec.columns, spec.rows))
    return PlannedMosaic(
        (spec.centre_x_um - x_um, spec.centre_x_um + x_um),
        (spec.centre_y_um - y_um, spec.centre_y_um + y_um),
        camera.binned_pixel_um(spec.binning),
    )


def likely_count(recipe: Recipe) -> int:
    """How many regions there will be."""
    known = recipe.roi.planned()
    return known if isinstance(known, int) else len(known)


def likely_centres(recipe: Recipe, camera: CameraDescription) -> list[Pose]:
    """Where the ROIs will be, or as well as can be said before the mosaic."""
    known = recipe.roi.planned()
    spec = recipe.mosaic
    if isinstance(known, int):
        pitch = spec.pitch_um(camera)
        half = max(0.0, (spec.rows - 1) / 2 * pitch / 2)
        named = [Pose(x_um, y_um, z_um, 0.0) for x_um, y_um, z_um in recipe.roi.named()]
        return named[:known] + [
            Pose(spec.centre_x_um, spec.centre_y_um + half * math.sin(2.4 * i), recipe.roi.z_um, 0.0)
            for i in range(len(named), known)
        ]
    return [Pose(x_um, y_um, z_um, 0.0) for x_um, y_um, z_um in known]


def _volume_cost(recipe: Recipe, camera: CameraDescription) -> Cost:
    """Of what follows one scan: reconstruction, then analysis."""
    rows, columns = camera.height_px // recipe.scan.binning, camera.width_px // recipe.scan.binning
    first, end = recipe.reconstruction.rows_of(rows)
    shape = (recipe.scan.projection_count(camera), rows, columns)
    side = volume_side_px(recipe.scan, camera)
    made = recipe.reconstruction.cost(shape, side=side, sixteen_bit=recipe.output.volume_16bit)
    return made if recipe.handoff.foreign else made.then(recipe.analysis.cost((end - first, side, side)))


def volume_side_px(scan: TomographySpec, camera: CameraDescription) -> int:
    """Columns of a slice: those of the detector, and more where opposite views are put side by side."""
    return round(scan.width_um(camera) / camera.binned_pixel_um(scan.binning))


def _memory_bytes(recipe: Recipe, volumes: Cost) -> int:
    """On this machine, with as many volumes or parts at work as there are processes for them."""
    at_once = max(recipe.compute.processes, 1) if recipe.compute.here else 0
    return _PROCESS_BYTES * (1 + recipe.compute.processes) + volumes.memory_bytes * at_once


def _dose_gy(recipe: Recipe, instrument: InstrumentDescription) -> float:
    """Surface dose of a scan: flux x energy x mass attenuation x time in the beam (detected flux: a lower bound)."""
    lit_s = recipe.scan.projection_count(instrument.camera) * (
        recipe.scan.exposure_s + instrument.camera.readout_s[recipe.scan.binning]
    )
    return dose_rate_gy_s(recipe, instrument) * lit_s


def dose_rate_gy_s(recipe: Recipe, instrument: InstrumentDescription) -> float:
    """Surface dose of a second in the beam: flux x energy x mass attenuation (detected flux: a lower bound)."""
    mass_attenuation_m2_kg = recipe.sample.mu_per_um(instrument.energy_kev) * 1e6 / (recipe.sample.density_g_cm3 * 1e3)
    flux_per_m2_s = instrument.flux_per_um2_s * 1e12
    return flux_per_m2_s * instrument.energy_kev * _KEV_IN_JOULE * mass_attenuation_m2_kg
