"""Whatever is done to the files of a run is found, by name; what nobody has touched is sound; other judges agree."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.storage.test_chain import as_version_2, by_hand, forge
from xrm_control import app
from xrm_control.core.errors import Altered, DataError
from xrm_control.core.exit_code import ExitCode
from xrm_control.processing.soundness import Soundness, Verification
from xrm_control.storage.artifacts import record_file
from xrm_control.storage.journal import Journal, JournalReader
from xrm_control.storage.records import ArtifactKind
from xrm_control.storage.run_folder import RunFolder

VERSION_1 = Path(__file__).parents[1] / "data" / "version_1"
FRAME, OTHER = "frames/roi-01/proj_0003.tif", "frames/roi-01/proj_0007.tif"
KINDS = [
    *("recipe.yaml", "plan.json", "truth.json", "mosaic.ome.tif", "mosaic.png", "rois.json", "results.json"),
    *("particles.csv", "voids.csv", "columns.json", "report.html", "frames/mosaic/tile_r01_c01.tif", FRAME),
    *("frames/roi-02/flat_0001.tif", "frames/roi-01/dark_0000.tif", "roi-01/volume.ome.tif", "roi-01/handoff.json"),
    *("roi-01/preview.png", "roi-01/labels.ome.tif", "roi-01/phases.ome.tif", "roi-01/particles.csv"),
    *("roi-02/voids.csv", "roi-02/quality.json", "roi-02/results.json", "roi-02/columns.json"),
]
# The command that makes it anew, of files that can be: all else is put back from a copy.
COMMANDS = {
    **dict.fromkeys(("results.json", "report.html", "particles.csv", "voids.csv", "columns.json"), "xrm report"),
    **dict.fromkeys(("roi-01/volume.ome.tif", "roi-01/handoff.json", "roi-01/preview.png"), "xrm reconstruct"),
    **dict.fromkeys([name for name in KINDS if name.startswith("roi-") and "preview" not in name], "xrm reanalyze"),
    **dict.fromkeys(("roi-01/volume.ome.tif", "roi-01/handoff.json"), "xrm reconstruct"),
}


@pytest.fixture
def run(ended: RunFolder, tmp_path: Path) -> RunFolder:
    return RunFolder.open(Path(shutil.copytree(ended.path, tmp_path / "run")))


def flip(path: Path) -> None:
    """One bit of the byte in the middle; the file's time stays."""
    before, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def told(found: Verification) -> set[tuple[str, str]]:
    return {(one.name, one.state.value) for one in found.findings if one.state is not Soundness.ASIDE}


def test_what_nobody_has_touched_is_sound_and_judges_from_outside_agree(ended: RunFolder) -> None:
    found = app.verify(ended.path)
    assert (told(found), found.exit_code) == (set(), ExitCode.OK)
    with contextlib.closing(sqlite3.connect(ended.journal)) as connection, connection:
        named = dict(connection.execute("SELECT path, sha256 FROM artifact ORDER BY id"))
        named |= dict(connection.execute("SELECT path, sha256 FROM committed"))
    files = [path for path in ended.path.rglob("*") if path.is_file()]
    aside = {"log.jsonl", ".lock", ".number", "journal.sqlite"}
    assert {path.relative_to(ended.path).as_posix() for path in files} == named.keys() | aside
    for name, sha256 in named.items():
        assert hashlib.sha256((ended.path / name).read_bytes()).hexdigest() == sha256, name
    assert found.sound == len(named)
    assert found.chain is not None
    assert by_hand(ended.journal)[-1] == found.chain.sha256
    mark = json.loads(ended.results.read_text())["chain"]
    assert by_hand(ended.journal)[mark["rows"] - 1] == mark["sha256"]
    assert mark["sha256"] in ended.report.read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("sqlite3") is None or shutil.which("sha256sum") is None, reason="tools of the shell")
def test_the_shell_s_tools_agree(ended: RunFolder) -> None:
    sql = "SELECT sha256 || '  ' || path FROM committed UNION SELECT sha256 || '  ' || path FROM artifact"
    listed = subprocess.run(["sqlite3", "-readonly", ended.journal, sql], capture_output=True, text=True, check=True)
    judged = subprocess.run(
        ["sha256sum", "--check", "--quiet", "-"], input=listed.stdout, capture_output=True, text=True, cwd=ended.path,
        check=False,
    )  # fmt: skip
    assert (judged.returncode, judged.stdout) == (0, "")
    assert len(listed.stdout.splitlines()) == app.verify(ended.path).sound


@pytest.mark.parametrize("name", KINDS)
def test_one_flipped_bit_is_found_and_the_remedy_named(run: RunFolder, name: str) -> None:
    flip(run.path / name)
    found = app.verify(run.path)
    assert (told(found), found.exit_code) == ({(name, "altered")}, ExitCode.ALTERED)
    (finding,) = (one for one in found.findings if one.name == name)
    assert COMMANDS.get(name, "put it back from a copy") in finding.remedy


def remove(name: str) -> Callable[[RunFolder], None]:
    return lambda run: (run.path / name).unlink()


def add(name: str) -> Callable[[RunFolder], None]:
    def act(run: RunFolder) -> None:
        (run.path / name).parent.mkdir(exist_ok=True, parents=True)
        (run.path / name).write_bytes(b"x")

    return act


def cut(name: str, to: int) -> Callable[[RunFolder], None]:
    return lambda run: os.truncate(run.path / name, to)


def swap(run: RunFolder) -> None:
    one, other = (run.path / name for name in (FRAME, OTHER))
    ours = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(ours)


def replace_with_folder(run: RunFolder) -> None:
    run.report.unlink()
    run.report.mkdir()


def replace_with_pipe(run: RunFolder) -> None:
    run.report.unlink()
    os.mkfifo(run.report)


def touch(run: RunFolder) -> None:
    for path in run.path.rglob("*"):
        os.utime(path, (1e9, 1e9))


def frame_and_row(run: RunFolder) -> str:
    """A frame replaced together with what its row says of it; its new hash."""
    flip(run.path / FRAME)
    new = hashlib.sha256((run.path / FRAME).read_bytes()).hexdigest()
    return f"UPDATE committed SET sha256 = '{new}' WHERE path = '{FRAME}'"


def chain_anew(path: Path) -> None:
    """As somebody who knows all of this would do it."""
    links = by_hand(path)
    forge(path, *(f"UPDATE chain SET sha256 = '{link}' WHERE id = {n}" for n, link in enumerate(links, start=1)))


def row_and_chain(run: RunFolder) -> None:
    forge(run.journal, frame_and_row(run))
    chain_anew(run.journal)


def cut_journal(run: RunFolder) -> None:
    """Taken back to where it was long before the end, without a trace in itself."""
    with contextlib.closing(sqlite3.connect(run.journal)) as connection, connection:
        kept = connection.execute("SELECT of_table, max(row) FROM chain WHERE id <= 300 GROUP BY of_table").fetchall()
    cuts = [f"DELETE FROM {table} WHERE rowid > {row}" for table, row in kept]
    forge(run.journal, *cuts, "DELETE FROM chain WHERE id > 300")


DECISION = "INSERT INTO roi_state VALUES (99, 'roi-01', 'reported', '', 0, '')"
# What is done to the folder -> what is told, of which things.
ALTERATIONS: list[tuple[str, Callable[[RunFolder], object], set[tuple[str, str]]]] = [
    ("only times change", touch, set()),
    ("a frame removed", remove(FRAME), {(FRAME, "missing")}),
    ("a table removed", remove("roi-01/particles.csv"), {("roi-01/particles.csv", "missing")}),
    ("a report removed", remove("report.html"), {("report.html", "missing")}),
    ("a frame added", add("frames/roi-01/proj_0041.tif"), {("frames/roi-01/proj_0041.tif", "added")}),
    ("a note added", add("notes.txt"), {("notes.txt", "added")}),
    ("a folder added", add("roi-03/particles.csv"), {("roi-03/particles.csv", "added")}),
    ("in quarantine", add("quarantine/x.part.1"), set()),
    ("a frame cut", cut(FRAME, 1000), {(FRAME, "altered")}),
    ("a frame emptied", cut(FRAME, 0), {(FRAME, "altered")}),
    ("a frame made longer", cut(FRAME, 10**6), {(FRAME, "altered")}),
    ("frames swapped", swap, {(FRAME, "altered"), (OTHER, "altered")}),
    ("a folder for a file", replace_with_folder, {("report.html", "altered")}),
    ("a pipe for a file", replace_with_pipe, {("report.html", "altered")}),
    ("a row edited", lambda run: forge(run.journal, "UPDATE committed SET mean_counts = 0 WHERE rowid = 9"),
     {("journal.sqlite", "altered")}),
    ("a frame and its row replaced", lambda run: forge(run.journal, frame_and_row(run)),
     {("journal.sqlite", "altered"), (FRAME, "altered")}),
    ("and the chain made anew", row_and_chain, {("journal.sqlite", "altered"), (FRAME, "altered")}),
    ("a decision put in", lambda run: forge(run.journal, DECISION), {("journal.sqlite", "altered")}),
]  # fmt: skip


@pytest.mark.parametrize(("act", "expected"), [case[1:] for case in ALTERATIONS], ids=[case[0] for case in ALTERATIONS])
def test_every_alteration_is_found_by_name(
    run: RunFolder, act: Callable[[RunFolder], object], expected: set[tuple[str, str]]
) -> None:
    act(run)
    found = app.verify(run.path)
    assert told(found) == expected
    assert found.exit_code == (ExitCode.ALTERED if expected else ExitCode.OK)


def test_what_holds_another_s_content_is_told_whose(run: RunFolder) -> None:
    swap(run)
    said = {one.name: one.what for one in app.verify(run.path).findings}
    assert (said[FRAME], said[OTHER]) == (f"holds what {OTHER} should hold", f"holds what {FRAME} should hold")


def test_a_journal_that_was_cut_back_is_not_the_one_that_was_summed_up(run: RunFolder) -> None:
    cut_journal(run)
    found = app.verify(run.path)
    said = [one.what for one in found.findings if one.name == "journal.sqlite"]
    assert len(said) == 1
    assert "not those that results.json sums up" in said[0]
    assert any(name == "frames/roi-02/proj_0040.tif" for name, _ in told(found))


def test_a_forger_who_makes_everything_anew_is_found_by_what_was_noted_elsewhere(run: RunFolder) -> None:
    before = app.verify(run.path)
    assert before.chain is not None
    with JournalReader.open(run.journal) as journal:
        facts = journal.chain_of_facts()
    assert facts is not None
    forge(run.journal, "UPDATE run SET started_utc = '2020-01-01T00:00:00+00:00'")
    chain_anew(run.journal)
    with JournalReader.open(run.journal) as journal:
        now = journal.chain_of_facts()
    assert now is not None
    results = run.results.read_text().replace(facts.sha256, now.sha256)
    run.results.write_text(results)
    sha256 = hashlib.sha256(results.encode()).hexdigest()
    forge(run.journal, f"UPDATE artifact SET sha256 = '{sha256}' WHERE path = 'results.json'")
    forge(run.journal, "UPDATE artifact SET inputs = '{}' WHERE path = 'report.html'")
    chain_anew(run.journal)
    assert told(app.verify(run.path)) == set()
    found = app.verify(run.path, before.chain.sha256)
    assert told(found) == {("journal.sqlite", "altered")}
    assert before.chain.sha256[:16] in next(one.what for one in found.findings if one.name == "journal.sqlite")


@pytest.mark.parametrize("digits", [64, 12])
@pytest.mark.parametrize("upper", [False, True])
def test_any_link_that_was_noted_is_found_again(ended: RunFolder, digits: int, upper: bool) -> None:
    link = by_hand(ended.journal)[99]
    found = app.verify(ended.path, link[:digits].upper() if upper else link[:digits])
    assert found.exit_code == ExitCode.OK
    assert found.confirmed is not None
    assert (found.confirmed.rows, found.confirmed.sha256) == (100, link)


@pytest.mark.parametrize("note", ["", "abc", "x" * 64, "0" * 65])
def test_what_is_no_link_is_refused(ended: RunFolder, note: str) -> None:
    with pytest.raises(DataError, match="--expect"):
        app.verify(ended.path, note)


def test_an_older_file_put_back_is_called_so(run: RunFolder) -> None:
    older = run.report.read_bytes()
    run.report.write_bytes(older + b"<!-- -->")
    with Journal.open(run.journal) as journal:
        record_file(run, journal, run.report, ArtifactKind.REPORT, 0.0)
    assert told(app.verify(run.path)) == set()
    run.report.write_bytes(older)
    (finding,) = (one for one in app.verify(run.path).findings if one.name == "report.html")
    assert (finding.state, finding.what) == (Soundness.ALTERED, "is an earlier version of itself")


def test_results_written_anew_make_the_report_outdated(run: RunFolder) -> None:
    run.results.write_text(run.results.read_text().replace('"run": "', '"run": "x'))
    with Journal.open(run.journal) as journal:
        record_file(run, journal, run.results, ArtifactKind.RESULTS, 0.0)
    assert told(app.verify(run.path)) == {("report.html", "outdated")}
    app.report(run.path)
    assert told(app.verify(run.path)) == set()


def test_xrm_report_mends_what_can_be_made_of_what_is_sound(run: RunFolder) -> None:
    before = run.results.read_bytes()
    for path in (run.results, run.report, run.particles):
        flip(path)
    assert app.verify(run.path).exit_code == ExitCode.ALTERED
    app.report(run.path)
    assert told(app.verify(run.path)) == set()
    assert run.results.read_bytes() == before


DAMAGES = {
    "random": lambda data: data[:8192] + bytes(range(256)) * 64 + data[8192 + 256 * 64 :],
    "half": lambda data: data[: len(data) // 2],
    "head": lambda data: data[:1000],
    "text": lambda data: b"no database at all\n" * 100,
    "nothing": lambda data: b"",
    "version": lambda data: data[:60] + b"\x00\x00\x00\x09" + data[64:],
    "pages": lambda data: data[:100] + os.urandom(len(data) - 100),
}


@pytest.mark.parametrize("damage", list(DAMAGES))
def test_a_damaged_journal_is_said_to_be_so(run: RunFolder, damage: str) -> None:
    run.journal.write_bytes(DAMAGES[damage](run.journal.read_bytes()))
    found = app.verify(run.path)
    assert ("journal.sqlite", "altered") in told(found)
    assert found.exit_code == ExitCode.ALTERED


def test_words_that_no_run_writes_cost_the_other_findings_nothing(run: RunFolder) -> None:
    """As an old journal may hold them, which does not check its states itself."""
    flip(run.path / FRAME)
    forge(run.journal, "PRAGMA ignore_check_constraints = ON", "UPDATE run_state SET state = 'nonsense' WHERE id = 9")
    forge(run.journal, "PRAGMA ignore_check_constraints = ON", "UPDATE roi_state SET state = 'odd' WHERE id = 3")
    found = app.verify(run.path)
    assert {("journal.sqlite", "altered"), (FRAME, "altered")} <= told(found)
    said = " ".join(one.what for one in found.findings)
    assert "row 9 of run_state" in said
    assert "'nonsense' is not a valid RunState" in said
    assert "'odd' is not a valid RoiState" in said


def state_of(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in (folder, *folder.rglob("*"))}


def killed(ended: RunFolder, place: Path) -> RunFolder:
    """A copy as it is when its process dies: SQLite's pieces lie beside the journal."""
    run = RunFolder.open(Path(shutil.copytree(ended.path, place / "living")))
    with Journal.open(run.journal) as journal:
        journal.record_event("k", "the last word", t_s=0.0)
        dead = Path(shutil.copytree(run.path, place / "dead"))
    (dead / "journal.sqlite-shm").unlink()
    assert (dead / "journal.sqlite-wal").stat().st_size > 0
    return RunFolder.open(dead)


def test_nothing_is_written_not_even_beside_a_journal_in_pieces(ended: RunFolder, tmp_path: Path) -> None:
    for run in (ended, killed(ended, tmp_path)):
        before = state_of(run.path)
        run.path.chmod(0o555)
        found = app.verify(run.path)
        run.path.chmod(0o755)
        assert (told(found), state_of(run.path)) == (set(), before)
    with JournalReader.open(run.journal) as journal:
        assert found.chain == journal.chain_end()


def test_while_somebody_has_it_the_journal_is_read_where_it_is(run: RunFolder) -> None:
    with run.lock(), Journal.open(run.journal) as journal:
        journal.record_event("k", "t", t_s=0.0)
        assert told(app.verify(run.path)) == set()


def test_a_run_of_version_2_is_not_said_to_be_altered(run: RunFolder) -> None:
    forge(run.journal, "DELETE FROM artifact WHERE kind IN ('recipe', 'plan', 'truth')")
    as_version_2(run.journal)
    results = json.loads(run.results.read_text())
    assert results["chain"]
    found = app.verify(run.path)
    assert told(found) == {(name, "not covered") for name in ("journal.sqlite", "plan.json", "truth.json")}
    assert found.exit_code == ExitCode.PARTLY
    with pytest.raises(DataError, match="without a chain"):
        app.verify(run.path, "0" * 64)
    forge(run.journal, frame_and_row(run))
    assert (FRAME, "altered") in told(app.verify(run.path))
    flip(run.recipe)
    assert ("recipe.yaml", "not covered") in told(app.verify(run.path))


def test_a_run_of_version_1_is_read(tmp_path: Path) -> None:
    """Of that run only small files were kept: what is not there is missing, and nothing else is wrong."""
    run = RunFolder.open(Path(shutil.copytree(VERSION_1, tmp_path / "run")))
    found = app.verify(run.path)
    assert {one.state for one in found.findings} <= {Soundness.MISSING, Soundness.NOT_COVERED, Soundness.ALTERED}
    assert ("roi-01/particles.csv", "altered") not in told(found)
    flip(run.path / "roi-01" / "particles.csv")
    assert ("roi-01/particles.csv", "altered") in told(app.verify(run.path))


def test_a_large_file_is_read_in_pieces(run: RunFolder) -> None:
    app.verify(run.path)  # what is imported at the first time does not count
    os.truncate(run.path / "roi-01" / "volume.ome.tif", 200_000_000)
    tracemalloc.start()
    try:
        app.verify(run.path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000


def test_nothing_is_summed_up_from_a_table_that_was_altered(run: RunFolder) -> None:
    flip(run.path / "roi-01" / "particles.csv")
    app.report(run.path)
    page = run.report.read_text(encoding="utf-8")
    assert "roi-01/particles.csv: is not what was recorded" in page
    assert "Incomplete" in page
    run.results.unlink()
    with pytest.raises(Altered, match=r"roi-01/particles\.csv"):
        app.report(run.path)
