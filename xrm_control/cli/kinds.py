"""Kinds of families as choices of the command line: looked up when somebody asks, so that no command waits for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from typer.core import TyperCommand

# Options whose values are kinds, and the families each chooses from.
_FAMILIES = {
    "method": ("reconstructors",),
    "threshold": ("thresholds",),
    "to": ("exporters", "mesh_exporters"),
}


def kinds_of(option: str) -> tuple[str, ...]:
    """What an option may be."""
    from xrm_control import app

    return tuple(kind for family in _FAMILIES[option] for kind in app.kinds(family))


def complete(option: str) -> Callable[[str], list[str]]:
    """Completion for the shell."""

    def completed(incomplete: str) -> list[str]:
        return [kind for kind in kinds_of(option) if kind.startswith(incomplete)]

    return completed


class KindsCommand(TyperCommand):
    """A command whose help lists the kinds that its options may be."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """See `TyperCommand.format_help`."""
        for option in self.params:
            if option.name in _FAMILIES and (told := getattr(option, "help", None)) is not None:
                setattr(option, "help", f"{told}: {', '.join(kinds_of(option.name))}")  # noqa: B010
        super().format_help(ctx, formatter)
