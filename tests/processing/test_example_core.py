"""The analysis core of docs/how-to/analysis-core.md, as a command and as an entry point: both measure the phantom."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from tests.analysis.phantoms import VOXEL_UM, ball, render
from xrm_control.analysis.handoff_check import examine
from xrm_control.analysis.population import pool
from xrm_control.contracts.columns import COLUMNS, STANDARD
from xrm_control.contracts.handoff import HANDOFF, HandoffSpec
from xrm_control.contracts.rows import read_rows
from xrm_control.contracts.tables import Particle
from xrm_control.processing.regions import analyse_roi
from xrm_control.recipe.handoff import CORES, TakerSpec, find_core
from xrm_control.storage.formats.ome_tiff import write_volume

EXAMPLE = Path(__file__).parents[2] / "docs/examples/analysis-core"
BODIES = [ball(-7, 2, 0, 5), ball(7, -3, 3, 3), ball(0, 0, -15.5, 4)]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "roi-01"
    folder.mkdir()
    write_volume(folder / "volume.ome.tif", render(BODIES, (64, 64, 64), snr=20), VOXEL_UM)
    HANDOFF.write(folder / "handoff.json", HandoffSpec(volume="volume.ome.tif", voxel_size_um=VOXEL_UM))
    return folder


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The example's package as if it were installed, with the entry points that its pyproject.toml tells of."""
    (points,) = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]["entry-points"].values()
    metadata = tmp_path / "site" / "half_level_core-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Name: half-level-core\nVersion: 1.0\n")
    lines = [f"{name} = {target}" for name, target in points.items()]
    (metadata / "entry_points.txt").write_text("\n".join([f"[{CORES}]", *lines]) + "\n")
    monkeypatch.syspath_prepend(metadata.parent)
    monkeypatch.syspath_prepend(EXAMPLE)
    (name,) = points
    return name


def command() -> TakerSpec:
    return TakerSpec(command=(sys.executable, str(EXAMPLE / "half_level_core.py")))


def check_measured(place: Path) -> None:
    known = STANDARD.joined(COLUMNS.read(place / "columns.json"))
    particles = read_rows(place / "particles.csv", known.particles)
    order = np.argsort(particles.numbers(Particle.x_um))
    assert particles.take(order).numbers(Particle.x_um) == pytest.approx([-7, 0, 7], abs=0.2)
    assert particles.take(order).flags(Particle.touches_boundary).tolist() == [False, True, False]
    diameters = particles.take(order).numbers(Particle.equivalent_diameter_um)
    assert diameters[[0, 2]] == pytest.approx([10, 6], rel=0.05)
    found = pool(particles, None)
    assert found.population.quantities["elongation"].mean == pytest.approx(1, abs=0.15)
    assert found.population.n_voids is None
    assert "sphericity" not in found.population.quantities


def test_as_a_command(place: Path) -> None:
    analyse_roi(place / "handoff.json", place, command())
    check_measured(place)


def test_as_an_entry_point(place: Path, installed: str) -> None:
    find_core(TakerSpec(core=installed))
    analyse_roi(place / "handoff.json", place, TakerSpec(core=installed))
    check_measured(place)


def test_what_it_says_of_itself(place: Path) -> None:
    analyse_roi(place / "handoff.json", place, command())
    found = examine(place, "roi-01")
    assert (found.faults, found.particles, found.voids, found.own) == ((), 3, None, ("elongation",))
    assert {"surface area", "sphericity", "voids"} <= set(found.not_measured)
    assert "volume" not in found.not_measured
