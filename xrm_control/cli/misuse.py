"""Commands that are none, or with arguments that they do not have, told as every other error is."""

from __future__ import annotations

from typing import Any

import typer

from xrm_control.core.errors import RecipeError

MISUSE: type[Exception] = typer.BadParameter.__mro__[1]
"""What typer raises for wrong arguments: of click, or in newer versions of its own."""


def told(error: Any) -> RecipeError | None:
    """The error to show for one of `MISUSE`; None where it asks for the help, which it then shows itself."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return None
    # Explanations of types are paragraphs of their own; an option cut short knows no command.
    what = " ".join(error.format_message().split()).rstrip(".")
    command = error.ctx.command_path if error.ctx is not None else "xrm"
    return RecipeError(what, where=command, remedy=f"see `{command} --help`")
