"""Printing values: never an exception, a dash for what is not known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

MISSING = "–"


def number(value: Any) -> float | None:
    """A finite float, or None for anything that is not one (text, truth values, NaN)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def text(value: Any) -> str:
    """A value of a document as one line of text; a dash for nothing, numbers rounded, lists joined."""
    if value is None or value == "":
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e6:
        return figure(int(value))
    if isinstance(value, int | float):
        return figure(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {text(item)}" for key, item in value.items()) or MISSING
    if isinstance(value, list | tuple):
        return ", ".join(text(item) for item in value) or MISSING
    return str(value)


def figure(value: Any, digits: int = 3) -> str:
    """A number in `digits` significant digits, without exponents between 0.001 and a million; whole numbers in full."""
    found = number(value)
    if found is None:
        return MISSING
    if isinstance(value, int):
        return group(value)
    if found == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(found)))
    if not -4 <= magnitude <= 5:
        return f"{found:.{digits - 1}e}"
    decimals = max(0, digits - 1 - magnitude)
    printed = f"{found:.{decimals}f}"
    return printed.replace("-", "\N{MINUS SIGN}") if printed.strip("-0.") else "0"


def signed(value: float, decimals: int = 1) -> str:
    """A number with its sign and the given number of decimals."""
    return f"{value:+.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def group(value: int) -> str:
    """A whole number with thin spaces between its thousands from 10 000 on."""
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}") if abs(value) >= 10_000 else str(value)


def percent(value: Any, digits: int = 3) -> str:
    """A fraction as per cent."""
    found = number(value)
    return MISSING if found is None else f"{figure(100 * found, digits)} %"


def interval(bounds: Any, scale: float = 1.0, digits: int = 3) -> str:
    """A pair of numbers as `low to high`."""
    if not isinstance(bounds, list | tuple) or len(bounds) != 2:
        return MISSING
    low, high = number(bounds[0]), number(bounds[1])
    if low is None or high is None:
        return MISSING
    return f"{figure(scale * low, digits)} to {figure(scale * high, digits)}"


def with_interval(value: Any, bounds: Any) -> str:
    """A number and, in brackets, its interval where it has one: `6.4 (6.1 to 6.7)`."""
    ends = interval(bounds)
    return figure(value) if ends == MISSING else f"{figure(value)} ({ends})"


def with_uncertainty(value: Any, standard_uncertainty: Any) -> str:
    """A number to the place of the second digit of its standard uncertainty: `6.412 ± 0.026`; alone without one."""
    found, u = number(value), number(standard_uncertainty)
    if found is None or not u:
        return figure(value)
    decimals = max(0, 1 - math.floor(math.log10(abs(u))))
    return f"{found:.{decimals}f} ± {u:.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def duration(seconds: Any) -> str:
    """Seconds as `55.1 s`, `4 min 31 s` or `2 h 05 min`."""
    found = number(seconds)
    if found is None:
        return MISSING
    if found < 100:
        return f"{found:.1f} s"
    if found < 6000:
        return f"{int(round(found) // 60)} min {int(round(found) % 60):02d} s"
    minutes = round(found / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def utc_text(value: Any) -> str | None:
    """A UTC time in ISO form to the second; as it is where it is not one; None for nothing."""
    if not isinstance(value, str) or not value:
        return None
    try:
        then = datetime.fromisoformat(value)
    except ValueError:
        return value
    return f"{(then.astimezone(UTC) if then.tzinfo else then):%Y-%m-%d %H:%M:%S} UTC"
