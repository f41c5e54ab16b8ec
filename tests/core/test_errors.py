"""Errors carry their facts as fields and survive a process border."""

from __future__ import annotations

import pickle

import pytest

from xrm_control.core import errors

CASES = [
    (errors.XrmError("broke"), "broke", 1),
    (errors.RecipeError("no", where="a.yaml:3"), "a.yaml:3: no", 2),
    (errors.SafetyRefusal("far", where="x", value="9 um", limit="5 um"), "x: far (value 9 um, limit 5 um)", 4),
    (errors.InstrumentUnreachable("gone", remedy="plug it in"), "gone -> plug it in", 3),
    (errors.InstrumentLocked("taken"), "taken", 6),
    (errors.Interrupted("stopped"), "stopped", 130),
]


@pytest.mark.parametrize(("error", "text", "code"), CASES)
def test_one_line_and_one_exit_code(error: errors.XrmError, text: str, code: int) -> None:
    assert str(error) == text
    assert error.exit_code == code


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.RecipeError, ValueError),
        (errors.InstrumentUnreachable, ConnectionError),
        (errors.StorageError, OSError),
        (errors.DeviceError, RuntimeError),
    ],
)
def test_each_is_also_the_builtin_it_is(kind: type[errors.XrmError], builtin: type[Exception]) -> None:
    assert isinstance(kind("x"), builtin)


@pytest.mark.parametrize("kind", [errors.StorageError, errors.MotionStalled, errors.DataError])
def test_fields_survive_a_process_border(kind: type[errors.XrmError]) -> None:
    error = kind("what", where="where", value=3, limit="4", remedy="mend")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert copy.facts() == error.facts()
    assert str(copy) == str(error)
