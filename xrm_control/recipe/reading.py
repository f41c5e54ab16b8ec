"""Text of a document from a file: bounded, UTF-8, and with a hint when it is not there, or is something else."""

from __future__ import annotations

import difflib
import os
import stat
from itertools import islice
from pathlib import Path

from xrm_control.core.errors import RecipeError
from xrm_control.recipe.yaml_source import MAX_BYTES

# What files of other kinds begin with.
_KINDS = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"II*\0", "a TIFF file"),
    (b"MM\0*", "a TIFF file"),
    (b"II+\0", "a TIFF file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\xd0\xcf\x11\xe0", "an OLE file (.txrm, .xrm, or of an older office program)"),
    (b"PK\x03\x04", "a ZIP archive, or a file of an office program"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"%PDF", "a PDF"),
    (b"SQLite format 3", "an SQLite data base"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x7fELF", "a program"),
    (b"\xff\xfe", "text in UTF-16"),
    (b"\xfe\xff", "text in UTF-16"),
)
_UTF8 = "save it as UTF-8"
_MOST_NAMES = 20


def read_text(path: Path) -> str:
    """The text of a file. Raises RecipeError when it is missing, unreadable, too large, no file or not UTF-8."""
    try:
        # Nobody waits for the writer of a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            _check_kind(path, os.fstat(descriptor).st_mode)
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise _missing_file(path) from error
    except IsADirectoryError as error:
        raise _folder(path) from error
    except RecipeError:
        raise
    except (OSError, ValueError) as error:
        raise RecipeError(f"cannot be read: {getattr(error, 'strerror', None) or error}", where=str(path)) from error
    _check_content(path, raw)
    check_size(str(path), len(raw))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise RecipeError(
            f"is not UTF-8 text (byte {raw[error.start]:#04x})", where=f"{path}:{line}", remedy="save the file as UTF-8"
        ) from error


def check_size(name: str, size: int) -> None:
    """Raise RecipeError when a document of `size` bytes is larger than any recipe."""
    if size > MAX_BYTES:
        raise RecipeError(
            "is too large for a recipe",
            where=name,
            value=f"over {MAX_BYTES >> 10} KiB",
            limit=f"{MAX_BYTES >> 10} KiB",
            remedy="a recipe has a few hundred lines; is it another file?",
        )


def yaml_names(folder: Path) -> list[str]:
    """Names of the YAML files in a folder, sorted; none when there is no such folder, some where there are many."""
    try:
        found = (entry.name for entry in folder.glob("[!.]*.y*ml")) if folder.is_dir() else iter(())
        return sorted(islice(found, _MOST_NAMES))
    except (OSError, ValueError):
        return []


def _check_kind(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise _folder(path)
    if not stat.S_ISREG(mode):
        what = (
            "a pipe" if stat.S_ISFIFO(mode) else "a device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else "no file"
        )
        raise RecipeError(f"is {what}, not a recipe", where=str(path), remedy="name a YAML file")


def _check_content(path: Path, raw: bytes) -> None:
    kind = next((name for start, name in _KINDS if raw.startswith(start)), None)
    if kind is None and b"\0" in raw:
        kind = "a binary file"
    if kind is not None:
        remedy = _UTF8 if "UTF-16" in kind else "name a YAML file; `xrm init` copies some to begin with"
        raise RecipeError(f"is {kind}, not a recipe", where=str(path), remedy=remedy)


def _folder(path: Path) -> RecipeError:
    names = yaml_names(path)
    remedy = f"recipes there: {', '.join(names)}" if names else "name a YAML file"
    return RecipeError("is a folder, not a recipe", where=str(path), remedy=remedy)


def _missing_file(path: Path) -> RecipeError:
    folder, names = path.parent, yaml_names(path.parent)
    if not folder.is_dir():
        return RecipeError("no such recipe file: there is no such folder", where=str(path), value=str(folder))
    near = difflib.get_close_matches(path.name, names, 1, 0.5)
    if near:
        remedy = f"did you mean {folder / near[0]}?"
    else:
        remedy = f"recipes there: {', '.join(names)}" if names else "`xrm init` copies recipes to begin with"
    return RecipeError("no such recipe file", where=str(path), remedy=remedy)
