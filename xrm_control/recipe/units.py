"""The units that keys carry in their names (`exposure_s`), so that messages can name and convert them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_NUMBER_AND_UNIT = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([^\W\d_][\w/^%°]*|[%°])\s*")


@dataclass(frozen=True)
class Unit:
    """A unit: how it is written, what it measures, and its size in the first unit of that dimension."""

    symbol: str
    dimension: str
    factor: float = 1.0


_UNITS = {
    "s": Unit("s", "time"),
    "ms": Unit("ms", "time", 1e-3),
    "us": Unit("us", "time", 1e-6),
    "min": Unit("min", "time", 60.0),
    "h": Unit("h", "time", 3600.0),
    "um": Unit("um", "length"),
    "nm": Unit("nm", "length", 1e-3),
    "mm": Unit("mm", "length", 1e3),
    "cm": Unit("cm", "length", 1e4),
    "m": Unit("m", "length", 1e6),
    "deg": Unit("degrees", "angle"),
    "rad": Unit("rad", "angle", 180 / math.pi),
    "mrad": Unit("mrad", "angle", 0.18 / math.pi),
    "kev": Unit("keV", "energy"),
    "ev": Unit("eV", "energy", 1e-3),
    "px": Unit("pixels", "pixels"),
    "percent": Unit("percent", "ratio"),
    "per_um": Unit("1/um", "attenuation"),
    "per_cm": Unit("1/cm", "attenuation", 1e-4),
    "per_s": Unit("1/s", "rate"),
    "um_s": Unit("um/s", "speed"),
    "deg_s": Unit("degrees/s", "angular speed"),
    "um2": Unit("um^2", "area"),
    "um3": Unit("um^3", "volume"),
    "g_cm3": Unit("g/cm^3", "density"),
    "kb": Unit("kB", "size", 1e-3),
    "mb": Unit("MB", "size"),
    "gb": Unit("GB", "size", 1e3),
    "gy": Unit("Gy", "dose"),
    "mgy": Unit("MGy", "dose", 1e6),
    "hz": Unit("Hz", "frequency"),
}
_SPELLINGS = {
    "sec": "s",
    "secs": "s",
    "second": "s",
    "seconds": "s",
    "minute": "min",
    "minutes": "min",
    "hour": "h",
    "hours": "h",
    "µm": "um",
    "μm": "um",
    "micron": "um",
    "microns": "um",
    "µs": "us",
    "μs": "us",
    "degree": "deg",
    "degrees": "deg",
    "°": "deg",
    "%": "percent",
    "pixel": "px",
    "pixels": "px",
    "g/cm3": "g_cm3",
    "1/um": "per_um",
}


def unit_of_key(key: str) -> tuple[str, Unit | None]:
    """The stem of a key and the unit its name ends in: ``exposure_s`` -> ("exposure", s); None without one."""
    words = key.lower().split("_")
    for count in (2, 1):
        unit = _UNITS.get("_".join(words[-count:])) if len(words) > count else None
        if unit:
            return "_".join(words[:-count]), unit
    return key.lower(), None


def read_quantity(text: str) -> tuple[float, Unit | None, str] | None:
    """A number followed by a unit: ``"500 ms"`` -> (500, ms, "500"); the unit is None when it is not known."""
    match = _NUMBER_AND_UNIT.fullmatch(text)
    if not match:
        return None
    word = match[2].lower()
    return float(match[1]), _UNITS.get(_SPELLINGS.get(word, word)), match[1]


def convert(value: float, given: Unit, wanted: Unit) -> str | None:
    """`value` in the wanted unit, as it would be typed; None when the two do not measure the same."""
    if given.dimension != wanted.dimension:
        return None
    return number(value * given.factor / wanted.factor)


def number(value: object) -> str:
    """A number as an operator would type it."""
    return f"{value:.12g}" if isinstance(value, float) else str(value)
