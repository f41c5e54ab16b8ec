"""A hand-off command that stays for ever ends with its run, however that ends and wherever it computes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.processing.test_command import STAYS, alive, family, gone
from tests.session.scripted import SMALL
from tests.storms.forked_cli import ForkedCli, forked_cli
from tests.system.conftest import SEED, SLAB, write_recipe
from xrm_control.core.events import RegionDoubted, WorkersAway
from xrm_control.core.states import RunState
from xrm_control.storage.journal import JournalReader

pytestmark = pytest.mark.usefixtures("white_figures")

ENDS = [
    ("inline", signal.SIGINT, 130),
    ("processes", signal.SIGINT, 130),
    ("processes", signal.SIGTERM, 130),
    ("inline", signal.SIGKILL, -9),
    ("processes", signal.SIGKILL, -9),
]


@pytest.fixture(scope="module")
def cli() -> Iterator[ForkedCli]:
    with forked_cli(SEED) as one:
        yield one


@pytest.mark.parametrize(("kind", "number", "code"), ENDS)
def test_it_ends_with_the_run(cli: ForkedCli, tmp_path: Path, kind: str, number: signal.Signals, code: int) -> None:
    place = tmp_path / "place"
    place.mkdir()
    command = [sys.executable, "-c", STAYS, str(place)]
    recipe = write_recipe(tmp_path, **SMALL, **SLAB, handoff={"command": command}, compute={"kind": kind})
    nowhere = Path(os.devnull)
    run = cli.start(["run", str(recipe), "--out", str(tmp_path / "runs")], {}, nowhere, nowhere)
    try:
        processes = family(place, 500)
        assert all(map(alive, processes))
        os.kill(run, number)
        # The command would stay for ten minutes.
        assert cli.wait(run) == code
    finally:
        with suppress(ProcessLookupError):
            os.kill(run, signal.SIGKILL)
    assert gone(processes)
    if number != signal.SIGKILL:
        (folder,) = (tmp_path / "runs").iterdir()
        with JournalReader.open(folder / "journal.sqlite") as journal:
            state = journal.state()
        assert state is not None
        assert state.state == RunState.ABORTED


def test_a_worker_that_is_killed_takes_its_command_along_and_the_next_begins_anew(
    cli: ForkedCli, tmp_path: Path
) -> None:
    """Two of three tries are killed: each time nothing is left of it, and the last one is the answer."""
    program = (
        "import os, pathlib, sys, time\n"
        "place = pathlib.Path(sys.argv[1])\n"
        "tries = len(list(place.iterdir()))\n"
        "if tries < 2:\n"
        "    guard = pathlib.Path(f'/proc/{os.getppid()}/stat').read_text().rpartition(')')[2].split()\n"
        "    (place / str(os.getpid())).touch()\n"
        "    os.kill(int(guard[1]), 9)\n"
        "    time.sleep(600)\n"
        "out = pathlib.Path(sys.argv[3])\n"
        "(out / 'results.json').write_text('{}')\n"
        "(out / 'particles.csv').write_text('particle_id,roi,x_um,y_um,z_um,volume_um3,equivalent_diameter_um,"
        "touches_boundary,weight\\n1,roi-01,0,0,0,113.1,6,0,1\\n')\n"
    )
    place = tmp_path / "place"
    place.mkdir()
    command = [sys.executable, "-c", program, str(place)]
    recipe = write_recipe(tmp_path, **SMALL, **SLAB, handoff={"command": command}, compute={"kind": "processes"})
    said, nowhere = tmp_path / "stderr", Path(os.devnull)
    run = cli.start(["run", str(recipe), "--out", str(tmp_path / "runs")], {}, nowhere, said)
    # All there; so few views are doubted.
    assert cli.wait(run) == 5, said.read_text()
    assert RegionDoubted.kind in said.read_text()
    killed = [int(path.name) for path in place.iterdir()]
    assert len(killed) == 2
    assert gone(killed)
    assert WorkersAway.kind in said.read_text()
