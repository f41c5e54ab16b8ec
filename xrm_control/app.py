"""The composition root: recipe and settings become instrument, run folder, executor and session.

Session and reporting are imported where they are used, so that `check` and `plan` answer at once.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from xrm_control.analysis.core import AnalysisSpec, measure
from xrm_control.analysis.handoff import AnalysisInput, read_handoff
from xrm_control.compute.processes import Processes
from xrm_control.core.clock import VIRTUAL, Clock, utc_now
from xrm_control.core.clock import run as run_on_clock
from xrm_control.core.cpus import cpus
from xrm_control.core.errors import DataError, Interrupted, RecipeError, UnusableData
from xrm_control.core.events import EventStream, Listener, RunFolderMade, WorkersAway
from xrm_control.core.findings import Finding
from xrm_control.core.geometry import Pose
from xrm_control.devices.backend import Backend
from xrm_control.processing.scans import FileScan, RunScan
from xrm_control.processing.volumes import (
    LOCK,
    ScanSource,
    VolumeJob,
    assemble_volume,
    make_parts,
    parts_folder,
    remove_parts,
)
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.handoff import find_core
from xrm_control.recipe.loading import json_schema, load_document
from xrm_control.recipe.needs import needs_of
from xrm_control.recipe.planning import Plan, TradeOff, check_disk, compare, make_plan
from xrm_control.reconstruction.pipeline import ReconstructionSpec
from xrm_control.storage.durable import free_bytes, make_folder, require_free, sha256_file
from xrm_control.storage.formats.ome_tiff import write_volume, write_volume_16bit
from xrm_control.storage.formats.registry import read_scan, read_volume
from xrm_control.storage.journal import Journal, JournalReader
from xrm_control.storage.lock import hold_lock
from xrm_control.storage.recorder import EventRecorder
from xrm_control.storage.records import RunRecord, RunSummary
from xrm_control.storage.run_folder import RunFolder

_SPEED_AGREES = 0.01


@dataclass(frozen=True)
class Loaded:
    """A recipe that has been read and validated, with the text it came from."""

    recipe: Recipe
    text: str
    path: Path


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    folder: Path
    exit_code: int
    results: Mapping[str, Any]


def load(path: Path, overrides: Mapping[str, str] | None = None) -> Loaded:
    """Read a recipe. Raises RecipeError with file, line and field of everything that is wrong with it."""
    recipe, source = load_document(path, Recipe, overrides or {})
    # With --set the text is one that gives the same recipe again without it.
    return Loaded(recipe, source.effective_text, path)


def check(loaded: Loaded) -> Plan:
    """Everything that can be found wrong before anything moves: limits, envelope, material, analysis core."""
    recipe = loaded.recipe
    find_core(recipe.handoff)
    if recipe.compute.here:
        recipe.reconstruction.method.check_machine()
    return make_plan(recipe, recipe.instrument.describe())


def plan(loaded: Loaded, out: Path) -> Plan:
    """`check`, and whether the disk under `out` has the room."""
    found = check(loaded)
    check_disk(found, free_bytes(_existing(out)), loaded.recipe.output.keep_free_gb, str(out))
    return found


def trade_off(loaded: Loaded, binnings: tuple[int, ...]) -> tuple[TradeOff, ...]:
    """The recipe's scan at other binnings."""
    instrument = loaded.recipe.instrument.describe()
    for binning in binnings:
        if binning not in instrument.camera.readout_s:
            raise RecipeError(
                "the camera does not have this binning",
                where="--compare binning",
                value=binning,
                limit=", ".join(map(str, sorted(instrument.camera.readout_s))),
            )
    return compare(loaded.recipe, instrument, binnings)


def run(loaded: Loaded, out: Path, speed: str | None, listener: Listener | None = None) -> Outcome:
    """Carry a recipe out, at `speed`; see `pace`."""
    from xrm_control.session.context import RunContext
    from xrm_control.session.runner import Runner

    recipe = loaded.recipe
    cost = plan(loaded, out)
    tempo = pace(recipe.instrument, speed)
    started = utc_now()
    folder = RunFolder.create(out, recipe.name, started, secrets.token_hex(2))
    record = RunRecord(
        folder.name, recipe.name, recipe.sha256(), recipe.instrument.tag, recipe.instrument.simulated,
        started.isoformat(timespec="seconds"),
    )  # fmt: skip
    with folder.lock():
        folder.write_text(folder.recipe, loaded.text)
        folder.write_json(folder.plan, {**cost.as_dict(), "recipe": recipe.model_dump(mode="json")})
        with Journal.create(folder.journal, record) as journal:

            async def session() -> int:
                clock = Clock(started)
                events = EventStream(clock.now_s)
                EventRecorder(folder, journal, lambda: clock.utc().isoformat()).listen_to(events)
                if listener is not None:
                    events.subscribe(listener, "the display")
                events.emit(RunFolderMade(str(folder.path)))
                instrument = recipe.instrument.open(clock)
                with recipe.compute.open(lambda text: events.emit(WorkersAway(text))) as workers:
                    context = RunContext(recipe, folder, journal, instrument, clock, events, workers, cost)
                    try:
                        return await Runner(context).run()
                    finally:
                        context.close()
                        events.sum_up()

            try:
                code = run_on_clock(session(), tempo)
            except DataError as error:
                # What the night brought could not be used: that is no wrong use of the command.
                raise UnusableData(
                    error.what, where=error.where, value=error.value, limit=error.limit, remedy=error.remedy
                ) from error
    return Outcome(folder.path, code, json.loads(folder.results.read_text(encoding="utf-8")))


def status(path: Path) -> RunSummary:
    """How far a run has come, also while another process carries it out; and whether one still does."""
    folder = RunFolder.open(path)
    # The holder first: a run that ends between the two questions has its end on record before it lets go of the lock.
    holder = folder.holder()
    with JournalReader.open(folder.journal) as journal:
        summary = journal.summary()
    written = folder.last_written()
    return replace(
        summary,
        alive=holder is not None,
        process=int(holder) if holder is not None and holder.isdecimal() else None,
        last_sign_utc=None if written is None else written.isoformat(timespec="seconds"),
    )


def examine(loaded: Loaded, *, expose: bool = False) -> list[Finding]:
    """The recipe's instrument, looked at without moving anything; with `expose` one frame is taken, shutter closed."""
    recipe = loaded.recipe
    return recipe.instrument.examine(needs_of(recipe, recipe.instrument.describe()), expose=expose)


def report(path: Path) -> Path:
    """Write report.html anew from the run folder's files; of a run that died, or could not sum itself up, also that."""
    from xrm_control.processing.results import sum_up_again
    from xrm_control.reporting.report import build_report

    folder, now = RunFolder.open(path), status(path)
    over = now.died or (now.ended and not now.alive and not folder.results.is_file())
    # Without its recipe nothing can be summed up; the report says what is not there.
    if over and folder.recipe.is_file():
        sum_up_again(folder)
    return folder.write_text(folder.report, build_report(folder.path), replace=True)


def reconstruct(
    source: Path,
    target: Path,
    spec: ReconstructionSpec,
    *,
    pixel_size_um: float | None = None,
    sixteen_bit: bool = False,
    normalised: bool = False,
    workers: int | None = None,
    on_rows: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """A scan in any known file format, or of a region of a run -> volume as OME-TIFF; returns the quality figures.

    A large scan is made in parts by `workers` processes (as many as CPUs), and taken up again where it was left;
    `on_rows(done, of)` hears how far it is.
    """
    if target.suffix.lower() not in (".tif", ".tiff"):
        raise DataError("the volume is written as TIFF", where=str(target), remedy="let --out end in .ome.tif")
    if target.exists():
        raise DataError("the file exists already and is not overwritten", where=str(target))
    spec.method.check_machine()
    scan, shape = _scan_in(source, pixel_size_um, normalised)
    job = VolumeJob(scan, spec, shape, parts_folder(target.absolute()))
    # The parts and, at the end, the whole beside them.
    require_free(target, job.bytes * (1 if len(job.parts) == 1 else 2))
    write = write_volume_16bit if sixteen_bit else write_volume
    with _parts_made(job, workers, on_rows):
        volume = assemble_volume(job)
        write(target, volume.parts, volume.voxel_size_um)
        remove_parts(job)
    return {
        "volume": str(target),
        "shape": list(volume.shape),
        "voxel_size_um": volume.voxel_size_um,
        "rotation_axis_px": volume.rotation_axis_px,
        **volume.quality,
        **({"remarks": "; ".join(volume.warnings)} if volume.warnings else {}),
    }


def _scan_in(source: Path, pixel_size_um: float | None, normalised: bool) -> tuple[ScanSource, tuple[int, int, int]]:
    """The scan in a file, or of a region in its run's folder, and its shape."""
    if source.is_dir() and source.absolute().parent.joinpath("journal.sqlite").is_file():
        folder = RunFolder.open(source.absolute().parent)
        recipe = load(folder.recipe).recipe
        pixel_um = recipe.instrument.describe().camera.binned_pixel_um(recipe.scan.binning)
        with JournalReader.open(folder.journal) as journal:
            scan = RunScan(folder.path, source.name, pixel_size_um or pixel_um, journal.stored_frames(source.name))
        return scan, scan.shape
    if (source / "journal.sqlite").is_file():
        raise DataError("is a whole run", where=str(source), remedy=f"name one of its regions: {source / 'roi-01'}")
    recorded = read_scan(source)
    if pixel_size_um is None and recorded.pixel_size_um is None:
        raise DataError("the file does not say how large a pixel is", where=str(source), remedy="give --pixel-size-um")
    if len(recorded.flats) == 0 and not (normalised or recorded.normalised):
        raise DataError(
            "the file has no reference images (flats), so counts cannot become transmission",
            where=str(source),
            remedy="if the projections are transmissions already, say --normalised",
        )
    views, rows, columns = recorded.projections.shape
    return FileScan(source.absolute(), pixel_size_um, normalised), (views, rows, columns)


@contextmanager
def _parts_made(job: VolumeJob, workers: int | None, on_rows: Callable[[int, int], None] | None) -> Iterator[None]:
    """For the block the parts are there, made by several processes, and nobody else makes the same volume."""
    if len(job.parts) == 1:
        yield
        return

    async def parts() -> None:
        with Processes(workers=workers or min(cpus(), len(job.parts))).open() as pool:
            await make_parts(pool, job, on_rows)

    make_folder(job.folder)
    with hold_lock(job.folder / LOCK, "the volume"):
        try:
            run_on_clock(parts(), 1.0)
        except KeyboardInterrupt:
            raise Interrupted(
                "interrupted; what is done of the volume is kept",
                where=str(job.folder),
                remedy="the same command goes on from there, or delete that folder",
            ) from None
        yield


def analyze(source: Path, out: Path, spec: AnalysisSpec, voxel_size_um: float | None = None) -> dict[str, Any]:
    """A volume, or a handoff.json, through the analysis core; returns the content of its results.json."""
    taken = read_handoff(source) if source.suffix == ".json" else _volume(source, spec, voxel_size_um)
    try:
        measure(taken, out)
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror}", where=str(out)) from error
    return json.loads((out / "results.json").read_text(encoding="utf-8"))


def _volume(source: Path, spec: AnalysisSpec, voxel_size_um: float | None) -> AnalysisInput:
    """A bare volume as if it had been handed over; 16-bit volumes with a stored scale come back in 1/um."""
    volume, stated_um = read_volume(source)
    voxel_um = voxel_size_um if voxel_size_um is not None else stated_um
    if voxel_um is None:
        raise DataError("the file does not say how large a voxel is", where=str(source), remedy="give --voxel-size-um")
    if not np.isfinite(voxel_um) or voxel_um <= 0:
        raise DataError("the voxel size must be above zero", where="--voxel-size-um", value=voxel_um)
    inputs = {source.name: sha256_file(source)} if source.is_file() else {}
    return AnalysisInput(
        volume=volume,
        volume_path=source,
        voxel_size_um=voxel_um,
        roi="volume",
        centre=Pose(0.0, 0.0, 0.0, 0.0),
        quality={},
        inputs=inputs,
        sample={},
        recipe={},
        analysis=spec.model_dump(mode="json"),
    )


def diagram() -> str:
    """The state machine of a run as a Mermaid diagram."""
    from xrm_control.session.states import diagram as draw

    return draw()


def schema() -> dict[str, Any]:
    """The recipe's JSON schema, for editors that complete and check YAML."""
    return json_schema(Recipe)


def pace(instrument: Backend, speed: str | None) -> str | float:
    """The speed of the run's event loop: what was asked for, where the instrument can follow.

    A simulated instrument goes at any speed, in virtual time unless told otherwise. Any other one keeps its own time,
    and is asked for it; a speed that differs from it by more than 1 % is refused. Raises RecipeError.
    """
    asked = None if speed is None else _speed(speed)
    if instrument.simulated:
        return VIRTUAL if asked is None else asked
    if asked == VIRTUAL:
        raise RecipeError("virtual time needs the simulated instrument", where="--speed", value=speed)
    own = instrument.speed()
    if isinstance(asked, float) and abs(asked / own - 1) > _SPEED_AGREES:
        raise RecipeError(
            "the instrument keeps a time of its own and cannot be driven at another speed",
            where="--speed",
            value=speed,
            limit=f"{own:g}, the speed of backend {instrument.tag}",
            remedy=f"leave --speed out, or type --speed {own:g}",
        )
    return own


def _speed(text: str) -> str | float:
    if text == VIRTUAL:
        return VIRTUAL
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not (np.isfinite(factor) and factor > 0):
        raise RecipeError("no such speed", where="--speed", value=text, limit="virtual, 1, or a factor above 0")
    return factor


def _existing(path: Path) -> Path:
    """`path`, or its nearest parent that exists."""
    path = path.absolute()
    return next((place for place in (path, *path.parents) if place.exists()), path)
