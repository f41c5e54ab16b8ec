"""The disk fails at the n-th call that changes a file while a command other than `run` is carried out.

The judge stands below the program (tests/storms/failing_disk.c): a command ends with a message or has done all that it
does, and what was there before is as it was (`xrm verify`).
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
from tests.system.test_failing_disk import FIRST, LAST, SHORTEST, STEP


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
    "queue set": lambda at: ("queue", "set", "--queue", str(at.path / "queue"), "--budget", "2h"),
    "rehearse": lambda at: ("rehearse", at.recipe, "--without-images", "--out", at.made),
    "calibrate": lambda at: ("calibrate", at.recipe, "--out", str(at.path / "camera.yaml")),
}
CODES = frozenset(range(0, 10)) | {130}
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
    with forked_cli(SEED, shim) as one:
        yield one


@pytest.fixture(scope="module")
def before(cli: ForkedCli, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A run that is done, and a queue with one item."""
    place = Place(tmp_path_factory.mktemp("before"))
    recipe = write_recipe(place.path, **SHORTEST)
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


def files(place: Place) -> set[str]:
    """What is there, without what has a name of its own each time."""
    found = (path.relative_to(place.path) for path in place.path.rglob("*") if path.is_file())
    return {"/".join(part for part in path.parts if "Z_" not in part) for path in found}


def wrong(cli: ForkedCli, place: Place, ended: Done, whole: set[str]) -> list[str]:
    """Everything that a command on a failing disk must not do, and did."""
    found = []
    last = (ended.said.strip().splitlines() or [""])[-1]
    if "Traceback" in ended.said or "internal error" in ended.said:
        found.append(f"a traceback: {last}")
    if ended.code not in CODES:
        found.append(f"exit {ended.code}")
    if ended.code not in (0, 5) and not last:
        found.append(f"exit {ended.code} without a word")
    if ended.code in (0, 5) and (missing := whole - files(place)):
        found.append(f"exit {ended.code} without {sorted(missing)}")
    verified = done(cli, place, ("verify", place.run))
    # 5: a file whose writing never ended is there, and named.
    if verified.code not in (0, 5):
        found.append(f"the run is not as it was: {verified.said.strip().splitlines()[-1:]}")
    return found


def tried(
    cli: ForkedCli, before: Place, command: str, fault: Fault, at: Path, whole: set[str]
) -> tuple[Done, list[str]]:
    """One command on a fresh copy of what is there."""
    shutil.copytree(before.path, at)
    place = Place(at)
    ended = done(cli, place, COMMANDS[command](place), fault)
    found = wrong(cli, place, ended, whole)
    shutil.rmtree(at)
    return ended, [f"{command}, {fault} ({ended.first}): {text}" for text in found]


def sound(cli: ForkedCli, before: Place, command: str, at: Path) -> set[str]:
    """What is there after the command on a disk that does not fail."""
    shutil.copytree(before.path, at)
    place = Place(at)
    ended = done(cli, place, COMMANDS[command](place))
    assert ended.code in (0, 5), ended.said
    found = files(place)
    shutil.rmtree(at)
    return found


@pytest.mark.parametrize(("command", "error", "at"), FEW)
def test_a_command_on_a_failing_disk_says_so_and_loses_nothing(
    cli: ForkedCli, before: Place, tmp_path: Path, command: str, error: str, at: int
) -> None:
    whole = sound(cli, before, command, tmp_path / "sound")
    ended, found = tried(cli, before, command, Fault("disk", error, at), tmp_path / "failing", whole)
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
        ended, found = tried(cli, before, command, Fault("disk", error, at), tmp_path / str(at), whole)
        if not ended.refused:
            break
        bad, faults = bad + found, faults + 1
    print(f"{command} {error}: {faults} faults, one in {STEP} calls, {len(bad)} wrong")
    assert not bad, "\n".join([f"{len(bad)} faults", *bad])
    assert faults > 0
