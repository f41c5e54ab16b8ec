"""Which regions a run scans: those that the recipe's strategy chooses on the mosaic, and those that somebody adds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from xrm_control.acquisition.steps import Acquisition
from xrm_control.contracts.commands import Add
from xrm_control.contracts.rois import (
    ROIS,
    AvoidedRecord,
    CandidateRecord,
    MosaicRecord,
    NotChosen,
    RoiRecord,
    RoisDocument,
)
from xrm_control.core.errors import DiskFull, NothingToScan, RecipeError, UnusableData, XrmError
from xrm_control.core.events import MosaicDoubted, NoRegions, PlacesLeft, RoiChosen, RunReplanned
from xrm_control.core.states import ROI_ENDS, RunState
from xrm_control.mosaic.file import registration_record
from xrm_control.mosaic.picture import Area, Cells, draw_mosaic
from xrm_control.mosaic.stitching import Mosaic
from xrm_control.recipe.planning import planned_mosaic
from xrm_control.roi.areas import Avoided
from xrm_control.roi.candidates import edge_on_of
from xrm_control.roi.count import Count
from xrm_control.roi.edge_on import edge_on
from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.named_places import Place, check_places, cover, require_inside, roi_at
from xrm_control.roi.particles2d import Particle2D, count_particles, stand_ins
from xrm_control.roi.strategy import Choice, Limits, Roi, whole_inside
from xrm_control.session.context import RunContext, aside
from xrm_control.session.earlier import earlier_record
from xrm_control.session.mosaic_table import mosaic_table, places_record
from xrm_control.session.region_scan import scan_of
from xrm_control.session.stages import record_artifact, require_reach, told
from xrm_control.storage.durable import free_bytes

Result = TypeVar("Result")
_MOST = 99

Counted = tuple[Sequence[Particle2D], Count]
"""The particles of a mosaic, and how far they account for what it shows."""


@dataclass(frozen=True)
class Wanted:
    """A place that somebody wants to be scanned."""

    place: Add
    by: str


async def pick(
    run: RunContext, mosaic: Mosaic, wanted: Sequence[Wanted] = (), refused: Callable[[Wanted, str], None] | None = None
) -> tuple[Roi, ...]:
    """Choose the ROIs, refuse any that the stage cannot reach, and draw them on the mosaic; once in a run's life.

    Places that are `wanted` take the place of the recipe's strategy; `refused` is told of those that cannot be scanned,
    and why. Raises UnusableData when none can.
    """
    before = await _chosen_before(run, mosaic, wanted)
    if before is not None:
        for roi in before:
            run.ahead[roi.name] = _reachable(run, roi)
        _replan(run, before)
        return before
    chart = _map(mosaic)
    with told(run, RunState.PICKING, 1):
        particles, count = await run.on_disk(_particles, run, chart)
        run.instrument.sign_of_life()
        chart = await run.on_disk(_from_the_side, run, chart, particles)
        if wanted:
            choice = Choice(_by_hand(run, chart, particles, wanted, refused or (lambda _, __: None)))
        else:
            fov_um = run.description.camera.field_of_view_um
            choice = await run.on_disk(_chosen, run, particles, chart, fov_um, count)
            run.instrument.sign_of_life()
        rois = choice.rois
        for roi in rois:
            # Built once: what is checked here is what is carried out.
            run.ahead[roi.name] = _reachable(run, roi)
        _replan(run, rois)
        await _record(run, mosaic, (particles, count), choice)
    if count.doubt:
        run.events.emit(MosaicDoubted(count.doubt))
    if choice.nothing:
        run.events.emit(NoRegions(choice.nothing))
    for roi in rois:
        run.events.emit(RoiChosen(roi.name, roi.x_um, roi.y_um, roi.reason))
    if choice.rejected and run.shows_sample:
        run.events.emit(PlacesLeft(len(choice.rejected), _summary(choice.rejected)))
    return rois


def _chosen(run: RunContext, particles: Sequence[Particle2D], chart: MosaicMap, fov_um: float, count: Count) -> Choice:
    """What the recipe's strategy chooses; no region where the mosaic shows nothing worth one: that is an answer."""
    try:
        return run.recipe.roi.survey(particles, chart, fov_um, _limits(run))
    except NothingToScan as empty:
        flaws = f" ({count.flaws} thin spots are taken for flaws of the tape)" if count.flaws else ""
        return Choice((), nothing=f"{empty.what}{flaws}; {empty.remedy}")


async def _chosen_before(run: RunContext, mosaic: Mosaic, wanted: Sequence[Wanted]) -> tuple[Roi, ...] | None:
    """The regions as they are on record; None where they are not chosen yet."""
    known = run.recorded("rois.json")
    # Killed while a place was added, between the file and its record: the file is whole, and the letter still open.
    if not known and not (wanted and run.folder.rois.is_file() and "rois.json" in run.journal.artifacts()):
        return None
    document = ROIS.read(run.folder.rois)
    rois = tuple(Roi(**dict(record)) for record in document.rois)
    if not known:
        record_artifact(run, "rois.json", "rois")
    if not run.recorded("mosaic.png"):
        particles, _ = await run.on_disk(_particles, run, _map(mosaic))
        await _draw(run, mosaic, particles, document)
    return rois


async def add(run: RunContext, mosaic: Mosaic, wanted: Wanted, present: Sequence[Roi]) -> tuple[Roi, ...]:
    """The regions of a place that is wanted, beside those `present`, on record. Raises RecipeError, SafetyRefusal,
    StorageError: nothing is changed then.
    """
    chart = _map(mosaic)
    # Not in the disk's thread: no frame has to wait for it.
    particles, count = await aside(_particles, run, chart)
    chart = await aside(_from_the_side, run, chart, particles)
    rois = _placed(run, chart, particles, wanted, present)
    scans = {roi.name: _reachable(run, roi) for roi in rois}
    _require_room(run, (*present, *rois))
    rejected = tuple(one for one in ROIS.read(run.folder.rois).rejected if not any(_overlap(one, roi) for roi in rois))
    await _record(run, mosaic, (particles, count), Choice((*present, *rois), rejected))
    run.ahead |= scans
    _replan(run, (*present, *rois))
    for roi in rois:
        run.events.emit(RoiChosen(roi.name, roi.x_um, roi.y_um, roi.reason))
    return rois


def require_possible(run: RunContext, add: Add, by: str) -> None:
    """Raise RecipeError for a place that no mosaic of this recipe shows, SafetyRefusal where the stage cannot go."""
    fov_um = run.description.camera.field_of_view_um
    planned = planned_mosaic(run.recipe.mosaic, run.description.camera)
    for place in _windows(run, add):
        require_inside(place, planned, fov_um)
        _reachable(run, roi_at(place, 1, fov_um, f"added by {by}", 0))


def those_of(run: RunContext, add: Add, rois: Sequence[Roi]) -> list[str]:
    """The names of the regions that somebody has added for just this place; none unless each window is one."""
    added = {(roi.x_um, roi.y_um): roi.name for roi in rois if roi.added_by}
    names = [added.get((place.x_um, place.y_um)) for place in _windows(run, add)]
    return [] if None in names else [name for name in names if name is not None]


def _windows(run: RunContext, add: Add) -> list[Place]:
    fov_um = run.description.camera.field_of_view_um
    z_um = run.recipe.roi.z_um if add.z_um is None else add.z_um
    width_um = add.width_um or fov_um
    return cover(Place(add.x_um, add.y_um, z_um, add.text), width_um, add.height_um or width_um, fov_um)


def _by_hand(
    run: RunContext,
    chart: MosaicMap,
    particles: Sequence[Particle2D],
    wanted: Sequence[Wanted],
    refused: Callable[[Wanted, str], None],
) -> tuple[Roi, ...]:
    rois: tuple[Roi, ...] = ()
    why = ""
    for one in wanted:
        try:
            rois += _placed(run, chart, particles, one, rois)
        except XrmError as error:
            why = str(error)
            refused(one, why)
    if not rois:
        raise UnusableData(
            "none of the places that were added can be scanned",
            where="add",
            value=why,
            remedy="look at the mosaic and add others, then `xrm continue` the run",
        )
    return rois


def _placed(
    run: RunContext, chart: MosaicMap, particles: Sequence[Particle2D], wanted: Wanted, present: Sequence[Roi]
) -> tuple[Roi, ...]:
    add, fov_um = wanted.place, run.description.camera.field_of_view_um
    places = _windows(run, add)
    if len(present) + len(places) > _MOST:
        raise RecipeError("too many regions", where=add.text, value=len(present) + len(places), limit=_MOST)
    for place in places:
        require_inside(place, chart, fov_um)
    # What is set aside stands in nobody's way.
    gone = {name for name, life in run.journal.roi_states().items() if life.state in ROI_ENDS and life.reason}
    there = [Place(roi.x_um, roi.y_um, roi.z_um, roi.name) for roi in present if roi.name not in gone]
    check_places([*there, *places], _limits(run), fov_um, run.recipe.scan.width_um(run.description.camera))
    centres_um = np.array([(place.x_um, place.y_um) for place in places])
    heights = np.array([place.z_um for place in places])
    held = whole_inside(particles, centres_um, fov_um, run.recipe.roi.margin_um, z_um=heights).sum(axis=1)
    rois = tuple(
        replace(
            roi_at(place, number, fov_um, _reason(run, place, wanted), int(n)),
            added_by=wanted.by,
            edge_on=edge_on_of(chart, place.y_um, place.z_um, fov_um, run.recipe.roi.edge_on),
        )
        for number, (place, n) in enumerate(zip(places, held, strict=True), start=len(present) + 1)
    )
    for roi in rois:
        _reachable(run, roi)
    return rois


def _reason(run: RunContext, place: Place, wanted: Wanted) -> str:
    """By whom it was added, and what the recipe says against it: who adds by hand decides."""
    fov_um = run.description.camera.field_of_view_um
    centre_um = np.array([(place.x_um, place.y_um)])
    touched = [area.text for area in run.recipe.roi.avoid if area.touched_by(centre_um, fov_um)[0]]
    return f"added by {wanted.by}" + (f"; touches the area to avoid {' and '.join(touched)}" if touched else "")


def _overlap(one: CandidateRecord, roi: Roi) -> bool:
    apart = max(abs(one.x_um - roi.x_um), abs(one.y_um - roi.y_um))
    return apart < roi.width_um * (1 - 1e-9)


def _summary(rejected: Sequence[CandidateRecord]) -> str:
    """The best one, and how many there are for each cause."""
    best, counts = rejected[0], Counter(one.why for one in rejected)
    causes = ", ".join(f"{count} {why.replace('_', ' ')}" for why, count in counts.items())
    why = "" if best.why is NotChosen.NOT_ASKED else f": {best.reason}"
    where = f"({best.x_um:.1f}, {best.y_um:.1f}) um"
    return f"{causes}; the best at {where}, {best.expected_particles} whole particles{why}"


def _require_room(run: RunContext, rois: Sequence[Roi]) -> None:
    """Raise DiskFull when what is still to be scanned would fill the disk."""
    scans = [stage.bytes for stage in run.plan.stages if stage.name.startswith("roi-")]
    lives = run.journal.roi_states()
    need = max(scans, default=0) * sum(roi.name not in lives for roi in rois)
    free, keep = free_bytes(run.folder.path), int(run.recipe.output.keep_free_gb * 1e9)
    if need + keep > free:
        raise DiskFull(
            "the disk would fill", where=str(run.folder.path), value=f"{free / 1e9:.2f} GB free",
            limit=f"{need / 1e9:.2f} GB for the regions still to be scanned + {keep / 1e9:g} GB to stay free",
            remedy="free space, or skip a region",
        )  # fmt: skip


async def _record(run: RunContext, mosaic: Mosaic, found: Counted, choice: Choice) -> None:
    """rois.json and the picture of the mosaic, durable and in the journal."""
    particles, count = found
    height, width = mosaic.image.shape
    about = MosaicRecord(
        pixel_size_um=mosaic.pixel_size_um,
        x0_um=mosaic.x0_um,
        y0_um=mosaic.y0_um,
        shape=(height, width),
        particles=len(particles),
        residual_um=mosaic.residual_um,
        diameters_um=tuple(round(particle.equivalent_diameter_um, 2) for particle in particles),
        places_um=tuple((round(particle.x_um, 2), round(particle.y_um, 2)) for particle in particles),
        registration=registration_record(mosaic),
        count_doubt=count.doubt,
        particles_between=count.between,
        void_scores=tuple(None if p.void_score is None else round(p.void_score, 2) for p in particles),
        places=places_record(count),
        earlier=earlier_record(run, mosaic),
    )
    document = RoisDocument(
        mosaic=about,
        rois=tuple(RoiRecord(**asdict(roi)) for roi in choice.rois),
        rejected=choice.rejected if run.shows_sample else (),
        avoided=tuple(_avoided(area) for area in run.recipe.roi.avoid),
        nothing=choice.nothing,
    )
    if run.shows_sample:
        table = mosaic_table(particles, count, mosaic, run.recipe.mosaic.stage_accuracy_um)
        await run.on_disk(lambda: run.folder.write_text(run.folder.mosaic_particles, table, replace=True))
        record_artifact(run, run.folder.mosaic_particles.name, "rois")
    text = ROIS.text(document)
    await run.on_disk(lambda: run.folder.write_text(run.folder.rois, text, replace=True))
    record_artifact(run, "rois.json", "rois")
    await _draw(run, mosaic, particles, document)


def _avoided(area: Avoided) -> AvoidedRecord:
    width_um, height_um = area.size_um
    return AvoidedRecord(
        name=area.name, reason=area.reason, x_um=area.x_um, y_um=area.y_um, width_um=width_um, height_um=height_um,
        disc=area.diameter_um is not None,
    )  # fmt: skip


async def _draw(run: RunContext, mosaic: Mosaic, particles: Sequence[Particle2D], document: RoisDocument) -> None:
    if not run.shows_sample:
        return
    frames = [(roi.name, roi.x_um, roi.y_um, roi.width_um, roi.height_um) for roi in document.rois]
    circles = [(particle.x_um, particle.y_um, particle.equivalent_diameter_um) for particle in particles]
    rejected = [
        (str(one.expected_particles), one.x_um, one.y_um, one.width_um, one.height_um) for one in document.rejected
    ]
    avoided = [
        Area(area.name, area.x_um, area.y_um, area.width_um, area.height_um, area.disc) for area in document.avoided
    ]
    places = document.mosaic.places
    crossed = None if places is None else Cells(places.left_um, places.top_um, places.cell_um, places.countable)
    drawn = partial(draw_mosaic, counted=not document.mosaic.count_doubt, cells=crossed)
    await aside(drawn, mosaic, frames, circles, run.folder.mosaic_png, rejected, avoided)
    record_artifact(run, "mosaic.png", "picture")


def _map(mosaic: Mosaic) -> MosaicMap:
    return MosaicMap(mosaic.image, mosaic.pixel_size_um, mosaic.x0_um, mosaic.y0_um)


def _particles(run: RunContext, chart: MosaicMap) -> Counted:
    if not run.shows_sample:
        return stand_ins(chart), Count()
    return count_particles(chart, run.recipe.sample.mu_per_um(run.description.energy_kev))


def _from_the_side(run: RunContext, chart: MosaicMap, particles: Sequence[Particle2D]) -> MosaicMap:
    """The same mosaic with what the beam meets at +-90 degrees."""
    if not run.shows_sample:
        return chart
    sample = run.recipe.sample
    mu_per_um = sample.mu_per_um(run.description.energy_kev)
    return replace(chart, side=edge_on(chart, particles, mu_per_um, sample.strip_width_um))


def _limits(run: RunContext) -> Limits:
    return Limits(run.guard.limits["x"], run.guard.limits["y"])


def _reachable(run: RunContext, roi: Roi) -> Acquisition:
    """The scan of a region, none of whose positions lies outside what is allowed. Raises SafetyRefusal."""
    scan = scan_of(run, roi)
    require_reach(run, scan)
    return scan


def _replan(run: RunContext, rois: Sequence[Roi]) -> None:
    """Tell the screens of as many scans as there are regions, each planned like the others."""
    scans = [stage for stage in run.plan.stages if stage.name.startswith("roi-")]
    others = [stage for stage in run.plan.stages if stage not in scans]
    mean_s = sum(stage.seconds for stage in scans) / max(1, len(scans))
    images = sum(stage.frames for stage in others) + sum(len(scan_of(run, roi).steps) for roi in rois)
    run.events.emit(RunReplanned(images, sum(stage.seconds for stage in others) + mean_s * len(rois)))
