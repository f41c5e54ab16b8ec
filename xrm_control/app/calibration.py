"""``xrm calibrate``: the camera against the stage, from known moves on the sample, into a dated file."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from xrm_control.app.outputs import require_new_file
from xrm_control.app.recipes import Loaded, check
from xrm_control.app.runs import pace
from xrm_control.contracts.alignment import ALIGNMENT, Alignment
from xrm_control.core.clock import Clock, utc_now
from xrm_control.core.clock import run as run_on_clock
from xrm_control.core.errors import NotSafe, RecipeError, UnusableData
from xrm_control.core.events import EventStream, Listener
from xrm_control.core.geometry import Pose
from xrm_control.core.interrupts import signals_restored
from xrm_control.devices.protocols import Instrument
from xrm_control.devices.safety import Guard
from xrm_control.mosaic.calibrating import Measured
from xrm_control.recipe.document import Recipe
from xrm_control.storage.durable import durable_file


def calibrate(
    loaded: Loaded,
    out: Path,
    *,
    mirrored: bool = False,
    at_um: tuple[float, float] | None = None,
    valid_days: float = 30.0,
    speed: str | None = None,
    listener: Listener | None = None,
) -> Alignment:
    """Measure the camera's alignment on the sample and write it to `out`, which must not be there.

    at_um: where on the stage, none: the middle of the recipe's mosaic; mirrored: that the picture is a mirror image is
    known, and meant. Raises RecipeError, SafetyRefusal, DeviceError; DataError where `out` cannot be; UnusableData
    where the pictures do not tell, or show a mirror image that nobody stated. The instrument is left safe.
    """
    if out.exists():
        raise RecipeError("the file is there already", where=str(out), remedy="give another name, or move it away")
    require_new_file(out, replace=False)
    recipe = loaded.recipe
    check(loaded)
    tempo, started = pace(recipe.instrument, speed), utc_now()

    async def session() -> Measured:
        clock = Clock(started)
        events = EventStream(clock.now_s)
        if listener is not None:
            events.subscribe(listener, "the display")
        async with _held(recipe, clock) as instrument:
            return await _measured(recipe, instrument, clock, events, at_um)

    with signals_restored():
        found = run_on_clock(session(), tempo)
    alignment = _alignment(recipe, found, mirrored, valid_days)
    with durable_file(out, "the alignment") as file:
        file.write(ALIGNMENT.text(alignment).encode())
    return alignment


@asynccontextmanager
async def _held(recipe: Recipe, clock: Clock) -> AsyncGenerator[Instrument, None]:
    """The connected instrument; however the block ends, it is left safe. Raises NotSafe where that fails."""
    instrument = recipe.instrument.open(clock)
    try:
        await instrument.connect()
        try:
            yield instrument
        finally:
            state = await instrument.make_safe()
        if not state.verified:
            raise NotSafe(
                "the alignment was measured, and the safe state not reached",
                where="instrument",
                value="; ".join(state.problems),
                remedy="close the beam upstream and look at the instrument",
            )
    finally:
        await instrument.disconnect()


async def _measured(
    recipe: Recipe, instrument: Instrument, clock: Clock, events: EventStream, at_um: tuple[float, float] | None
) -> Measured:
    # Imported where it is used, so that `check` and `plan` answer at once.
    from xrm_control.acquisition.engine import Engine
    from xrm_control.session.calibration import MemorySink, around, measured

    about = instrument.describe()
    guard = Guard(about.axes, recipe.safety, recipe.sample)
    x_um, y_um = at_um or (recipe.mosaic.centre_x_um, recipe.mosaic.centre_y_um)
    acquisition = around(recipe, about.camera, Pose(x_um, y_um, recipe.mosaic.z_um, 0.0))
    guard.check_path((step.frame_id, step.pose) for step in acquisition.steps)
    await instrument.home()
    sink = MemorySink()
    engine = Engine(instrument, sink, guard, clock, events, recipe.retry, _no_hold)
    return await measured(engine, sink, acquisition, about.camera.binned_pixel_um(acquisition.binning))


@asynccontextmanager
async def _no_hold(reason: str) -> AsyncGenerator[None, None]:
    """Nobody resumes a calibration: what a run would wait for is waited for, and nothing else."""
    yield


def _alignment(recipe: Recipe, found: Measured, mirrored: bool, valid_days: float) -> Alignment:
    about = recipe.instrument.describe()
    (a, b), (c, d) = found.picture_to_stage.tolist()
    is_mirrored = a * d - b * c < 0
    if is_mirrored != mirrored:
        raise UnusableData(
            "the picture is a mirror image of the stage" if is_mirrored else "the picture is no mirror image",
            where="alignment",
            value=f"picture to stage [[{a:.3f}, {b:.3f}], [{c:.3f}, {d:.3f}]]",
            remedy="state that it is meant with --mirrored, or turn it round in the camera or in the instrument's map"
            if is_mirrored
            else "leave --mirrored out",
        )
    (ua, ub), (uc, ud) = found.picture_to_stage_u.tolist()
    return Alignment(
        instrument=about.name,
        measured_utc=utc_now().replace(microsecond=0),
        valid_days=valid_days,
        pixel_size_um=about.camera.pixel_size_um,
        picture_to_stage=((a, b), (c, d)),
        picture_to_stage_u=((ua, ub), (uc, ud)),
        mirrored=mirrored,
        backlash_x_um=found.backlash_um[0],
        backlash_y_um=found.backlash_um[1],
        moves=found.looks - 1,
        residual_um=found.residual_um,
        axis_tilt_deg=found.tilt_deg,
        axis_tilt_u_deg=found.tilt_u_deg,
    )
