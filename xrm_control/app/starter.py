"""The recipes that come with the program, and where to put them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from xrm_control.core.errors import DataError, StorageError
from xrm_control.storage.durable import durable_file, make_folder


def recipes() -> Traversable:
    """The folder of the recipes: in the installed package, or beside it in a checkout. Raises DataError for neither."""
    package = resources.files("xrm_control")
    for place in (package / "recipes", Path(str(package)).parent / "recipes"):
        if (place / "nmc811_screening.yaml").is_file():
            return place
    raise DataError(
        "the recipes are not part of this installation", where=str(package), remedy="install xrm_control anew"
    )


def copy_recipes(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Copy recipes and instruments' maps into `folder`: each file, and whether it is new; none is overwritten.

    Raises StorageError where nothing can be written.
    """
    if folder.exists() and not folder.is_dir():
        raise StorageError("is a file, no folder to copy into", where=str(folder), remedy="name a folder")
    yield from _copied(recipes(), folder)


def _copied(source: Traversable, folder: Path) -> Iterator[tuple[Path, bool]]:
    for entry in sorted(source.iterdir(), key=lambda entry: (entry.is_dir(), entry.name)):
        target = folder / entry.name
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _copied(entry, target)
        else:
            yield target, _written(target, entry.read_bytes())


def _written(target: Path, content: bytes) -> bool:
    if target.exists():
        return False
    make_folder(target.parent)
    # Under its name only when it is whole: what is there is never written again.
    with durable_file(target, "the file") as file:
        file.write(content)
    return True
