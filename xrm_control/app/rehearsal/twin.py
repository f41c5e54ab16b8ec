"""The twin of a recipe: the same night on a simulated instrument in the shape of the real one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

import yaml

from xrm_control.acquisition.conditions import DISK_FREE
from xrm_control.compute.inline import Inline
from xrm_control.contracts.rehearsal import Start
from xrm_control.core.errors import InstrumentUnreachable, RecipeError
from xrm_control.core.rehearsal import REHEARSAL_BACKEND
from xrm_control.devices.protocols import CameraDescription, InstrumentDescription
from xrm_control.devices.rehearsed import RehearsalBackend, TwinCamera, twin_axis
from xrm_control.devices.scripted_faults import FaultSpec
from xrm_control.devices.simulated import SimulatedBackend
from xrm_control.recipe.document import Recipe

# Without images a frame need not be larger than this to be told from others.
_SMALLEST_PX = 32
# Of a full pixel, at the recipe's longest exposure, where nobody has said what a photon counts.
_FILLED = 0.5
_AXES = ("x", "y", "z", "theta")


@dataclass(frozen=True)
class Twin:
    """What is played: the recipe on the twin, where it begins, and what differs from the real night."""

    recipe: Recipe
    start: Start
    notes: tuple[str, ...]

    @property
    def seed(self) -> int:
        """That of its instrument."""
        return cast(RehearsalBackend, self.recipe.instrument).seed

    @property
    def stands_for(self) -> str:
        """The instrument that is rehearsed."""
        return cast(RehearsalBackend, self.recipe.instrument).stands_for

    def night(self, seed: int, faults: tuple[FaultSpec, ...]) -> Recipe:
        """The recipe of one night: with its own seed, and a storm besides what the recipe itself says."""
        backend = cast(RehearsalBackend, self.recipe.instrument)
        instrument = backend.model_copy(update={"seed": seed, "faults": (*backend.faults, *faults)})
        return self.recipe.model_copy(update={"instrument": instrument})


def twin_of(recipe: Recipe, *, images: bool) -> Twin:
    """The twin of a recipe. Reads where the instrument stands, if it can be read without moving or disturbing it.

    Raises RecipeError for a camera that the twin cannot picture, where images are wanted.
    """
    about, notes = recipe.instrument.describe(), list[str]()
    start = _start(recipe, about)
    own = recipe.instrument if isinstance(recipe.instrument, SimulatedBackend) else None
    settings: dict[str, object] = {} if own is None else own.model_dump(exclude={"backend"})
    settings |= {
        "backend": REHEARSAL_BACKEND,
        "stands_for": about.name[:200],
        "rendering": images and settings.get("rendering", True),
    }
    camera = about.camera
    if own is None:
        settings |= {} if about.blocker_s is None else {"blocker": True}
        _require_picture(camera, images=images)
        settings |= {
            "axes": {name: twin_axis(axis, start.positions[name]) for name, axis in about.axes.items()},
            "shutter_s": about.shutter_s,
            "energy_kev": about.energy_kev,
            "flux_per_um2_s": about.flux_per_um2_s,
            "clearance_um": about.clearance_um,
        }
        notes.append("what lies on the stage is not known: the twin carries the simulator's own powder")
    if not images:
        camera = _coarse(recipe, camera)
        notes.append(
            f"without images: frames are stand-ins, the smallest of {_smallest(recipe, camera)} pixels; nothing is"
            " measured, places are as the strategy chooses them where particles lie everywhere, and disk is by plan"
        )
    if own is None or camera is not about.camera:
        settings["camera"] = _twin_camera(recipe, about, camera)
    parts: dict[str, object] = {"instrument": RehearsalBackend.model_validate(settings)}
    kept = recipe.conditions
    if own is None:
        kept = tuple(condition for condition in recipe.conditions if condition.value == DISK_FREE)
        gone = [condition.value for condition in recipe.conditions if condition.value != DISK_FREE]
        if gone:
            notes.append(f"conditions are not rehearsed on what the twin does not have: {', '.join(gone)}")
    parts |= {"conditions": kept, "alerts": recipe.alerts.model_copy(update={"on": ()})}
    if not images:
        scan = recipe.scan.model_copy(update={"projections": recipe.scan.projection_count(about.camera)})
        output = recipe.output.model_copy(update={"keep_free_gb": 0.0})
        # Nothing is reconstructed: rows and columns of another detector's frames would only be refused.
        fewer = about.camera.width_px / camera.width_px
        axis = recipe.reconstruction.rotation_axis
        volumes = recipe.reconstruction.model_copy(
            update={"rows": None, "rotation_axis": axis if isinstance(axis, str) else axis / fewer}
        )
        parts |= {"scan": scan, "output": output, "compute": Inline(kind="inline"), "reconstruction": volumes}
    return Twin(recipe.model_copy(update=parts), start, tuple(notes))


def text_of(recipe: Recipe, of: str) -> str:
    """The recipe as a document that gives it again; what was not said stays unsaid: not all goes with everything."""
    body = yaml.safe_dump(
        recipe.model_dump(mode="json", exclude_unset=True), sort_keys=False, allow_unicode=True, width=120
    )
    return f"# REHEARSAL of {of}: played on the twin, no data.\n{body}"


def _start(recipe: Recipe, about: InstrumentDescription) -> Start:
    """Where the axes stand, asked of the instrument; where it cannot be asked, at home."""
    home: dict[str, float] = dict.fromkeys(_AXES, 0.0)
    try:
        found: Mapping[str, float] | None = recipe.instrument.positions()
    except InstrumentUnreachable as error:
        return Start(positions=home, read=False, note=f"begins at home: {error}")
    if found is None:
        return Start(positions=home, read=False, note=f"begins at home: {about.name} stands nowhere until it is opened")
    missing = [name for name in home if name not in found]
    note = f"read from {about.name}; shutter, beam and sample are as the twin has them"
    if missing:
        note += f"; at home, as they cannot be read: {', '.join(missing)}"
    return Start(positions=home | dict(found), read=True, note=note)


def _require_picture(camera: CameraDescription, *, images: bool) -> None:
    usual = SimulatedBackend().describe().camera
    if images and (camera.width_px, camera.height_px, camera.pixel_size_um) != (
        usual.width_px, usual.height_px, usual.pixel_size_um,
    ):  # fmt: skip
        raise RecipeError(
            "the twin renders frames of its own camera only",
            where="instrument.map.camera",
            value=f"{camera.width_px} x {camera.height_px} pixels of {camera.pixel_size_um * 1000:g} nm",
            limit=f"{usual.width_px} x {usual.height_px} pixels of {usual.pixel_size_um * 1000:g} nm",
            remedy="rehearse it with --without-images",
        )


def _coarse(recipe: Recipe, camera: CameraDescription) -> CameraDescription:
    """The same field of view in fewer pixels, as few as the smallest frame needs."""
    most, factor = max(recipe.mosaic.binning, recipe.scan.binning), 1
    sides = camera.width_px, camera.height_px
    while all(side % (2 * factor * most) == 0 and side // (2 * factor * most) >= _SMALLEST_PX for side in sides):
        factor *= 2
    return replace(
        camera,
        width_px=camera.width_px // factor,
        height_px=camera.height_px // factor,
        pixel_size_um=camera.pixel_size_um * factor,
    )


def _smallest(recipe: Recipe, camera: CameraDescription) -> str:
    binning = max(recipe.mosaic.binning, recipe.scan.binning)
    return f"{camera.width_px // binning} x {camera.height_px // binning}"


def _twin_camera(recipe: Recipe, about: InstrumentDescription, shown: CameraDescription) -> TwinCamera:
    area = (shown.pixel_size_um / about.camera.pixel_size_um) ** 2
    counts = about.camera.counts_per_photon
    if counts is None:
        lit = max(
            stage.exposure_s * about.camera.binned_pixel_um(stage.binning) ** 2
            for stage in (recipe.mosaic, recipe.scan)
        )
        counts = _FILLED * about.camera.full_scale / (about.flux_per_um2_s * lit)
    return TwinCamera(
        width_px=shown.width_px,
        height_px=shown.height_px,
        pixel_size_um=shown.pixel_size_um,
        readout_s=dict(shown.readout_s),
        # A larger pixel collects more, and shows the same counts.
        counts_per_photon=counts / area,
    )
