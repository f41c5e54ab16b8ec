"""Windows at places somebody named: held against each other, the stage's limits and the mosaic."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from xrm_control.core.diagnostics import Diagnostic
from xrm_control.core.errors import RecipeError, SafetyRefusal
from xrm_control.core.sample import SampleSpec
from xrm_control.roi.areas import Avoided
from xrm_control.roi.strategy import Extent, Limits, Roi, allowed_um, name_of


@dataclass(frozen=True)
class Place:
    """The centre of a window; `where` is its field in the recipe."""

    x_um: float
    y_um: float
    z_um: float
    where: str


def check_places(places: Sequence[Place], limits: Limits, fov_um: float, width_um: float | None = None) -> None:
    """Raise SafetyRefusal for a place beyond the limits, RecipeError for two whose windows overlap.

    width_um: of what is reconstructed, where that is more than the window.
    """
    for place in places:
        for axis, value, (low, high) in (("x", place.x_um, limits.x_um), ("y", place.y_um, limits.y_um)):
            if not low <= value <= high:
                raise SafetyRefusal(
                    f"the position lies outside the limits of stage {axis}",
                    where=f"{place.where}.{axis}_um",
                    value=f"{value:g} um",
                    limit=f"{low:g} to {high:g} um",
                    remedy="move the position inside",
                )
    for i, one in enumerate(places):
        for two in places[i + 1 :]:
            apart_x, apart_y = abs(one.x_um - two.x_um), abs(one.y_um - two.y_um)
            apart = max(apart_x, apart_y)
            if width_um and apart_x < width_um * (1 - 1e-9) and apart_y < fov_um * (1 - 1e-9) <= apart:
                raise RecipeError(
                    f"the volume overlaps that of {one.where}: particles would be counted twice",
                    where=two.where,
                    value=f"{apart_x:g} um apart in x, {apart_y:g} in y",
                    limit=f"{width_um:g} um in x, or {fov_um:g} um in y",
                    remedy="move one of them, or leave it out",
                )
            if apart < fov_um * (1 - 1e-9):
                raise RecipeError(
                    f"the window overlaps that of {one.where}",
                    where=two.where,
                    value=f"{apart:g} um apart",
                    limit=f"at least one field of view, {fov_um:g} um, in x or in y",
                    remedy="move one of them, or leave it out",
                )


def check_avoided(places: Sequence[Place], avoid: Sequence[Avoided], fov_um: float) -> None:
    """Raise RecipeError for a place whose window touches an area to avoid: the recipe asks for both."""
    for place in places:
        for number, area in enumerate(avoid):
            if area.touched_by(np.array([(place.x_um, place.y_um)]), fov_um)[0]:
                raise RecipeError(
                    f"the window touches the area to avoid {area.text}",
                    where=f"{place.where}, roi.avoid[{number}]",
                    value=f"x {place.x_um:g}, y {place.y_um:g} um, window {fov_um:g} um",
                    limit=f"beside x {area.x_um:g}, y {area.y_um:g} um, {area.size_um[0]:g} x {area.size_um[1]:g} um",
                    remedy="move one of them, or leave it out",
                )


def outside_mosaic(place: Place, mosaic: Extent, fov_um: float) -> RecipeError:
    """The refusal of a place whose window leaves the mosaic."""
    (left, right), (top, bottom) = mosaic.x_um, mosaic.y_um
    return RecipeError(
        "the window leaves the mosaic",
        where=place.where,
        value=f"x {place.x_um:g}, y {place.y_um:g} um, window {fov_um:g} um",
        limit=f"mosaic x {left:g} to {right:g} um, y {top:g} to {bottom:g} um",
        remedy="move the position, or enlarge the mosaic",
    )


def diagnose_places(
    places: Sequence[Place], mosaic: Extent, fov_um: float, sample: SampleSpec
) -> Iterator[tuple[Place, Diagnostic]]:
    """Each place whose window leaves the planned mosaic, or shows nothing of the strip (whose middle is at x = 0)."""
    for place in places:
        if not inside_mosaic(place, mosaic, fov_um):
            yield place, Diagnostic.of(outside_mosaic(place, mosaic, fov_um))
        elif abs(place.x_um) - fov_um / 2 >= sample.strip_width_um / 2:
            yield (
                place,
                Diagnostic(
                    (place.where, "sample.strip_width_um"),
                    "the window lies beside the strip",
                    f"x {place.x_um:g} um, window {fov_um:g} um",
                    f"strip x {-sample.strip_width_um / 2:g} to {sample.strip_width_um / 2:g} um",
                    "move the position, or give the strip's true width",
                ),
            )


def inside_mosaic(place: Place, mosaic: Extent, fov_um: float) -> bool:
    """Whether the whole window lies in the mosaic (within a pixel)."""
    endless = Limits((-np.inf, np.inf), (-np.inf, np.inf))
    spans = allowed_um(mosaic, fov_um, endless)
    slack = mosaic.pixel_size_um
    return all(
        low - slack <= value <= high + slack for value, (low, high) in zip((place.x_um, place.y_um), spans, strict=True)
    )


_MOST_WINDOWS = 1000


def cover(centre: Place, width_um: float, height_um: float, fov_um: float) -> list[Place]:
    """The fewest windows side by side that cover a box around `centre`, row by row.

    Raises RecipeError for a box that no mosaic holds: its windows would fill the memory before anybody looks at them.
    """
    columns, rows = (max(1, math.ceil(size / fov_um - 1e-6)) for size in (width_um, height_um))
    if columns * rows > _MOST_WINDOWS:
        raise RecipeError(
            "too many regions for one box",
            where=centre.where,
            value=f"{width_um:g} by {height_um:g} um",
            limit=f"{_MOST_WINDOWS} windows of {fov_um:g} um",
            remedy="draw a smaller box",
        )
    return [
        replace(
            centre,
            x_um=centre.x_um + (column - (columns - 1) / 2) * fov_um,
            y_um=centre.y_um + (row - (rows - 1) / 2) * fov_um,
        )
        for row in range(rows)
        for column in range(columns)
    ]


def require_inside(place: Place, mosaic: Extent, fov_um: float) -> None:
    """Raise RecipeError for a window that leaves the mosaic."""
    if not inside_mosaic(place, mosaic, fov_um):
        raise outside_mosaic(place, mosaic, fov_um)


def roi_at(place: Place, number: int, fov_um: float, reason: str, expected: int) -> Roi:
    """The region number `number` (from 1) with its centre at `place`."""
    return Roi(name_of(number), place.x_um, place.y_um, place.z_um, fov_um, fov_um, reason, expected)
