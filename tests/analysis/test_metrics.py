"""Metrics declare what they give; one file more brings its column to table, statistics and dictionary."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest

from tests.analysis.phantoms import VOXEL_UM, ball, render
from xrm_control.analysis.core import AnalysisSpec, analyze_volume
from xrm_control.analysis.crop import ParticleCrop
from xrm_control.analysis.metric import METRICS, Metric
from xrm_control.analysis.metrics.size import Size
from xrm_control.contracts.column import Column
from xrm_control.contracts.rows import read_rows
from xrm_control.contracts.tables import Particle
from xrm_control.core.errors import AnalysisError

DEPTH = Column(name="depth_um", label="depth", meaning="height in the layer", source="metric depth", unit="µm")


class Careless(Metric):
    kind: Literal["careless"] = "careless"
    columns: ClassVar[tuple[Column, ...]] = (DEPTH,)
    gives: tuple[str, ...] = ()

    def measure(self, particle: ParticleCrop) -> dict[str, float]:
        return dict.fromkeys(self.gives, 1.0)


@pytest.mark.parametrize(
    ("gives", "said"),
    [((), "declares.*depth_um"), (("depth_um", "width_um"), "undeclared.*width_um"), (("depth_mm",), "undeclared")],
)
def test_a_metric_gives_what_it_declares(gives: tuple[str, ...], said: str) -> None:
    assert re.search(f"1 of 1 .* empty: metric Careless.*{said}", failure_of(Careless(gives=gives)))


class Failing(Metric):
    kind: Literal["failing"] = "failing"
    columns: ClassVar[tuple[Column, ...]] = (DEPTH,)
    value: Any = None

    def measure(self, particle: ParticleCrop) -> dict[str, float]:
        if self.value is None:
            raise KeyError("no such particle")
        return {"depth_um": self.value}


def failure_of(metric: Metric) -> str:
    """What is told of a metric of somebody else's that fails; it has cost nothing but its own cells."""
    usual = AnalysisSpec()
    spec = usual.model_copy(update={"metrics": (*usual.metrics, metric)})
    volume = render([ball(0, 0, 0, 5)], (40, 40, 40))
    found, without = analyze_volume(volume, VOXEL_UM, spec), analyze_volume(volume, VOXEL_UM, usual)
    assert found.particles == without.particles
    (told,) = found.quality.further.items()
    assert told[0] == f"metric {getattr(metric, METRICS.tag)}"
    assert found.warnings == (" ".join(map(str, told)),)
    return str(told[1])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "fails .*KeyError: 'no such particle'"),
        ("3", "no number .*depth_um = '3'"),
        (math.inf, "no number .*depth_um = inf"),
        (1j, "no number .*depth_um = 1j"),
    ],
    ids=["raises", "text", "infinite", "complex"],
)
def test_one_that_fails_costs_its_own_cells(value: object, said: str) -> None:
    assert re.search(said, failure_of(Failing(value=value)))


@pytest.mark.parametrize("value", [2, 2.5, np.float32(2.5), np.int64(2)])
def test_any_number_is_a_cell(value: object) -> None:
    spec = AnalysisSpec().model_copy(update={"metrics": (*AnalysisSpec().metrics, Failing(value=value))})
    (row,) = analyze_volume(render([ball(0, 0, 0, 5)], (40, 40, 40)), VOXEL_UM, spec).particles
    assert row["depth_um"] == value


def test_a_row_without_its_place_is_none() -> None:
    class Place(Failing):
        kind: Literal["place"] = "place"  # pyright: ignore[reportIncompatibleVariableOverride]
        columns: ClassVar[tuple[Column, ...]] = (Particle.x_um,)

    spec = AnalysisSpec().model_copy(update={"metrics": (*AnalysisSpec().metrics, Place())})
    with pytest.raises(AnalysisError, match="metric Place: the metric fails"):
        analyze_volume(render([ball(0, 0, 0, 5)], (40, 40, 40)), VOXEL_UM, spec)


@pytest.mark.parametrize("kind", METRICS.members(Metric))
def test_no_two_give_the_same_column(kind: str) -> None:
    metrics = [metric.model_dump() for metric in AnalysisSpec().metrics]
    with pytest.raises(ValueError, match=f"{kind} and {kind} both give the column"):
        AnalysisSpec.model_validate({"metrics": [*metrics, {"kind": kind}]})


def test_without_size_there_is_nothing_to_count() -> None:
    with pytest.raises(ValueError, match=r"no metric gives the column .*metric size"):
        AnalysisSpec.model_validate({"metrics": [{"kind": "shape"}]})
    assert Particle.sphericity not in AnalysisSpec(metrics=(Size(),)).columns


METRIC = '''
"""How deep in the layer a particle lies."""
from typing import ClassVar, Literal

from xrm_control.analysis.metric import Metric
from xrm_control.contracts.column import Column


class Depth(Metric):
    kind: Literal["depth"] = "depth"
    columns: ClassVar = (
        Column(name="depth_um", label="depth in the layer", meaning="distance of its centre from the volume's middle",
               source="metric depth", unit="µm", statistics="whole"),
    )

    def measure(self, particle):
        return {"depth_um": abs(particle.centre_um[1])}
'''
PROGRAM = """
import sys
from pathlib import Path
import xrm_control.analysis.metrics as metrics
metrics.__path__.append(sys.argv[1])
from tests.analysis.phantoms import VOXEL_UM, ball, render
from xrm_control.analysis.core import AnalysisSpec, measure
from xrm_control.analysis.handoff import AnalysisInput
from xrm_control.core.geometry import Pose
volume = render([ball(-6, 3, 0, 4), ball(6, -2, 3, 4)], (64, 64, 64))
settings = AnalysisSpec().model_dump(mode="json")
taken = AnalysisInput(volume, Path("x.tif"), VOXEL_UM, "roi-01", Pose(0, 0, 0, 0), analysis=settings)
measure(taken, Path(sys.argv[2]))
"""


def test_one_file_brings_a_metric_to_table_statistics_and_dictionary(tmp_path: Path) -> None:
    extra, out = tmp_path / "extra", tmp_path / "roi-01"
    extra.mkdir()
    (extra / "depth.py").write_text(METRIC)
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(extra), str(out)], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    columns = json.loads((out / "columns.json").read_text())["particles"]
    (told,) = [column for column in columns if column["name"] == "depth_um"]
    assert (told["label"], told["unit"]) == ("depth in the layer", "µm")
    depth = Column.model_validate(told)
    values = read_rows(out / "particles.csv", (*AnalysisSpec().columns, depth)).numbers(depth)
    assert sorted(values) == pytest.approx([2, 3], abs=0.1)
    population = json.loads((out / "results.json").read_text())["population"]
    assert population["depth_um"]["mean"] == pytest.approx(2.5, abs=0.1)
