"""A text that says of itself whether it is whole.

A recipe lies in a run's folder before there is a journal that could know its hash. A drive that lost what it was told
to flush may leave a part of it, which is a recipe as well, and another one.
"""

from __future__ import annotations

from pathlib import Path

from xrm_control.storage.durable import sha256_bytes, storage_error

_SEAL = "# whole, sha256 of the lines above: "


def sealed(text: str) -> str:
    """The text, and a last line, a comment in YAML, with the hash of all before it."""
    text = text if text.endswith("\n") else f"{text}\n"
    return f"{text}{_SEAL}{sha256_bytes(text.encode())}\n"


def is_whole(path: Path) -> bool:
    """Whether a file holds a sealed text as it was written. Raises StorageError where it cannot be read."""
    try:
        above, seal, found = path.read_bytes().rpartition(_SEAL.encode())
    except OSError as error:
        raise storage_error("cannot be read", path, error) from error
    return bool(seal) and found == f"{sha256_bytes(above)}\n".encode()
