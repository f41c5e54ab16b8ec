"""What a run achieved is in its journal and files: whoever sums it up, and whenever, says the same."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processing.conftest import TWO
from tests.storms.forked_cli import ForkedCli, forked_cli
from tests.system.conftest import SEED, write_recipe
from xrm_control import app
from xrm_control.core.errors import ResourceLocked
from xrm_control.core.events import FrameKept, RoiStateEntered, StateEntered
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.states import FrameKind, RunState, Verdict
from xrm_control.processing.achieved import achieved
from xrm_control.processing.results import sum_up_again
from xrm_control.processing.soundness import Soundness
from xrm_control.storage.durable import sha256_file
from xrm_control.storage.journal import JournalReader
from xrm_control.storage.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("white_figures")

ROOT = Path(__file__).parents[2]
VERSION_1 = ROOT / "tests" / "data" / "version_1"


@pytest.fixture(scope="module")
def cli() -> Iterator[ForkedCli]:
    with forked_cli(SEED) as one:
        yield one


def killed(cli: ForkedCli, folder: Path, kind: str, text: str) -> RunFolder:
    """A run that dies by SIGKILL with the event that is named."""
    arguments = ["run", str(write_recipe(folder, **TWO)), "--out", str(folder / "runs")]
    said = folder / "said"
    code = cli.wait(cli.start(arguments, {}, said, said, dies_at=(kind, text)))
    assert code == -signal.SIGKILL, said.read_text()
    (run,) = (folder / "runs").iterdir()
    return RunFolder.open(run)


def verified_as_died(run: RunFolder, died: bool) -> None:
    """What a death leaves behind is unfinished, and nothing of it altered."""
    found = app.verify(run.path)
    told = [one for one in found.findings if one.state not in (Soundness.UNFINISHED, Soundness.ASIDE)]
    assert (told, found.exit_code) == ([], ExitCode.DIED if died else ExitCode.OK)


def results(folder: RunFolder) -> dict[str, Any]:
    return json.loads(folder.results.read_text(encoding="utf-8"))


def test_summed_up_again_it_is_the_same_to_the_last_digit(ended: RunFolder) -> None:
    before = ended.results.read_bytes()
    ended.results.unlink()
    app.report(ended.path)
    assert ended.results.read_bytes() == before
    assert results(ended)["verdict"] == {"status": Verdict.COMPLETE, "reasons": []}
    assert results(ended)["counts"]["particles"] > 0


def test_its_times_are_those_of_its_frames_and_states(ended: RunFolder) -> None:
    """A second way: the mosaic's frames lie in its time, which holds no homing; scans fill the rest."""
    times = results(ended)["instrument_times"]
    with JournalReader.open(ended.journal) as journal:
        entered = {record.state: record.t_s for record in reversed(journal.states())}
        exposures = [frame.exposure for _, frame in journal.stored_frames("")]
        by_roi = {roi: [frame.exposure for _, frame in journal.stored_frames(roi)] for roi in ("roi-01", "roi-02")}
    taken_s = max(one.t_end_s for one in exposures) - min(one.t_start_s for one in exposures)
    assert taken_s < times["mosaic_s"] <= entered[RunState.PICKING] - entered[RunState.MOSAICKING]
    assert entered[RunState.MOSAICKING] > 0
    for roi, frames in by_roi.items():
        taken_s = max(one.t_end_s for one in frames) - min(one.t_start_s for one in frames)
        assert taken_s < times["scan_s"][roi] < 1.2 * taken_s
    spent = entered[RunState.ALIGNING] + sum(times["scan_s"].values())
    assert spent == pytest.approx(entered[RunState.FINISHING])
    assert times["total_s"] == entered[RunState.DONE]


# Where it dies -> at least so many regions scanned to their end, regions measured, what the reasons say.
DEATHS = [
    (FrameKept, "mosaic/tile_r00_c01", 0, 0, ("died in state mosaicking", "planned frames were not taken")),
    (FrameKept, "roi-01/proj_0030", 0, 0, ("died in state scanning", "roi-01 was not scanned", "roi-02 was not")),
    (RoiStateEntered, "roi-01: analysing", 1, 0, ("roi-01 was not measured: it was analysing",)),
    (RoiStateEntered, "roi-01: reported", 1, 1, ("the run died in state", "roi-02 was not ")),
    (StateEntered, "done", 2, 2, ()),
]


@pytest.mark.parametrize(("event", "text", "scanned", "measured", "reasons"), DEATHS, ids=[case[1] for case in DEATHS])
def test_killed_at_any_stage_it_is_reported_as_if_it_had_lived(
    cli: ForkedCli,
    tmp_path: Path,
    ended: RunFolder,
    event: type,
    text: str,
    scanned: int,
    measured: int,
    reasons: tuple[str, ...],
) -> None:
    run = killed(cli, tmp_path, event.kind, text)
    verified_as_died(run, bool(reasons))
    page = app.report(run.path)
    verified_as_died(run, bool(reasons))
    assert page.stat().st_size > 10_000
    dead, alive = results(run), results(ended)
    regions = [f"roi-{number:02d}" for number in (1, 2)]
    if not reasons:
        # The end was on record; the process died with the last event.
        own = {"run": "", "started_utc": "", "chain": ""}
        assert {**dead, **own} == {**alive, **own}
        return
    assert dead["verdict"]["status"] == Verdict.INCOMPLETE
    for words in reasons:
        assert words in "; ".join(dead["verdict"]["reasons"])
    assert app.status(run.path).died
    times = dead["instrument_times"]["scan_s"]
    assert len(times) >= scanned
    assert times == {roi: alive["instrument_times"]["scan_s"][roi] for roi in times}
    assert [roi for roi in regions if "snr" in dead["quality"].get(roi, {})] == regions[:measured]
    for roi in regions[:measured]:
        assert dead["quality"][roi] == alive["quality"][roi]
    if "mosaic" not in text:
        assert dead["instrument_times"]["mosaic_s"] == alive["instrument_times"]["mosaic_s"]
        same = ("tiles", "particles_in_mosaic", "rois", "projections")
        assert {name: dead["counts"][name] for name in same} == {name: alive["counts"][name] for name in same}
    else:
        assert (dead["instrument_times"]["mosaic_s"], dead["counts"]["particles_in_mosaic"]) == (None, None)


def to_twelve_digits(content: object) -> object:
    """The order of a sum shows in the last digits."""
    return json.loads(json.dumps(content), parse_float=lambda text: f"{float(text):.12g}")


def without_intervals(content: object) -> object:
    """Results of before stated none in Table 1."""
    if not isinstance(content, dict):
        return content
    stated = ("_interval", "_intervals")
    return {name: without_intervals(value) for name, value in content.items() if not name.endswith(stated)}


def test_a_run_of_the_version_before_is_summed_up_and_reported(tmp_path: Path) -> None:
    run = RunFolder.open(Path(shutil.copytree(VERSION_1, tmp_path / "run")))
    before = results(run)
    run.results.unlink()
    app.report(run.path)
    after = results(run)
    for part in ("recipe_sha256", "instrument_times", "counts", "quality", "verdict", "table1"):
        said = (
            {name: value for name, value in after[part].items() if value is not None or name in before[part]}
            if (part == "counts")
            else without_intervals(after[part])
        )
        assert to_twelve_digits(said) == to_twelve_digits(before[part]), part
    assert app.status(run.path).state is not None
    with JournalReader.open(run.journal) as journal:
        assert journal.artifacts()["results.json"].sha256 == sha256_file(run.results)


def test_without_its_recipe_a_dead_run_is_reported_and_not_summed_up(tmp_path: Path) -> None:
    run = RunFolder.open(Path(shutil.copytree(VERSION_1, tmp_path / "run")))
    run.recipe.unlink()
    run.results.unlink()
    assert app.report(run.path).is_file()
    assert not run.results.exists()


def test_a_run_that_is_carried_out_is_not_summed_up(tmp_path: Path, ended: RunFolder) -> None:
    run = RunFolder.open(Path(shutil.copytree(ended.path, tmp_path / "run")))
    with run.lock(), pytest.raises(ResourceLocked):
        sum_up_again(run)


def test_tiles_and_views_are_counted_by_kind(ended: RunFolder) -> None:
    with JournalReader.open(ended.journal) as journal:
        kinds = [plan.kind for plan, _ in journal.stored_frames()]
        assert achieved(ended, journal).open_frames == 0
    counts = results(ended)["counts"]
    assert (counts["tiles"], 2 * counts["projections"]) == (
        kinds.count(FrameKind.TILE),
        kinds.count(FrameKind.PROJECTION),
    )
