"""A number with its standard uncertainty."""

from __future__ import annotations

from typing import NamedTuple


class Measured(NamedTuple):
    """A value and its standard uncertainty, in the same unit."""

    value: float
    u: float
