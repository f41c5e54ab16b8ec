"""Files of JSON as models: what all of them share, and the one way to read and to write them."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar, cast

from pydantic import BeforeValidator, ValidationError

from xrm_control.core.errors import DataError
from xrm_control.core.model import Spec

VERSION = 1


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Figure = Annotated[float | None, BeforeValidator(_finite)]
"""A number that may be unknown: None, as which NaN and infinities count too."""

Interval = tuple[Figure, Figure]
"""Two ends, low and high, of a 95 % interval unless said otherwise."""


class Record(Spec):
    """A part of a file: frozen, and deaf to keys that it does not know."""


class Document(Record):
    """A whole file. One without a version is of version 1."""

    version: Literal[1] = VERSION


Model = TypeVar("Model", bound=Document)


@dataclass(frozen=True)
class JsonFile(Generic[Model]):
    """One kind of file: its usual name, its model, its reader and its writer."""

    name: str
    model: type[Model]

    def text(self, content: Model) -> str:
        """What is written: JSON with a line break at its end."""
        return content.model_dump_json(indent=2) + "\n"

    def write(self, path: Path, content: Model) -> Path:
        """Write the file; whoever wants it durable publishes it afterwards, or writes `text` durably."""
        path.write_text(self.text(content), encoding="utf-8")
        return path

    def read(self, path: Path) -> Model:
        """Read a file that this program wrote. Raises DataError, naming file, field and value, for anything else."""
        return self._validated(_object(path), path)

    def read_foreign(self, path: Path) -> tuple[Model, tuple[str, ...]]:
        """Read a file of another program's: keys that are not known are left out, and named in the second result."""
        content = _object(path)
        unknown = tuple(_drop_unknown(content, self.model))
        return self._validated(content, path), unknown

    def _validated(self, content: dict[str, Any], path: Path) -> Model:
        where = f"{path.parent.name}/{path.name}"
        version = content.get("version", VERSION)
        if isinstance(version, int) and not isinstance(version, bool) and version > VERSION:
            raise DataError(
                "the file is of a newer version", where=f"{where}, version", value=version, limit=VERSION,
                remedy="read it with the program that wrote it, or a newer one",
            )  # fmt: skip
        try:
            return self.model.model_validate(content)
        except ValidationError as error:
            raise _data_error(error, where) from error


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises ValueError, saying what else it is; OSError when it cannot be read."""

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no JSON")

    if path.exists() and not path.is_file():
        raise ValueError("is no regular file")  # nobody waits for the writer of a pipe, nor for the end of a device
    raw = path.read_bytes()
    try:
        content: object = json.loads(raw, parse_constant=refuse, object_pairs_hook=_said_once)
    except RecursionError as error:
        raise ValueError("too deep") from error
    # Escaped, or as bytes that UTF-8 forbids and the reader lets pass.
    if b"\\ud" in raw.lower() or b"\xed" in raw:
        _refuse_half_characters(content)
    if not isinstance(content, dict):
        raise ValueError(f"holds a {type(content).__name__}, not an object")
    return cast("dict[str, Any]", content)


def _said_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """What says a thing twice says nothing of which is meant."""
    content = dict(pairs)
    if len(content) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {twice[:60]!r} stands twice")
    return content


def _refuse_half_characters(content: object) -> None:
    """A lone surrogate can be read, and never be written again."""
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError("holds half a character (a lone surrogate)") from error
    except RecursionError as error:
        raise ValueError("too deep") from error


def _object(path: Path) -> dict[str, Any]:
    where = f"{path.parent.name}/{path.name}"
    try:
        return read_object(path)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror or error})", where=where) from error
    except ValueError as error:
        what = str(error) if str(error).startswith("holds a") else f"cannot be read ({error})"
        raise DataError(what, where=where) from error


def _data_error(error: ValidationError, where: str) -> DataError:
    """The first thing that is wrong, with its field and value, and how many more there are."""
    faults = error.errors(include_url=False)
    first, more = faults[0], len(faults) - 1
    field = ".".join(map(str, first["loc"])) or "file"
    what = {
        "missing": "a key is missing",
        "extra_forbidden": "a key that is not known",
    }.get(first["type"], first["msg"])
    value = first.get("input")
    shown = None if first["type"] == "missing" else repr(value)[:80]
    return DataError(what + (f" (and {more} more faults)" if more else ""), where=f"{where}, {field}", value=shown)


def _drop_unknown(content: dict[str, Any], model: type[Document]) -> list[str]:
    """Take keys that the model does not know out of `content`; returns their paths."""
    try:
        model.model_validate(content)
    except ValidationError as error:
        extra = [e["loc"] for e in error.errors(include_url=False) if e["type"] == "extra_forbidden"]
    else:
        return []
    dropped: list[str] = []
    for path in extra:
        at: Any = content
        for step in path[:-1]:
            at = at[step]
        del at[path[-1]]
        dropped.append(".".join(map(str, path)))
    return dropped
