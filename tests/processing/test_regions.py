"""The hand-off to another analysis core: what it is given, what is taken from it, and what is said when it fails."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.scan_on_disk import ROI, scan_job
from xrm_control.compute.inline import Inline
from xrm_control.contracts.handoff import HANDOFF
from xrm_control.contracts.quality import QualityMetrics
from xrm_control.core.clock import VIRTUAL, run
from xrm_control.core.errors import AnalysisError, DataError
from xrm_control.processing.regions import analyse_roi, reconstruct_roi
from xrm_control.recipe.handoff import TakerSpec, find_core
from xrm_control.storage.durable import publish_file
from xrm_control.storage.run_folder import RunFolder

TABLE = (
    "particle_id,roi,x_um,y_um,z_um,volume_um3,equivalent_diameter_um,touches_boundary,weight\n"
    "1,roi-01,0.5,-1,2e-1,113.1,6,0,1\n"
)
SAID = (
    '{"volume": "volume.ome.tif", "voxel_size_um": 0.5, "units": "1/um", "roi": "roi-01", '
    '"quality": {"rotation_axis_px": 63.5}}'
)
WRITES = f"""
import json, pathlib, sys
handoff, out = map(pathlib.Path, sys.argv[1:])
assert json.loads(handoff.read_text())["units"] == "1/um"
assert sys.stdin.read() == ""
(out / "results.json").write_text("{{}}")
(out / "particles.csv").write_text({TABLE!r})
(out / "quality.json").write_text('{{"snr": 9.5, "rotation_axis_px": 0}}')
(out / "cache").mkdir()
(out / "link.csv").symlink_to("/etc/passwd")
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "roi-01"
    folder.mkdir()
    (folder / "handoff.json").write_text(SAID)
    return folder


def taker(program: str) -> TakerSpec:
    return TakerSpec(command=(sys.executable, "-c", program))


def test_a_command_takes_the_hand_off(place: Path) -> None:
    """What the reconstruction has found stays; plain files are published, and nothing else."""
    found = analyse_roi(place / "handoff.json", place, taker(WRITES))
    assert found == QualityMetrics(snr=9.5, rotation_axis_px=63.5)
    assert (place / "particles.csv").read_text() == TABLE
    assert sorted(path.name for path in place.iterdir()) == [
        "handoff.json",
        "particles.csv",
        "quality.json",
        "results.json",
    ]


def test_running_it_again_changes_nothing(place: Path) -> None:
    analyse_roi(place / "handoff.json", place, taker(WRITES))
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    analyse_roi(place / "handoff.json", place, taker(WRITES))
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before


FAILURES = [
    ("import sys; sys.exit('no licence')", "no licence"),
    ("pass", "did not write results.json"),
    (f"{WRITES}\n(out / 'volume.ome.tif').write_text('mine')", r"overwrite what was handed over .*volume\.ome\.tif"),
    (f"{WRITES}\n(out / 'handoff.json').write_text('mine')", r"overwrite what was handed over .*handoff\.json"),
    (f"{WRITES}\n(out / 'a\\x1b[2Jb').write_text('mine')", r"name that cannot be kept .*x1b"),
    (f"{WRITES}\n(out / 'x.part').write_text('mine')", r"name that cannot be kept"),
    (
        f"{WRITES}\n(out / 'particles.csv').write_text('particle_id\\n1\\n')",
        r"particles\.csv, row 1, column roi.*lacks",
    ),
    (f"{WRITES}\n(out / 'quality.json').write_text('[]')", r"quality\.json: .*holds a list"),
]


@pytest.mark.parametrize(("program", "said"), FAILURES)
def test_a_command_that_fails_is_told_and_leaves_nothing_behind(place: Path, program: str, said: str) -> None:
    with pytest.raises(AnalysisError, match=said):
        analyse_roi(place / "handoff.json", place, taker(program))
    assert [path.name for path in place.iterdir()] == ["handoff.json"]


def test_a_core_that_is_not_installed_is_found_before_the_run() -> None:
    find_core(TakerSpec())
    with pytest.raises(DataError, match=r"nobody.*builtin"):
        find_core(TakerSpec(core="nobody"))


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of another party's with two analysis cores."""
    site = tmp_path / "site"
    (site / "their-1.dist-info").mkdir(parents=True)
    (site / "their-1.dist-info" / "METADATA").write_text("Name: their\nVersion: 1\n")
    (site / "their-1.dist-info" / "entry_points.txt").write_text(
        "[xrm_control.analysis_cores]\ntheirs = their:take\nhangs = their:hang\ndies = their:die\n"
    )
    (site / "their.py").write_text(
        "import os, time\n"
        "from xrm_control.core.errors import AnalysisError\n"
        "def take(handoff, out):\n"
        "    (out / 'results.json').write_text('{}')\n"
        f"    (out / 'particles.csv').write_text({TABLE!r})\n"
        "def hang(handoff, out):\n    time.sleep(3600)\n"
        "def die(handoff, out):\n    raise AnalysisError('no particle', where='here')\n"
    )
    monkeypatch.syspath_prepend(site)
    return site


@pytest.mark.usefixtures("installed")
def test_a_core_of_another_package_takes_the_hand_off_in_a_process_of_its_own(place: Path) -> None:
    find_core(TakerSpec(core="theirs"))
    found = analyse_roi(place / "handoff.json", place, TakerSpec(core="theirs"))
    assert found == QualityMetrics(rotation_axis_px=63.5)
    assert (place / "particles.csv").read_text() == TABLE
    with pytest.raises(AnalysisError, match=r"analysis core dies failed: here: no particle"):
        analyse_roi(place / "handoff.json", place, TakerSpec(core="dies"))
    with pytest.raises(AnalysisError, match=r"analysis core hangs was ended, it took too long .*limit 2 s"):
        analyse_roi(place / "handoff.json", place, TakerSpec(core="hangs", timeout_s=2))


# Of 48 rows of half a micrometre, centred at stage y = 20 um: the rows that are made, and the centre of the volume.
SLABS = [(None, 20.0), ((16, 32), 20.0), ((0, 16), 12.0), ((40, 48), 30.0)]


@pytest.mark.parametrize(("rows", "centre_y_um"), SLABS)
def test_a_slab_is_where_its_rows_are_and_handed_over_when_all_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: tuple[int, int] | None, centre_y_um: float
) -> None:
    whole = scan_job(tmp_path)
    job = replace(whole, reconstruction=whole.reconstruction.model_copy(update={"rows": rows}))
    named: list[str] = []

    def spy(part: Path, final: Path, **words: Any) -> Path:
        named.append(final.name)
        return publish_file(part, final, **words)

    monkeypatch.setattr("xrm_control.processing.regions.publish_file", spy)

    async def main() -> None:
        with Inline().open() as workers:
            await reconstruct_roi(workers, job)

    run(main(), VIRTUAL)
    handoff = HANDOFF.read(RunFolder.open(job.scan.run).roi(ROI).handoff)
    centre = handoff.centre_stage_um
    assert (centre.x, centre.y, centre.z) == (10, pytest.approx(centre_y_um), 30)
    assert handoff.shape == (48 if rows is None else rows[1] - rows[0], 64, 64)
    assert (named[-1], named.count("handoff.json")) == ("handoff.json", 1)
