"""A short run: the whole chain on a corner of the strip with few projections."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ioc_process import IocProcess, running_ioc
from tests.system.shared_ioc import FAST, SLOW, undone

SEED = 3
SHORT: dict[str, Any] = {
    "name": "short",
    "instrument": {"backend": "simulated", "specimen": "nmc811", "seed": SEED},
    "mosaic": {"columns": 2, "rows": 2},
    "roi": {"kind": "manual", "positions": [{"x_um": 0, "y_um": 0}]},
    # So many projections show a particle, and are too few for the whole field.
    "scan": {"projections": 61, "useful_diameter_um": 20, "references": {"kind": "both", "count": 3}, "darks": 3},
    "compute": {"kind": "inline"},
    "output": {"keep_free_gb": 0},
}
# With it a run that must measure particles, whichever, takes half the time; the whole volume is for what is measured.
SLAB: dict[str, Any] = {"reconstruction": {"rows": [56, 72]}}


def write_recipe(folder: Path, **changes: Any) -> Path:
    """The short recipe with some parts replaced, as a file."""
    path = folder / "short.yaml"
    path.write_text(yaml.safe_dump({**SHORT, **changes}), encoding="utf-8")
    return path


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return write_recipe(tmp_path)


@pytest.fixture(scope="module")
def fast_ioc() -> Iterator[IocProcess]:
    with running_ioc(speed=FAST, specimen="nmc811") as ioc:
        yield ioc


@pytest.fixture(scope="module")
def slow_ioc() -> Iterator[IocProcess]:
    with running_ioc(speed=SLOW, specimen="nmc811") as ioc:
        yield ioc


@pytest.fixture
def fast(fast_ioc: IocProcess) -> Iterator[IocProcess]:
    """An IOC without a fault; what outlives a test is undone, as making the powder anew takes seconds."""
    with undone(fast_ioc):
        yield fast_ioc


@pytest.fixture
def slow(slow_ioc: IocProcess) -> Iterator[IocProcess]:
    with undone(slow_ioc):
        yield slow_ioc
