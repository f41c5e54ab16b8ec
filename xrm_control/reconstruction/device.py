"""Where a method computes."""

from __future__ import annotations

from typing import Literal

Device = Literal["auto", "cpu", "gpu"]
