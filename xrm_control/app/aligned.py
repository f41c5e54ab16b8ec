"""May a recipe's alignment be used today, on this instrument? One measured too long ago says nothing of the camera."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from xrm_control.contracts.alignment import Alignment
from xrm_control.core.findings import Finding
from xrm_control.recipe.document import Recipe

CAMERA, AXIS = "alignment: camera", "alignment: axis"
_SAME_PIXEL = 1e-3
# Half a picture's height times that is half a pixel of 128.
_LEVEL_DEG, _ACROSS_DEG = 0.4, 45.0
_AGAIN = "measure it again: `xrm calibrate RECIPE`"
_TURN = "turn the picture in the camera, or in the instrument's map"


def findings(recipe: Recipe, now: datetime) -> Iterator[Finding]:
    """Of the recipe's alignment; nothing for a recipe without one."""
    alignment = recipe.alignment
    if alignment is None:
        return
    age, about = alignment.age_days(now), recipe.instrument.describe()
    pixel_um = about.camera.pixel_size_um
    yield _fits(
        "age",
        # A clock may be a day wrong, and no more.
        -1.0 <= age <= alignment.valid_days,
        f"{age:.1f} days old, valid for {alignment.valid_days:g}",
    )
    yield _fits("instrument", alignment.instrument == about.name, f"{alignment.instrument}, this is {about.name}")
    yield _fits(
        "pixel",
        abs(alignment.pixel_size_um / pixel_um - 1) < _SAME_PIXEL,
        f"{alignment.pixel_size_um:g} um, the instrument's is {pixel_um:g} um",
    )
    yield _camera(alignment)
    if alignment.axis_tilt_deg is not None:
        yield _axis(alignment.axis_tilt_deg, alignment.axis_tilt_u_deg or 0.0, recipe.reconstruction.detector_tilt_deg)


def _fits(what: str, ok: bool, found: str) -> Finding:
    return Finding(f"alignment: {what}", ok, found, "" if ok else _AGAIN)


def _camera(alignment: Alignment) -> Finding:
    """What scans come to with it: they are reconstructed from pictures as the camera gives them."""
    turned, told = abs(alignment.rotation_deg), alignment.text()
    if turned >= _ACROSS_DEG:
        why = f"the rotation axis lies across the picture, and no scan of it can be reconstructed: {_TURN}"
        return Finding(CAMERA, False, told, why)
    if alignment.mirrored:
        return Finding(
            CAMERA, True, told, f"volumes are mirror images: sizes are right, right and left are not: {_TURN}"
        )
    if turned > _LEVEL_DEG and alignment.axis_tilt_deg is None:
        why = "an axis along stage y is tilted in the picture by as much, which blurs volumes: level the camera"
        return Finding(CAMERA, True, told, why)
    return Finding(CAMERA, True, told)


def _axis(tilt_deg: float, u_deg: float, stated: float | Literal["auto"]) -> Finding:
    """The rotation axis in the picture, as it was measured, against what the recipe says of it."""
    told = f"tilted by {tilt_deg:+.2f} +- {u_deg:.2f} deg"
    if stated != "auto" and abs(stated - tilt_deg) > _LEVEL_DEG + 3 * u_deg:
        why = f"reconstruction.detector_tilt_deg states {stated:+.2f}: leave it at auto, or state what was measured"
        return Finding(AXIS, False, told, why)
    if abs(tilt_deg) > _LEVEL_DEG and stated == "auto":
        return Finding(AXIS, True, told, "volumes are made of pictures that are turned back by it: level the camera")
    return Finding(AXIS, True, told)
