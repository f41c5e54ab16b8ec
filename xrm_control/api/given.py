"""What is given to the Python API, looked at before it is used: what is no number, no path, no array is named."""

from __future__ import annotations

import numbers
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from xrm_control.core.errors import DataError, RecipeError

_REAL = "iuf"


def path(value: Any, where: str) -> Path:
    """A path. Raises DataError for what is none, and for a name that no file can have."""
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str):  # pyright: ignore[reportUnknownArgumentType]
        raise DataError("is no path", where=where, value=shown(value), limit="text, or a Path")
    found = Path(value)
    try:
        found.exists()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"no file can be called so: {reason}", where=where, value=shown(value)) from error
    return found


def number(value: Any, where: str) -> float:
    """A real number: of Python, of numpy, or a Decimal; no text, no truth, no array of several. Raises DataError."""
    single = value.item() if isinstance(value, np.generic | np.ndarray) and np.ndim(value) == 0 else value
    if isinstance(single, bool) or not isinstance(single, numbers.Real | Decimal) or single is np.ma.masked:
        raise DataError("is no number", where=where, value=shown(value), limit="a real number, e.g. 0.5")
    return float(single)


def numbers_in(value: Any, where: str) -> NDArray[Any]:
    """Real numbers as an array of whatever shape.

    Raises DataError for what is no array of them: texts, complex numbers, truths, times, masked cells, rows of unequal
    length, what lies on a GPU.
    """
    if isinstance(value, np.ma.MaskedArray):
        masked = int(np.count_nonzero(np.ma.getmaskarray(value)))
        if masked:
            raise DataError(
                "holds masked values, of which nothing is known",
                where=where,
                value=f"{masked} of {value.size}",
                limit="0",
                remedy="leave these frames out, or fill them: array.filled(...)",
            )
        value = value.data
    try:
        found = np.asarray(value)
        if found.dtype == object and found.ndim and _all_real(found):
            found = found.astype(float)
    except Exception as error:
        # Whatever an array of another library fails with: on a GPU, of a closed file, ragged.
        raise DataError(
            f"cannot be read as an array: {str(error)[:200]}",
            where=where,
            value=type(value).__name__,
            remedy="give an array of numpy, in memory",
        ) from error
    if found.dtype.kind not in _REAL:
        raise DataError(
            "must be real numbers",
            where=where,
            value=shown(value) if found.ndim == 0 else f"{found.dtype} {found.shape}",
            limit="an array of integers or floats",
            remedy="give counts, transmissions, grey values or angles as numbers",
        )
    return found


def _all_real(found: NDArray[Any]) -> bool:
    return all(isinstance(one, numbers.Real) and not isinstance(one, bool) for one in found.ravel())


def settings(value: Any, where: str = "overrides") -> Mapping[str, object]:
    """Settings by key; None: none. Raises RecipeError for what is no mapping of texts."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise RecipeError("is no mapping", where=where, value=shown(value), limit='e.g. {"scan.exposure_s": 2}')
    odd = [key for key in value if not isinstance(key, str)]
    if odd:
        raise RecipeError("a key is no text", where=where, value=shown(odd[0]), limit='e.g. "scan.exposure_s"')
    return value


def text(value: Any, where: str) -> str:
    """A text. Raises RecipeError for what is none."""
    if not isinstance(value, str):
        raise RecipeError("is no text", where=where, value=shown(value))
    return value


def choice(value: Any, choices: tuple[str, ...], where: str) -> Any:
    """One of several words. Raises RecipeError."""
    if not isinstance(value, str) or value not in choices:
        raise RecipeError("no such choice", where=where, value=shown(value), limit=", ".join(choices))
    return value


def moment(value: Any, where: str) -> datetime | None:
    """A time with its time zone; None: none. Raises RecipeError."""
    if value is not None and (not isinstance(value, datetime) or value.utcoffset() is None):
        raise RecipeError(
            "is no time with a time zone",
            where=where,
            value=shown(value),
            remedy="e.g. datetime.now().astimezone() + timedelta(hours=8)",
        )
    return value


def place(value: Any, where: str) -> tuple[float, float]:
    """Two numbers. Raises DataError."""
    found = value if isinstance(value, tuple | list) else numbers_in(value, where)
    if np.ndim(found) != 1 or len(found) != 2:
        raise DataError("two numbers are wanted", where=where, value=shown(value), limit="e.g. (120, -35.5)")
    return number(found[0], where), number(found[1], where)


@contextmanager
def accepted(argument: str = "") -> Iterator[None]:
    """For the block, what a model refuses is a RecipeError that names the argument, or the model's field."""
    try:
        yield
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or argument
        what = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
        raise RecipeError(what[:1].lower() + what[1:], where=where, value=shown(first["input"])) from error


def shown(value: Any) -> str:
    """Whatever was given, in a few words."""
    try:
        said = repr(value)
    except Exception:  # noqa: BLE001 whatever the repr of a foreign object fails with
        said = type(value).__name__
    return said if len(said) <= 80 else f"{said[:77]}..."
