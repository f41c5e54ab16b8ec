"""The disk fails at the n-th call that changes a file while a command other than `run` is carried out.

The judge stands below the program (tests/storms/failing_disk.c): a command ends with a message or has done all that it
does, what was there before is as it was (`xrm verify`), and on a disk that is sound again the same command ends well:
nothing half written was taken for whole, and nothing bars the way.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.storms.failing_disk import Fault, compile_shim
from tests.storms.forked_cli import ForkedCli, forked_cli
from tests.system.conftest import SEED, write_recipe
from tests.system.test_failing_disk import BRIEF, FIRST, LAST, STEP
from xrm_control.storage.durable import sha256_file


@dataclass(frozen=True)
class Place:
    """Where a command works: a run that is done, its recipe, and a folder for what is made, all below `path`."""

    path: Path

    @property
    def run(self) -> str:
        return str(next((self.path / "runs").iterdir()))

    @property
    def recipe(self) -> str:
        return str(self.path / "short.yaml")

    @property
    def made(self) -> str:
        return str(self.path / "made")


COMMANDS: dict[str, Callable[[Place], Sequence[str]]] = {
    "export": lambda at: ("export", at.run, "--to", "nxtomo", "--out", at.made),
    "export for others": lambda at: ("export", at.run, "--to", "data_exchange", "--out", at.made),
    "report": lambda at: ("report", at.run),
    "reanalyze": lambda at: ("reanalyze", at.run, "--set", "analysis.seed=7"),
    "reconstruct": lambda at: (
        "reconstruct",
        f"{at.run}/roi-01",
        "--rows",
        "56:72",
        "--out",
        str(at.path / "v.ome.tif"),
    ),
    "analyze": lambda at: ("analyze", f"{at.run}/roi-01/volume.ome.tif", "--out", at.made),
    "init": lambda at: ("init", at.made),
    "queue add": lambda at: ("queue", "add", at.recipe, "--queue", at.made),
    "queue run": lambda at: ("queue", "run", "--queue", str(at.path / "queue"), "--speed", "virtual"),
    "queue's files": lambda at: ("queue", "run", "--queue", str(at.path / "queue"), "--speed", "virtual"),
    "queue set": lambda at: ("queue", "set", "--queue", str(at.path / "queue"), "--budget", "2h"),
    "rehearse": lambda at: ("rehearse", at.recipe, "--without-images", "--out", at.made),
    "calibrate": lambda at: ("calibrate", at.recipe, "--out", str(at.path / "camera.yaml")),
}
# Where else than anywhere on the disk it fails.
PARTS = {"queue's files": "queue"}
# What is asked before the same command again: an item that failed is not tried again by itself.
FIRST_AGAIN: dict[str, Callable[[Place], Sequence[str]]] = {
    name: lambda at: ("queue", "retry", "1", "--queue", str(at.path / "queue"))
    for name in ("queue run", "queue's files")
}
CODES = frozenset(range(0, 10)) | {130}
UNCOUNTED = frozenset({".lock", "log.jsonl"})
FEW = [
    ("export", "ENOSPC", 3),
    ("export", "ENOSPC", 6),
    ("export for others", "EIO", 4),
    ("report", "EIO", 2),
    ("reanalyze", "ENOSPC", 9),
    ("reconstruct", "EROFS", 2),
    ("analyze", "ENOSPC", 5),
    ("init", "ENOSPC", 3),
    ("queue add", "EROFS", 1),
    ("queue run", "ENOSPC", 4),
    ("queue's files", "ENOSPC", 70),
    ("rehearse", "EIO", 6),
]


@dataclass(frozen=True)
class Done:
    """How a command ended, and how often the disk refused it."""

    code: int
    said: str
    refused: int
    first: str


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkedCli]:
    shim = compile_shim(tmp_path_factory.mktemp("shim"))
    if shim is None:
        pytest.skip("no C compiler")
    known = tmp_path_factory.mktemp("known")
    write_recipe(known, **BRIEF)
    with forked_cli(SEED, shim, known) as one:
        yield one


@pytest.fixture(scope="module")
def before(cli: ForkedCli, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A run that is done, and a queue with one item."""
    place = Place(tmp_path_factory.mktemp("before"))
    recipe = write_recipe(place.path, **BRIEF)
    assert done(cli, place, ("run", str(recipe), "--out", str(place.path / "runs"))).code == 0
    assert done(cli, place, ("queue", "add", str(recipe), "--queue", str(place.path / "queue"))).code == 0
    return place


def done(cli: ForkedCli, place: Place, arguments: Sequence[str], fault: Fault | None = None) -> Done:
    """A command, with its words beside the place."""
    told = place.path.parent / f"{place.path.name}-told"
    said = told.with_suffix(".said")
    failing = {} if fault is None else fault.environment(place.path)
    started = cli.start(arguments, {**failing, "FAIL_TOLD": str(told)}, said.with_suffix(".out"), said)
    code = cli.wait(started)
    seen = [one.read_text().rstrip("\n").split(" ", 2) for one in told.parent.glob(f"{told.name}.[0-9]*")]
    words = said.read_text(errors="replace") + said.with_suffix(".out").read_text(errors="replace")
    for one in told.parent.glob(f"{told.name}*"):
        one.unlink()
    refused = [one for one in seen if int(one[1])]
    return Done(code, words, sum(int(one[1]) for one in seen), refused[0][2] if refused else "")


@dataclass(frozen=True)
class Whole:
    """What is there after a command on a sound disk; code: how it ends, 5 where the run has a doubt; same: by name the
    SHA-256 of what is the same each time.
    """

    code: int
    names: frozenset[str]
    same: dict[str, str]


def files(place: Place) -> dict[str, str]:
    """SHA-256 of what is there, by names without what is another one each time."""
    found: dict[str, str] = {}
    for path in sorted(path for path in place.path.rglob("*") if path.is_file()):
        name = "/".join(part for part in path.relative_to(place.path).parts if "Z_" not in part)
        # Two of one name are nobody's in particular; a lock may name a process that has gone.
        counts = name not in found and not name.endswith(".lock")
        found[name] = sha256_file(path) if counts else ""
    return found


def lacks(place: Place, whole: Whole) -> list[str]:
    """What is not there, or not whole."""
    found = files(place)
    missing = sorted(whole.names - set(found))
    other = [name for name, sha256 in whole.same.items() if found.get(name) not in (None, "", sha256)]
    return [f"without {missing}"] * bool(missing) + [f"with {other} as no sound disk has it"] * bool(other)


def contents(run: Path) -> dict[str, bytes]:
    """Each file of a run, whole; but for those that `xrm verify` does not count either."""
    found = {path.relative_to(run): path for path in run.rglob("*") if path.is_file()}
    return {str(name): path.read_bytes() for name, path in found.items() if name.name not in UNCOUNTED}


def wrong(ended: Done, whole: Whole, lacking: list[str]) -> list[str]:
    """Everything that a command on a failing disk must not do, and did."""
    found = []
    last = (ended.said.strip().splitlines() or [""])[-1]
    if "Traceback" in ended.said or "internal error" in ended.said:
        found.append(f"a traceback: {last}")
    if ended.code not in CODES:
        found.append(f"exit {ended.code}")
    if ended.code == 2:
        found.append(f"the disk's failure is told as a wrong use: {last}")
    if ended.code not in (0, 5) and not last:
        found.append(f"exit {ended.code} without a word")
    # 5 where a sound disk gives 0 says itself that something is missing.
    if ended.code in (0, whole.code):
        found += [f"exit {ended.code} {one}" for one in lacking]
    return found


def run_altered(cli: ForkedCli, before: Place, place: Place) -> list[str]:
    if contents(Path(place.run)) == contents(Path(before.run)):
        return []
    verified = done(cli, place, ("verify", place.run))
    # 5: a file whose writing never ended is there, and named.
    said = verified.said.strip().splitlines()[-1:]
    return [] if verified.code in (0, 5) else [f"the run is not as it was: {said}"]


def not_gone_on(cli: ForkedCli, command: str, place: Place, whole: Whole) -> list[str]:
    """The same command again when the disk is sound: it ends well, or refuses because all is there already."""
    if command in FIRST_AGAIN:
        done(cli, place, FIRST_AGAIN[command](place))
    again = done(cli, place, COMMANDS[command](place))
    lacking = lacks(place, whole)
    last = (again.said.strip().splitlines() or [""])[-1]
    if again.code in (0, whole.code) or (again.code == 2 and not lacking):
        return [f"again: exit {again.code} {one}" for one in lacking]
    return [f"again, on a sound disk: exit {again.code}: {last}"]


def tried(cli: ForkedCli, before: Place, command: str, fault: Fault, at: Path, whole: Whole) -> tuple[Done, list[str]]:
    """One command on a fresh copy of what is there, and once more when the disk has come to its senses."""
    shutil.copytree(before.path, at)
    place = Place(at)
    ended = done(cli, place, COMMANDS[command](place), fault)
    found = wrong(ended, whole, lacks(place, whole)) + run_altered(cli, before, place)
    if ended.code not in (0, whole.code):
        found += not_gone_on(cli, command, place, whole)
    shutil.rmtree(at)
    return ended, [f"{command}, {fault} ({ended.first}): {text}" for text in found]


def sound(cli: ForkedCli, before: Place, command: str, at: Path) -> Whole:
    """What is there after the command on a disk that does not fail; twice, to know what is the same each time."""
    at.mkdir()
    found: list[dict[str, str]] = []
    code = 0
    for name in ("one", "another"):
        place = Place(at / name)
        shutil.copytree(before.path, place.path)
        ended = done(cli, place, COMMANDS[command](place))
        assert ended.code in (0, 5), ended.said
        code = max(code, ended.code)
        found.append(files(place))
        shutil.rmtree(place.path)
    one, other = found
    same = {name: sha256 for name, sha256 in one.items() if sha256 and other.get(name) == sha256}
    return Whole(code, frozenset(one) & frozenset(other), same)


@pytest.mark.parametrize(("command", "error", "at"), FEW)
def test_a_command_on_a_failing_disk_says_so_and_loses_nothing(
    cli: ForkedCli, before: Place, tmp_path: Path, command: str, error: str, at: int
) -> None:
    whole = sound(cli, before, command, tmp_path / "sound")
    ended, found = tried(
        cli, before, command, Fault(PARTS.get(command, "disk"), error, at), tmp_path / "failing", whole
    )
    assert ended.refused, "the fault was never met"
    assert found == []


@pytest.mark.soak
@pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EROFS"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_call_of_a_command_may_fail(
    cli: ForkedCli, before: Place, tmp_path: Path, command: str, error: str
) -> None:
    """n = 1, 2, 3 ... until the command ends before its n-th call."""
    whole = sound(cli, before, command, tmp_path / "sound")
    bad, faults = [], 0
    for at in range(FIRST, LAST + 1, STEP):
        ended, found = tried(
            cli, before, command, Fault(PARTS.get(command, "disk"), error, at), tmp_path / str(at), whole
        )
        if not ended.refused:
            break
        bad, faults = bad + found, faults + 1
        # With -s a dose that is cut short counts as far as it came.
        print(f"{command}, {error}, call {at}: exit {ended.code}", *found, flush=True)
    print(f"{command} {error}: {faults} faults, one in {STEP} calls, {len(bad)} wrong")
    assert not bad, "\n".join([f"{len(bad)} faults", *bad])
    assert faults > 0
