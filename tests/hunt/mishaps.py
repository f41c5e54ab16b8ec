"""Mishaps: troubles that need to know where the run stands; how they are drawn, and what they do to its folder.

| kind | what happens |
|---|---|
| orphan | the process dies between a frame's name and its commit, and the file is found otherwise than it was written |
| stray | between two sittings somebody leaves a file among the frames |
| skip_begun | whoever goes on with a run skips at once the region in which it stood |
| pause_unwritten | somebody pauses while a frame is exposed that then cannot be written |
| pause_stuck | somebody pauses while a frame is exposed, and the shutter does not close any more |
| new_folder | the process dies between a folder's making and its flush; the machine `later` steps after |
| last_write | the last frame of a stage cannot be written; postponed: it is the first one, bad till then |
| obstacle | an axis does not come through until somebody sees to it: before the next sitting |
| reset | the instrument is away for a while, and its camera comes back with settings of its own |
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xrm_control.core.errors import XrmError
from xrm_control.core.frame_id import FrameId
from xrm_control.storage.journal import JournalReader
from xrm_control.storage.run_folder import RunFolder

SECONDS_PER_FRAME = 1.9
STEPS_PER_FRAME = 11
_HOW = ("zeros", "half", "other", "bytes", "whole")
_STRAYS = ("copy", "next", "empty")
AS_FAULT = {"obstacle": "stall", "reset": "disconnect"}
"""Mishaps of the instrument, and the kind of fault that each begins with."""


def at_s(chance: random.Random, frames: int) -> float:
    """A moment of a night of so many frames."""
    return round(chance.uniform(0.1, frames * SECONDS_PER_FRAME), 2)


def at(chance: random.Random, frames: int) -> int:
    """A step of the disk in a night of so many frames."""
    return chance.randint(1, frames * STEPS_PER_FRAME)


def _orphan(chance: random.Random, frames: int) -> dict[str, Any]:
    return {"kind": "orphan", "at": at(chance, frames), "how": chance.choice(_HOW)}


def _stray(chance: random.Random, frames: int) -> dict[str, Any]:
    return {"kind": "stray", "at": at(chance, frames), "name": chance.choice(_STRAYS)}


def _last_write(chance: random.Random, _: int) -> dict[str, Any]:
    return {"kind": "last_write", "stage": chance.randint(1, 8), "postponed": chance.random() < 0.7}


def _skip_begun(chance: random.Random, _: int) -> dict[str, Any]:
    return {"kind": "skip_begun", "sitting": chance.randint(2, 5), "after_s": chance.choice((0.1, 3.0, 10.0))}


def _obstacle(chance: random.Random, frames: int) -> dict[str, Any]:
    return {"kind": "obstacle", "at_s": at_s(chance, frames), "axis": chance.choice(("x", "y", "theta"))}


def _reset(chance: random.Random, frames: int) -> dict[str, Any]:
    return {"kind": "reset", "at_s": at_s(chance, frames), "duration_s": chance.choice((0.5, 3.0, 20.0))}


def _new_folder(chance: random.Random, frames: int) -> dict[str, Any]:
    return {"kind": "new_folder", "at": at(chance, frames), "later": chance.choice((60, 120, 250))}


MISHAPS: dict[str, Callable[[random.Random, int], dict[str, Any]]] = {
    "orphan": _orphan,
    "stray": _stray,
    "skip_begun": _skip_begun,
    "pause_unwritten": lambda chance, frames: {"kind": "pause_unwritten", "at_s": at_s(chance, frames)},
    "last_write": _last_write,
    "obstacle": _obstacle,
    "reset": _reset,
    "pause_stuck": lambda chance, frames: {"kind": "pause_stuck", "at_s": at_s(chance, frames)},
    "new_folder": _new_folder,
}


def spoil(orphan: Path, how: str, chance: random.Random) -> None:
    """Leave a frame's file otherwise than it was written; whoever has it under another name keeps it as it was."""
    content = orphan.read_bytes()
    whole = sorted(path for path in orphan.parent.glob("*.tif") if path != orphan)
    match how:
        case "zeros":
            content = content[: len(content) // 2].ljust(len(content), b"\0")
        case "half":
            content = content[: len(content) // 2]
        case "other" if whole:
            content = chance.choice(whole).read_bytes()
        case "bytes":
            place = chance.randrange(len(content) // 2, len(content) - 8)
            content = content[:place] + bytes(255 - one for one in content[place : place + 8]) + content[place + 8 :]
        case _:
            return
    beside = orphan.with_name("spoilt")
    beside.write_bytes(content)
    os.replace(beside, orphan)


def leave_stray(run: Path, name: str) -> bool:
    """Leave a file among the frames that no attempt has made; whether there was a place for it."""
    folder = RunFolder(run)
    frames = sorted(folder.frames.rglob("*.tif"))
    if not frames:
        return False
    path, content = frames[-1].with_name(f"{frames[-1].stem} (copy).tif"), frames[-1].read_bytes()
    if name == "next":
        if (wanted := _next_name(folder)) is None:
            return False
        path = wanted
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"" if name == "empty" else content)
    return True


def _next_name(folder: RunFolder) -> Path | None:
    """The file that the next attempt at the first open frame will have; None where none is open."""
    try:
        with JournalReader.open(folder.journal) as journal:
            frame = next((plan.frame_id for plan in journal.open_frames()), None)
            if frame is None:
                return None
            tried = journal._connection.execute("SELECT count(*) FROM attempt WHERE frame_id = ?", (frame,)).fetchone()
    except XrmError:
        return None
    return folder.frame_path(FrameId(frame), tried[0] + 1)
