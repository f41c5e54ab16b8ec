"""What an item is made of: a recipe, checked and moved to its sample's place, what it will cost, and its instrument."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from xrm_control.app.recipes import Loaded, check, load
from xrm_control.contracts.plan import Plan
from xrm_control.contracts.queue import ItemCost
from xrm_control.core.errors import RecipeError
from xrm_control.core.frame_id import MOSAIC
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.loading import load_text
from xrm_control.roi.strategies.grid import Grid
from xrm_control.roi.strategies.manual import Manual

_FARTHEST_UM = 1e6


def checked(recipe: Path, settings: Mapping[str, str], at_um: tuple[float, float] | None) -> tuple[Loaded, Plan]:
    """A recipe at its sample's place on the holder, and its plan. Raises RecipeError, SafetyRefusal."""
    loaded = load(recipe, settings)
    if at_um is not None:
        loaded = load(recipe, {**settings, **_moved(loaded.recipe, at_um)})
    plan = check(loaded)
    frozen, _ = load_text(loaded.text, Recipe)
    if frozen.sha256() != loaded.recipe.sha256():
        raise RecipeError(
            "cannot be frozen: its text alone gives another recipe",
            where=str(recipe),
            remedy="write what it takes from elsewhere into the recipe itself",
        )
    return loaded, plan


def _moved(recipe: Recipe, at_um: tuple[float, float]) -> dict[str, str]:
    """Settings that bring all positions of a recipe to a sample's place on the holder. Raises RecipeError."""
    dx, dy = at_um
    if not (abs(dx) <= _FARTHEST_UM and abs(dy) <= _FARTHEST_UM):
        raise RecipeError("is no place on a holder", where="--at", value=f"{dx:g},{dy:g}", limit="X,Y in um")
    found = {
        "mosaic.centre_x_um": _um(recipe.mosaic.centre_x_um + dx),
        "mosaic.centre_y_um": _um(recipe.mosaic.centre_y_um + dy),
    }
    places = [(f"avoid[{number}]", area.x_um, area.y_um) for number, area in enumerate(recipe.roi.avoid)]
    places += [(f"must[{number}]", x_um, y_um) for number, (x_um, y_um, _) in enumerate(recipe.roi.named())]
    for name, x_um, y_um in places:
        found[f"roi.{name}.x_um"] = _um(x_um + dx)
        found[f"roi.{name}.y_um"] = _um(y_um + dy)
    match recipe.roi:
        case Manual(positions=positions):
            for number, position in enumerate(positions):
                found[f"roi.positions[{number}].x_um"] = _um(position.x_um + dx)
                found[f"roi.positions[{number}].y_um"] = _um(position.y_um + dy)
        case Grid(centre=centre) if centre is not None:
            found["roi.centre.x_um"] = _um(centre.x_um + dx)
            found["roi.centre.y_um"] = _um(centre.y_um + dy)
        case other if not isinstance(other.planned(), int):
            raise RecipeError(
                "the positions of this strategy cannot be moved",
                where="--at",
                value=type(other).__name__,
                remedy="write them into the recipe as they are on the holder",
            )
        case _:
            pass
    return found


def _um(value: float) -> str:
    return f"{value:.6f}"


def cost_of(recipe: Recipe, plan: Plan) -> ItemCost:
    """What it will take, by its plan."""
    mosaic, scan = plan.stage(MOSAIC), recipe.scan
    scans = [stage for stage in plan.stages if stage.frames and stage.name != MOSAIC]
    beam_s = sum((stage.frames - scan.darks) * scan.exposure_s for stage in scans)
    if mosaic is not None:
        beam_s += (mosaic.frames - recipe.mosaic.darks) * recipe.mosaic.exposure_s
    return ItemCost(
        total_s=plan.total_s,
        beam_s=beam_s,
        dose_gy=plan.dose_per_scan_gy * plan.rois,
        frames=sum(stage.frames for stage in plan.stages),
        rois=plan.rois,
        disk_bytes=plan.disk_bytes,
        keep_free_bytes=round(recipe.output.keep_free_gb * 1e9),
    )


def instrument_of(recipe: Recipe) -> str:
    """Which instrument it is, whatever is planted in it: backend and map."""
    said = recipe.instrument.model_dump_json(exclude={"seed", "faults"})
    return f"{recipe.instrument.tag}-{hashlib.sha256(said.encode()).hexdigest()[:12]}"
