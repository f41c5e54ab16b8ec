"""An analysis core of another package, in a process of its own: a crash, a leak or a hang there is only its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from xrm_control.core.errors import XrmError
from xrm_control.recipe.handoff import entry_point

_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); "
    "from xrm_control.processing.foreign_core import main; main(*sys.argv[1:])"
)


def command_of(core: str) -> tuple[str, ...]:
    """A command line that runs the installed core of that name; the hand-off's two paths follow it."""
    return (sys.executable, "-c", _BOOT, json.dumps(sys.path), core)


def main(core: str, handoff: str, out: str) -> None:
    """Take the hand-off; what is wrong is said on standard error."""
    try:
        entry_point(core)(Path(handoff), Path(out))
    except XrmError as error:
        sys.exit(str(error))
