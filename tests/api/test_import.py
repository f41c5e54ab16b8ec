"""`import xrm_control` loads nothing; every name of the API is there, with its docstring."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import xrm_control as xrm

ROOT = Path(__file__).parents[2]
HEAVY = {"numpy", "scipy", "skimage", "numba", "matplotlib", "SimpleITK", "astra", "pydantic", "h5py", "tifffile"}


def loaded_by(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after `code`."""
    text = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_importing_loads_nothing_heavy() -> None:
    assert not loaded_by("import xrm_control") & HEAVY


@pytest.mark.parametrize("name", xrm.__all__)
def test_every_name_is_there_and_documented(name: str) -> None:
    assert getattr(xrm, name).__doc__
    assert name in dir(xrm)


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_of_that_name"):
        _ = xrm.nothing_of_that_name  # pyright: ignore[reportAttributeAccessIssue]


def test_the_version_is_the_installed_one() -> None:
    assert xrm.__version__ == version("xrm_control")


def test_types_are_told() -> None:
    assert (Path(xrm.__file__).parent / "py.typed").is_file()
