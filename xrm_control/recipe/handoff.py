"""Who takes the volumes: the hand-off's part of a recipe."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from xrm_control.core.diagnostics import Diagnostic
from xrm_control.core.errors import DataError
from xrm_control.core.model import Spec

CORES = "xrm_control.analysis_cores"
# Arguments with such endings are files that an interpreter is to run.
_LEAST_S = 1.0
_SCRIPTS = (".py", ".sh", ".jl", ".r", ".m", ".pl")


class TakerSpec(Spec):
    """Who takes the volumes: the built-in core, an entry point, or a command line."""

    core: str = Field(
        default="builtin",
        max_length=200,
        description="`builtin`, or a name in the entry-point group xrm_control.analysis_cores",
    )
    command: tuple[Annotated[str, Field(max_length=4096)], ...] = Field(
        default=(),
        max_length=100,
        description="a command instead: called with the path of handoff.json and the output folder",
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


def diagnose_command(taker: TakerSpec, *, here: bool) -> Iterator[Diagnostic]:
    """What can be said of the command before it is called; `here`: it will run on this machine."""
    if taker.foreign and taker.timeout_s < _LEAST_S:
        yield Diagnostic(
            ("handoff.timeout_s",),
            "every region would be set aside: no program measures a volume in that time",
            f"{taker.timeout_s:g} s",
            f"at least {_LEAST_S:g} s",
            "give what one region needs, and some more",
        )
    if not taker.command:
        return
    if taker.core != "builtin":
        yield Diagnostic(
            ("handoff.core", "handoff.command"),
            "a core and a command are given: only one can take the volumes",
            taker.core,
            remedy="leave one of them out",
        )
    program = taker.command[0]
    if not program.strip() or any("\0" in part for part in taker.command):
        yield Diagnostic(("handoff.command",), "names no program", repr(program)[:80], remedy=_EXAMPLE)
    elif here and shutil.which(program) is None:
        yield Diagnostic(("handoff.command",), _why_not(program), program, remedy=_EXAMPLE)
    elif here:
        scripts = (part for part in taker.command[1:] if part.lower().endswith(_SCRIPTS) and not part.startswith("-"))
        for script in scripts:
            if not Path(script).is_file():
                yield Diagnostic(
                    ("handoff.command",),
                    "there is no such file for the program to run",
                    script,
                    f"looked for from {Path.cwd()}",
                    "give its whole path",
                )


_EXAMPLE = "write a program of the search path, or a whole path: [python3, /home/me/my_core.py]"


def _why_not(program: str) -> str:
    path = Path(program)
    try:
        if os.sep not in program:
            return "there is no such program in the search path (PATH)"
        if path.is_dir():
            return "is a folder, no program"
        if path.exists():
            return "is a file that may not be executed"
    except (OSError, ValueError):
        pass
    return "there is no such program"


def find_core(taker: TakerSpec) -> None:
    """Raise DataError now if the recipe names an analysis core that is not installed."""
    if taker.foreign and not taker.command:
        entry_point(taker.core)


def entry_point(name: str) -> Any:
    """The analysis core of that name, loaded. Raises DataError when none is installed, or it cannot be used."""
    if name not in installed_cores():
        raise DataError(
            "no such analysis core is installed",
            where="handoff.core",
            value=name,
            limit=f"builtin{''.join(f', {known}' for known in installed_cores())}",
            remedy=f"install the package that offers it in the entry-point group {CORES}",
        )
    core, problem = _loaded(name)
    if problem:
        raise DataError(
            f"the analysis core cannot be used: {problem}",
            where="handoff.core",
            value=name,
            remedy="update the package that offers it, or choose another core",
        )
    return core


def installed_cores() -> tuple[str, ...]:
    """Names of the analysis cores that other packages offer, sorted; nothing is imported."""
    return tuple(sorted(importlib.metadata.entry_points(group=CORES).names))


def broken_cores() -> dict[str, str]:
    """Name -> why it cannot be used, of the installed cores."""
    return {name: problem for name in installed_cores() if (problem := _loaded(name)[1])}


def _loaded(name: str) -> tuple[Any, str]:
    """The core, and what is wrong with it; "" when nothing is."""
    points = {point.value: point for point in importlib.metadata.entry_points(group=CORES, name=name)}
    if len(points) > 1:
        return None, f"several packages offer it: {', '.join(sorted(points))}"
    (point,) = points.values()
    try:
        core = point.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001  whatever another package raises when it is imported
        return None, f"{point.value} cannot be imported: {type(error).__name__}: {error}"
    return core, "" if callable(core) else f"{point.value} is no function of handoff.json and a folder"
