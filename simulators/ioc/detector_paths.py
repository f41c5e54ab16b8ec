"""Folders and names of the file plugin, by the rules of asynNDArrayDriver."""

from __future__ import annotations

from pathlib import Path

LONGEST_NAME = 255


def exists(path: str) -> bool:
    """Whether it is a folder; no path at all is none."""
    return bool(path) and Path(path).is_dir()


def make_folders(path: str, depth: int) -> None:
    """Make missing folders: none for 0; for n > 0 all below the first n; for n < 0 at most the last -n.

    What cannot be made is left out: FilePathExists tells.
    """
    if depth == 0:
        return
    parts = Path(path).parts[1:]
    given = depth if depth > 0 else max(1, len(parts) + depth)
    folder = Path(*Path(path).parts[:1])
    for number, part in enumerate(parts):
        folder /= part
        if number >= given:
            try:
                folder.mkdir(exist_ok=True)
            except OSError:
                return


def file_name(template: str, path: str, name: str, number: int) -> str:
    """The template, in the manner of C's printf, filled in with path, name and number. ValueError if it does not fit.

    As in C, a template may leave out the last of them.
    """
    for values in ((path, name, number), (path, name), (path,)):
        try:
            full = template % values
        except TypeError:
            continue
        if len(full) > LONGEST_NAME:
            raise ValueError(f"{len(full)} characters, {LONGEST_NAME} are the most")
        return full
    raise ValueError(f"template {template!r} takes other things than path, name and number")
