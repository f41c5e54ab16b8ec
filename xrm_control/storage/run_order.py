"""Which run was begun after which: by a number of its own, as a clock may be set back, and the name with it.

A run's number is one above those of all runs that lie beside it when it is begun. Runs of earlier versions have none,
and come before all that have one, in the order of their names.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from xrm_control.storage.durable import write_durable

NUMBER = ".number"
_LONGEST = 20


def give_number(run: Path) -> None:
    """Give a new run its number, durably. Raises StorageError."""
    number = 1 + max((_number(beside) for beside in run.parent.iterdir() if beside != run), default=0)
    write_durable(run / NUMBER, f"{number}\n".encode())


def in_order(runs: Iterable[Path]) -> list[Path]:
    """Runs that lie beside each other, in the order in which they were begun."""
    return sorted(runs, key=lambda run: (_number(run), run.name))


def _number(run: Path) -> int:
    with suppress(OSError), (run / NUMBER).open("rb") as file:
        text = file.read(_LONGEST).strip()
        return int(text) if text.isdigit() else 0
    return 0
