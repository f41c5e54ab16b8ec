"""What goes wrong in a rehearsal: a storm by its name, or faults from a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import Field

from xrm_control.core.errors import RecipeError
from xrm_control.core.model import Spec
from xrm_control.devices.rehearsed import STORMS, storm
from xrm_control.devices.scripted_faults import FaultSpec
from xrm_control.recipe.loading import load_document

Storm = Callable[[int, float], tuple[FaultSpec, ...]]
"""Of a seed and of how many seconds the night lasts: its faults."""


class StormFile(Spec):
    """A file of faults, in the words of a recipe's `instrument.faults`."""

    faults: tuple[FaultSpec, ...] = Field(max_length=10_000)


def find_storm(wanted: str | None) -> Storm:
    """The storm that was asked for; none: calm. Raises RecipeError for what is neither a storm nor a file of faults."""
    if wanted is None:
        return lambda _seed, _lasts_s: ()
    if wanted in STORMS:
        return lambda seed, lasts_s: storm(wanted, seed, lasts_s)
    path = Path(wanted)
    if path.suffix not in (".yaml", ".yml"):
        raise RecipeError(
            "no such storm",
            where="--storm",
            value=wanted,
            limit=", ".join(sorted(STORMS)),
            remedy="name one of them, or a YAML file with `faults:` as in a recipe's instrument",
        )
    faults = load_document(path, StormFile, {})[0].faults
    return lambda _seed, _lasts_s: faults


def told(fault: FaultSpec) -> str:
    """A fault in a line."""
    said = fault.model_dump(exclude_defaults=True, exclude={"kind", "at_s"})
    facts = ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in said.items()
    )
    when = "" if fault.at_s is None else f" at {fault.at_s:.0f} s"
    return f"{fault.kind}{when}{f' ({facts})' if facts else ''}"
