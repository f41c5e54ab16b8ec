"""One case: files of a seed, a command on them, and the judgement."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tests.fuzz import recipes, scans, scans_of_others, tables, volumes
from tests.fuzz.judge import findings, kind_of
from tests.fuzz.mutant import Mutant
from tests.fuzz.worker import Ended, Worker

FOUND = Path(__file__).with_name("found")
KINDS: dict[str, Callable[[Path, np.random.Generator], Mutant]] = {
    "h5": partial(scans.hdf5, kind="h5"),
    "nx": partial(scans.hdf5, kind="nx"),
    "txrm": scans_of_others.txrm,
    "tif": lambda folder, rng: (scans_of_others.pictures if rng.random() < 0.4 else volumes.tif)(folder, rng),
    "npy": volumes.npy,
    "csv": tables.tables,
    "json": tables.handoff,
    "recipe": recipes.recipe,
}


@dataclass(frozen=True)
class Tried:
    """What was done, how it ended, and what was wrong with that."""

    seed: int
    did: tuple[str, ...]
    end: str
    cpu_s: float
    said: str
    findings: tuple[str, ...]

    @property
    def kind_of_finding(self) -> str:
        """The first finding's, and what had been done first."""
        return kind_of(self.findings[0]) + kind_of(" ".join("".join(self.did[:1]).split()[:2]))


def try_cases(kind: str, seeds: Sequence[int]) -> Iterator[Tried]:
    """One after another, in a process of their own."""
    warm(kind)
    worker = Worker()
    try:
        for seed in seeds:
            yield _tried(kind, seed, worker)
    finally:
        worker.close()


def warm(kind: str) -> None:
    """What is imported and made once is not counted against the first case."""
    from tests.fuzz.worker import carried_out

    for seed in (1, 2):
        with tempfile.TemporaryDirectory(prefix="xrm-fuzz-") as folder:
            carried_out(_arguments(_made(kind, seed, Path(folder)), Path(folder)))


def _made(kind: str, seed: int, folder: Path) -> Mutant:
    rng = np.random.default_rng([seed, *kind.encode()])
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return KINDS[kind](folder, rng)


def _arguments(mutant: Mutant, folder: Path) -> list[str]:
    command = mutant.arguments[0]
    if command == "reconstruct":
        return [*mutant.arguments, "--out", str(folder / "v.ome.tif"), "--workers", "1", "--json"]
    if command == "analyze":
        return [*mutant.arguments, "--out", str(folder / "out"), "--json"]
    return mutant.arguments


def _tried(kind: str, seed: int, worker: Worker) -> Tried:
    folder = Path(tempfile.mkdtemp(prefix="xrm-fuzz-"))
    try:
        mutant = _made(kind, seed, folder)
        ended = worker.run(_arguments(mutant, folder))
        found = findings(mutant, ended, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Tried(
        seed, tuple(mutant.did), _end(mutant, ended), ended.cpu_s, (ended.err or ended.out).strip(), tuple(found)
    )


def _end(mutant: Mutant, ended: Ended) -> str:
    if ended.code == 0:
        return "right or flagged" if mutant.expect.value == "same" else "accepted"
    return "refused" if ended.code > 0 else "broken"
