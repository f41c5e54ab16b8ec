"""A share of the fuzzing: the first seeds of each kind, those that once found something, and the judge itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.fuzz.case import FOUND, KINDS, try_cases
from tests.fuzz.judge import findings, measured
from tests.fuzz.mutant import Expect, Mutant
from tests.fuzz.worker import Ended, Worker
from tests.inputs.files import MU, PIXEL_UM, RADIUS_UM, data_exchange

_SHARE = range(1, 9)


def seeds(kind: str) -> list[int]:
    """The share, and what was found; each with its seed at the beginning of a line."""
    path = FOUND / f"{kind}.txt"
    found = [int(line.split()[0]) for line in path.read_text().splitlines()] if path.exists() else []
    return sorted({*_SHARE, *found})


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_false_goes_through(kind: str) -> None:
    bad = [f"{one.seed}: {one.did}: {one.findings}" for one in try_cases(kind, seeds(kind)) if one.findings]
    assert not bad, "\n".join(bad)


def test_the_judge_knows_a_sound_scan(tmp_path: Path) -> None:
    worker = Worker()
    out = ["--out", str(tmp_path / "v.ome.tif"), "--workers", "1", "--json"]
    sound = Mutant(["reconstruct", str(data_exchange(tmp_path / "scan.h5"))])
    ended = worker.run([*sound.arguments, *out])
    worker.close()
    assert ended.code == 0
    assert not findings(sound, ended, tmp_path)
    sound.voxel_um = 0.7
    assert findings(sound, ended, tmp_path) == ["silent: voxel of 0.5"]
    sound.expect = Expect.REFUSED
    assert findings(sound, ended, tmp_path)[0].startswith("accepted")


@pytest.mark.parametrize(
    ("ended", "says"),
    [
        (Ended(-1, traceback="ValueError: x"), "traceback"),
        (Ended(0, out="{}", cpu_s=3.0), "slow"),
        (Ended(2, err="error"), "without a place"),
        (Ended(7, err="error: a: b"), "exit code 7"),
        (Ended(2, err="error: a: b\nTraceback (most recent call last)"), "leaked"),
    ],
)
def test_the_judge_sees(tmp_path: Path, ended: Ended, says: str) -> None:
    assert says in findings(Mutant(["check"], expect=Expect.FREE), ended, tmp_path)[0]


def test_the_ruler() -> None:
    z, y, x = np.indices((41, 41, 41)) - 20
    ball = np.where(z**2 + y**2 + (x - 3) ** 2 <= (RADIUS_UM / PIXEL_UM) ** 2, MU, 0.0)
    depth, radius_px = measured(ball)
    assert depth == pytest.approx(MU)
    assert radius_px * PIXEL_UM == pytest.approx(RADIUS_UM, rel=0.01)
