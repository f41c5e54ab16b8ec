"""Every file of JSON: written and read again the same; what is renamed, missing or unknown is told with its field."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xrm_control.contracts.columns import COLUMNS, STANDARD
from xrm_control.contracts.document import JsonFile
from xrm_control.contracts.handoff import HANDOFF, HandoffSpec, RecipeReference
from xrm_control.contracts.plan import PLAN, PlanDocument, StagePlan
from xrm_control.contracts.population import Distribution, Population, Share
from xrm_control.contracts.quality import FOREIGN_QUALITY, QUALITY, FrameCounts, QualityDocument, QualityMetrics
from xrm_control.contracts.results import (
    REGION_RESULTS,
    RESULTS,
    InstrumentTimes,
    RegionCounts,
    RegionResults,
    RunCounts,
    RunResults,
    RunVerdict,
)
from xrm_control.contracts.rois import (
    ROIS,
    AvoidedRecord,
    CandidateRecord,
    EdgeOnRecord,
    MosaicRecord,
    NotChosen,
    RoiRecord,
    RoisDocument,
)
from xrm_control.contracts.table1 import PAPER, Table1
from xrm_control.core.errors import DataError
from xrm_control.core.sample import SampleSpec
from xrm_control.core.states import Verdict

POPULATION = Population(
    n_particles=3, n_whole=2, n_voids=1,
    quantities={"volume_um3": Distribution(n=2, mean=5.0, mean_interval=(4.0, 6.0)), "sphericity": Distribution(n=0)},
    voided_fraction=Share(value=0.5, interval=(0.1, 0.9), n=2),
)  # fmt: skip
TABLE = Table1(unbiased=PAPER, paper=PAPER)
QUALITIES = {"roi-01": QualityMetrics(snr=10.0, frames=FrameCounts(kept=9, retaken=1, missing=0))}
EDGE_ON = EdgeOnRecord(dark_percent=45.2, limit_percent=80.0, transmission_percent=2.0)
DOCUMENTS: dict[str, tuple[JsonFile[Any], Any]] = {
    "plan": (PLAN, PlanDocument(
        stages=(StagePlan(name="mosaic", seconds=50.0, frames=46, bytes=10),), rois=1, projections=141,
        pixel_size_um=0.5, field_of_view_um=64.0, disk_bytes=1, memory_bytes=2, dose_per_scan_gy=3.0,
        particles_in_mosaic=1000, particles_per_volume=30, limits={"x": (-1.0, 1.0)}, total_s=50.0,
    )),
    "rois": (ROIS, RoisDocument(
        mosaic=MosaicRecord(pixel_size_um=0.5, x0_um=0.0, y0_um=0.0, shape=(4, 5), particles=7),
        rois=(RoiRecord(name="roi-01", x_um=1.0, y_um=2.0, z_um=3.0, width_um=64.0, height_um=64.0, reason="many",
                        expected_particles=31, worth=1.0, edge_on=EDGE_ON),),
        rejected=(CandidateRecord(x_um=1.0, y_um=70.0, width_um=64.0, height_um=64.0, expected_particles=9, score=9.0,
                                  worth=0.29, why=NotChosen.NOT_ASKED, reason="not asked for", edge_on=EDGE_ON),),
        avoided=(AvoidedRecord(name="hair", x_um=0.0, y_um=0.0, width_um=9.0, height_um=9.0, disc=True),),
    )),
    "handoff": (HANDOFF, HandoffSpec(volume="volume.ome.tif", voxel_size_um=0.5, warnings=("did not settle",))),
    "quality": (QUALITY, QualityDocument(snr=10.0, particles=3)),
    "region": (REGION_RESULTS, RegionResults(
        roi="roi-01", counts=RegionCounts(particles=3, whole_particles=2, voids=None), table1=TABLE,
        population=POPULATION, quality=QUALITIES, inputs={}, recipe=RecipeReference(), sample=None,
    )),
    "run": (RESULTS, RunResults(
        run="x", recipe_name="r", recipe_sha256="0", backend="simulated", simulated=True, started_utc="2031-05-06",
        versions={}, sample=SampleSpec(), instrument_times=InstrumentTimes(mosaic_s=None, scan_s={}, total_s=1.0),
        counts=RunCounts(particles=3, whole_particles=2, voids=1, tiles=40, particles_in_mosaic=None, rois=1,
                         projections=141),
        table1=TABLE, population=POPULATION, quality=QUALITIES, truth=None, verdict=RunVerdict(status=Verdict.COMPLETE),
    )),
    "columns": (COLUMNS, STANDARD),
}  # fmt: skip


def written(kind: JsonFile[Any], content: Any, folder: Path) -> tuple[Path, dict[str, Any]]:
    path = kind.write(folder / kind.name, content)
    return path, json.loads(path.read_text())


@pytest.mark.parametrize(("kind", "content"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_what_is_written_is_read_again(kind: JsonFile[Any], content: Any, tmp_path: Path) -> None:
    path, found = written(kind, content, tmp_path)
    assert found["version"] == 1
    assert kind.read(path) == content


@pytest.mark.parametrize(("kind", "content"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_without_a_version_it_is_of_version_1(kind: JsonFile[Any], content: Any, tmp_path: Path) -> None:
    path, found = written(kind, content, tmp_path)
    del found["version"]
    path.write_text(json.dumps(found))
    assert kind.read(path) == content


@pytest.mark.parametrize(("kind", "content"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_newer_version_is_refused(kind: JsonFile[Any], content: Any, tmp_path: Path) -> None:
    path, found = written(kind, content, tmp_path)
    path.write_text(json.dumps({**found, "version": 2}))
    with pytest.raises(DataError, match=rf"{kind.name}, version: .*newer.*value 2, limit 1"):
        kind.read(path)


@pytest.mark.parametrize(("kind", "content"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_every_renamed_key_is_found(kind: JsonFile[Any], content: Any, tmp_path: Path) -> None:
    """Whether the old name was needed or not: the new one is not known."""
    path, found = written(kind, content, tmp_path)
    for name in found:
        renamed = {f"{key}x" if key == name else key: value for key, value in found.items()}
        path.write_text(json.dumps(renamed))
        with pytest.raises(DataError, match=rf"{kind.name}, .*(missing|not known)") as told:
            kind.read(path)
        assert told.value.where is not None


def put(*path: str | int, value: Any = ...) -> Callable[[dict[str, Any]], None]:
    """Set, or without a value delete, what is under a path."""

    def change(content: Any) -> None:
        for step in path[:-1]:
            content = content[step]
        if value is ...:
            del content[path[-1]]
        else:
            content[path[-1]] = value

    return change


PLANTED: dict[str, tuple[str, Callable[[dict[str, Any]], None], str]] = {
    "a count as text": ("run", put("counts", "particles", value="many"), "counts.particles: .*'many'"),
    "a count that is gone": ("run", put("counts", "whole_particles"), "counts.whole_particles: a key is missing"),
    "a cell that is gone": ("run", put("table1", "paper", "void", "sphericity"), "table1.paper.void.sphericity"),
    "a figure misspelt": ("run", put("quality", "roi-01", "snrr", value=9), "quality.roi-01.snrr: a key that is not"),
    "frames misspelt": ("run", put("quality", "roi-01", "frames", "lost", value=9), "quality.roi-01.frames.lost"),
    "a status of no kind": ("run", put("verdict", "status", value="fine"), "verdict.status: .*'fine'"),
    "a share renamed": ("run", put("population", "voided", value={"value": 0.5, "interval": [0, 1], "n": 2}),
                        "population.quantities.voided.value: a key that is not"),
    "a mean renamed": ("run", put("population", "volume_um3", "average", value=5.0), "population.*average: a"),
    "a size of no voxel": ("handoff", put("voxel_size_um", value=0), "voxel_size_um: .*greater than 0"),
    "another unit": ("handoff", put("units", value="1/cm"), "units: .*1/um"),
    "a place that climbs": ("rois", put("rois", 0, "name", value="../x"), "rois.0.name"),
    "a time as text": ("plan", put("stages", 0, "seconds", value="long"), "stages.0.seconds: .*'long'"),
    "a column's wrong unit": ("columns", put("particles", 5, "unit", value="nm"), "particles.5: .*unit 'nm'"),
}  # fmt: skip


@pytest.mark.parametrize(("which", "change", "said"), PLANTED.values(), ids=PLANTED)
def test_what_is_planted_is_told_with_its_field(
    which: str, change: Callable[[dict[str, Any]], None], said: str, tmp_path: Path
) -> None:
    kind, content = DOCUMENTS[which]
    path, found = written(kind, content, tmp_path)
    change(found)
    path.write_text(json.dumps(found))
    with pytest.raises(DataError, match=rf"{kind.name}, {said}"):
        kind.read(path)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '{"a": NaN}', "[" * 100_000])
def test_no_object(text: str, tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(DataError, match=r"results\.json"):
        RESULTS.read(tmp_path / "results.json")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"plan\.json: cannot be read"):
        PLAN.read(tmp_path / "plan.json")


@pytest.mark.parametrize("name", ["warnings", "remarks"])
def test_warnings_by_their_old_and_their_new_name(name: str, tmp_path: Path) -> None:
    content = {"volume": "volume.ome.tif", "voxel_size_um": 0.5, name: ["did not settle"]}
    (tmp_path / "handoff.json").write_text(json.dumps(content))
    assert HANDOFF.read(tmp_path / "handoff.json").warnings == ("did not settle",)


def test_another_programs_keys_are_left_out_by_name(tmp_path: Path) -> None:
    content = {"volume": "v.tif", "voxel_size_um": 0.5, "colour": "red", "quality": {"snr": 3.0, "mood": None}}
    (tmp_path / "handoff.json").write_text(json.dumps(content))
    spec, unknown = HANDOFF.read_foreign(tmp_path / "handoff.json")
    assert sorted(unknown) == ["colour", "quality.mood"]
    assert spec.quality.snr == 3.0
    with pytest.raises(DataError, match="a key that is not known"):
        HANDOFF.read(tmp_path / "handoff.json")


def test_another_cores_figures_keep_their_names(tmp_path: Path) -> None:
    (tmp_path / "quality.json").write_text('{"snr": 9.5, "porosity": 0.2, "grade": "A"}')
    found = FOREIGN_QUALITY.read(tmp_path / "quality.json").metrics
    assert (found.snr, found.further) == (9.5, {"porosity": 0.2, "grade": "A"})
    with pytest.raises(DataError, match="porosity"):
        QUALITY.read(tmp_path / "quality.json")
    (tmp_path / "quality.json").write_text('{"snr": "high"}')
    with pytest.raises(DataError, match=r"snr: .*'high'"):
        FOREIGN_QUALITY.read(tmp_path / "quality.json")


def test_what_cannot_be_known_is_none_and_never_a_default() -> None:
    assert QualityMetrics(snr=float("nan")).snr is None
    assert QualityMetrics(snr=1.0).joined(QualityMetrics(views=7)) == QualityMetrics(snr=1.0, views=7)
    assert QualityMetrics(snr=1.0).joined(QualityMetrics(snr=2.0)).snr == 2.0
    assert HandoffSpec.model_validate({"volume": "v", "voxel_size_um": 1, "sample": {}}).sample is None


def test_quantities_stand_under_their_own_names() -> None:
    flat = POPULATION.model_dump()
    assert list(flat) == ["n_particles", "n_whole", "n_voids", "volume_um3", "sphericity", "voided_fraction"]
    assert flat["sphericity"] == {"n": 0}
    assert Population.model_validate(flat) == POPULATION
