"""Units that files state, by pint, at one place: known in any spelling, or refused with what would make sense.

Where a number comes from is told with it. What the operator says goes before the file, the file before an assumption.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError

_DEFINITIONS = (
    *("kilo- = 1e3 = k-", "centi- = 1e-2 = c-", "milli- = 1e-3 = m-", "nano- = 1e-9 = n-", "pico- = 1e-12 = p-"),
    "micro- = 1e-6 = µ- = μ- = u-",
    "meter = [length] = m = metre",
    "micron = 1e-6 * meter = µ = μ",
    "angstrom = 1e-10 * meter = Å = å = ångström = ångstrom",
    "inch = 0.0254 * meter = in",
    f"radian = [angle] = rad\ndegree = {math.pi / 180!r} * radian = deg = °\ngon = {math.pi / 200!r} * radian = grad",
    f"turn = {2 * math.pi!r} * radian = revolution = rev\narcminute = {math.pi / 10800!r} * radian = arcmin",
    f"arcsecond = {math.pi / 648000!r} * radian = arcsec",
    "electron_volt = [energy] = eV = ev = electronvolt\nMeV = 1e6 * electron_volt",
    "second = [time] = s = sec\nminute = 60 * second = min",
    "pixel = [] = px = voxel",  # um/pixel is a length
)
# Of a pixel at the sample, and of a voxel: from 5 nm to 0.1 mm.
SMALLEST_UM, LARGEST_UM = 0.005, 100.0
_LENGTHS = ("um", "nm", "mm", "m", "angstrom", "cm")
_ANGLES = {"degree": "degrees", "radian": "radians", "mrad": "milliradians", "turn": "turns", "gon": "gon"}
_NARROW_DEG = 20.0
_LONGEST_UNIT = 60  # characters
_MOST_DEG = 1e7  # counts of an encoder, or a number that was damaged
# Spans of an angular range that a scan has by intent, in degrees.
_SCANS_DEG = (90, 120, 140, 150, 160, 180, 360, 720)


@dataclass(frozen=True)
class Sourced:
    """A number with where it comes from: "sample/x_pixel_size"."""

    value: float
    source: str

    def scale(self) -> str:
        """Of a length in um, as it is printed and stored: "0.5 um, from sample/x_pixel_size"."""
        return f"{self.value:.6g} um, from {self.source}"


def factor(unit: str, wanted: str) -> float | None:
    """What a number in `unit` is multiplied with to be one in `wanted`; None for what is not known or measures else."""
    if len(unit) > _LONGEST_UNIT:
        return None
    cleaned = unit.replace("\\u00B5", "µ").replace("\\u00b5", "µ").replace("Â", "").replace("(s)", "")
    cleaned = cleaned.strip().strip("[]().").strip()
    found = _factor(cleaned, wanted)
    return _factor(cleaned.lower(), wanted) if found is None else found


@lru_cache(maxsize=256)
def _factor(unit: str, wanted: str) -> float | None:
    from pint import PintError

    if not unit or any(
        character.isdigit() for character in unit.replace("^-1", "").replace("1/", "").replace("-1", "")
    ):
        return None
    try:
        found = float(_registry().parse_expression(unit).to(wanted).magnitude)
        return found if found > 0 else None
    except (PintError, TokenError, ArithmeticError, ValueError, TypeError, AttributeError, SyntaxError, AssertionError):
        # Pint's parser fails in its own ways on what is no expression at all.
        return None


@lru_cache(maxsize=1)
def _registry() -> Any:
    from pint import UnitRegistry

    registry = UnitRegistry(None)  # pyright: ignore[reportArgumentType] None: no units but ours
    for line in "\n".join(_DEFINITIONS).splitlines():
        registry.define(line)
    return registry


def length_um(value: float, unit: str, where: str, option: str, *, assumed: str = "um") -> Sourced:
    """A pixel or voxel of a file in um. unit "": the file states none, and `assumed` is taken and told.

    option: by which the operator may state the length. Raises DataError for an unknown unit and a senseless length.
    """
    scale = factor(unit or assumed, "um")
    if scale is None:
        raise DataError(
            "the unit of a length is not understood",
            where=where,
            value=f"{value:g} {unit!r}",
            limit="um, nm, mm, cm, m, angstrom or inch",
            remedy=f"state the size yourself: {option}{_guesses(value)}",
        )
    found = value * scale
    if not (math.isfinite(found) and SMALLEST_UM <= found <= LARGEST_UM):
        raise _senseless(value, found, unit or f"{assumed}, assumed", where, f"state it yourself: {option}")
    return Sourced(found, f"{where} in {unit}" if unit else f"{where}, without a unit and taken as {assumed}")


def operator_um(value: float, option: str) -> Sourced:
    """A length that the operator states in um. Raises DataError where it makes no sense."""
    if not (math.isfinite(value) and SMALLEST_UM <= value <= LARGEST_UM):
        raise _senseless(value, value, "um", option, "state it in um")
    return Sourced(float(value), option)


def _senseless(value: float, found: float, unit: str, where: str, remedy: str) -> DataError:
    return DataError(
        "a pixel or voxel of that size makes no sense",
        where=where,
        value=f"{value:g} ({unit}): {found:g} um",
        limit=f"{SMALLEST_UM:g} to {LARGEST_UM:g} um",
        remedy=f"{remedy}{_guesses(value)}",
    )


def _guesses(value: float) -> str:
    """In which units the bare number would make sense."""
    sizes = {unit: value * (factor(unit, "um") or 0) for unit in _LENGTHS}
    fitting = [f"{size:g} if it is in {unit}" for unit, size in sizes.items() if 0.01 <= size <= 30]
    return f" ({', '.join(fitting)})" if fitting else ""


def angles_deg(values: NDArray[Any], unit: str, where: str, told: str | None = None) -> tuple[NDArray[np.float64], str]:
    """Angles of a file in degrees, and in words where their unit is from. unit "": the file states none.

    told: the unit by the operator's word. Raises DataError for an unknown unit, and for a range that is none in its
    unit but would be one in another.
    """
    stated = told or unit
    scale = factor(stated or "degree", "degree")
    if scale is None:
        raise DataError(
            "the unit of the angles is not understood",
            where="--angle-unit" if told else where,
            value=repr(stated),
            limit="degree, rad, mrad, turn or gon",
            remedy="state it yourself, e.g. --angle-unit deg",
        )
    bare = np.asarray(values, float)
    absurd = np.flatnonzero(np.abs(bare * scale) > _MOST_DEG)
    if absurd.size:
        raise DataError(
            "is no angle of a view",
            where=f"{where}, view {absurd[0]}",
            value=f"{bare.flat[absurd[0]]:g} {stated or '(degrees, assumed)'}",
            limit=f"within {_MOST_DEG:g} degrees",
            remedy="mend the angles, or state their unit: --angle-unit",
        )
    if told is None:
        _refuse_range(bare, scale, unit, where)
    origin = f"{told}, by --angle-unit" if told else f"in {unit}" if unit else "without a unit and taken as degrees"
    return bare * scale, f"{where}, {origin}"


def _refuse_range(bare: NDArray[np.float64], scale: float, unit: str, where: str) -> None:
    """Whatever the number of views: 3.14 degrees are no scan, and 180 of no unit at all are one in degrees alone."""
    if len(bare) < 2 or not np.isfinite(bare).all():
        return  # said where scans are checked
    span = float(np.ptp(bare))
    if _like_a_scan(span * scale, len(bare)):
        return
    others = [one for one in _ANGLES if _like_a_scan(span * (factor(one, "degree") or 0), len(bare))]
    doubtful = not unit and span * scale > 720
    if not others and not doubtful:
        return  # what is narrow in any unit is refused where scans are checked
    if span * scale >= _NARROW_DEG and unit and factor(unit, "degree") == 1:
        return  # golden angles go round many times, and the file says that they are degrees
    like = f"look like {_ANGLES[others[0]]}" if others else "go round many times, in no stated unit"
    raise DataError(
        f"the angles {like}",
        where=where,
        value=f"{len(bare)} views within {span * scale:.4g} degrees, unit {unit or 'not stated'}",
        limit="-90 to 90 or 0 to 360 degrees, for instance",
        remedy=f"state their unit: --angle-unit {others[0] if others else 'deg'}",
    )


def _like_a_scan(span_deg: float, views: int) -> bool:
    """Whether a range, with or without its last step, is one that people choose."""
    whole = span_deg * views / max(views - 1, 1)
    return any(abs(size / wanted - 1) < 5e-3 for size in (span_deg, whole) for wanted in _SCANS_DEG)
