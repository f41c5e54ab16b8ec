"""Numbers as people type them: of the digits 0 to 9, with a point, perhaps with an exponent.

Python's own conversion takes more than was meant: 1_0 for 10, and the digits of every script.
"""

from __future__ import annotations

import re

PLAIN = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
"""Of a number without sign and exponent, for patterns."""
_NUMBER = re.compile(rf"\s*[-+]?(?:{PLAIN}(?:[eE][-+]?[0-9]+)?|nan|inf(?:inity)?)\s*", re.IGNORECASE)
_WHOLE = re.compile(r"\s*[-+]?[0-9]{1,19}\s*")


def is_number(text: str) -> bool:
    """Whether a text is a number; NaN and infinities are, for whoever refuses them by their own words."""
    return _NUMBER.fullmatch(text) is not None


def number(text: str) -> float | None:
    """The number that a text is; None where it is none."""
    return float(text) if is_number(text) else None


def whole_number(text: str) -> int | None:
    """The whole number that a text is; None where it is none."""
    return int(text) if _WHOLE.fullmatch(text) else None
