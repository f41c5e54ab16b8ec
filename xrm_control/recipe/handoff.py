"""Who takes the volumes: the hand-off's part of a recipe."""

from __future__ import annotations

import importlib.metadata
from typing import Any

from pydantic import Field

from xrm_control.core.errors import DataError
from xrm_control.core.model import Spec

CORES = "xrm_control.analysis_cores"


class TakerSpec(Spec):
    """Who takes the volumes: the built-in core, an entry point, or a command line."""

    core: str = Field(
        default="builtin", description="`builtin`, or a name in the entry-point group xrm_control.analysis_cores"
    )
    command: tuple[str, ...] = Field(
        default=(), description="a command instead: called with the path of handoff.json and the output folder"
    )
    timeout_s: float = Field(
        default=3600.0,
        gt=0,
        le=7 * 86400,
        description="of the wall clock, for one region; what a command or an entry point has not done by then is ended",
    )

    @property
    def foreign(self) -> bool:
        """Whether another core than the built-in one takes the volumes."""
        return bool(self.command) or self.core != "builtin"


def find_core(taker: TakerSpec) -> None:
    """Raise DataError now if the recipe names an analysis core that is not installed."""
    if taker.foreign and not taker.command:
        entry_point(taker.core)


def entry_point(name: str) -> Any:
    """The analysis core of that name, loaded. Raises DataError when none is installed."""
    points = importlib.metadata.entry_points(group=CORES)
    if name not in points.names:
        raise DataError(
            "no such analysis core is installed",
            where="handoff.core",
            value=name,
            limit=f"builtin{''.join(f', {known}' for known in sorted(points.names))}",
            remedy=f"install the package that offers it in the entry-point group {CORES}",
        )
    return points[name].load()
