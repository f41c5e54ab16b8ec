"""Text of a document from a file: bounded, UTF-8, and with a hint when it is not there."""

from __future__ import annotations

import difflib
from pathlib import Path

from xrm_control.core.errors import RecipeError
from xrm_control.recipe.yaml_source import MAX_BYTES


def read_text(path: Path) -> str:
    """The text of a file. Raises RecipeError when it is missing, unreadable, too large or not UTF-8."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise _missing_file(path) from error
    except IsADirectoryError as error:
        raise RecipeError("is a folder, not a recipe", where=str(path)) from error
    except (OSError, ValueError) as error:
        raise RecipeError(f"cannot be read: {getattr(error, 'strerror', None) or error}", where=str(path)) from error
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
        raise RecipeError("is too large for a recipe", where=name, value=f"over {MAX_BYTES >> 20} MiB", limit="1 MiB")


def yaml_names(folder: Path) -> list[str]:
    """Names of the YAML files in a folder, sorted; none when there is no such folder."""
    return sorted(entry.name for entry in folder.glob("*.y*ml")) if folder.is_dir() else []


def _missing_file(path: Path) -> RecipeError:
    folder, names = path.parent, yaml_names(path.parent)
    near = difflib.get_close_matches(path.name, names, 1, 0.5)
    remedy = f"did you mean {folder / near[0]}?" if near else f"recipes there: {', '.join(names)}" if names else None
    return RecipeError("no such recipe file", where=str(path), remedy=remedy)
