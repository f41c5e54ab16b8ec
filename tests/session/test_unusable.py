"""What an instrument delivers that cannot be used fails the run; it is never told as wrong use of the command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.session.scripted import Night, with_faults
from xrm_control.core.errors import UnusableData
from xrm_control.core.events import SafeStateVerified
from xrm_control.core.states import FrameKind, Verdict

# One dark, one flat, four tiles. Exposures count from 1; a frame has four tries, and four more when the rest is taken.
LOST = [
    (
        [*range(1, 5), *range(6, 10)],
        "mosaic/dark_0000: no mosaic without this",
        {"dark": 0, "flat": 1, "tile": 0},
    ),
    ([*range(2, 10)], "mosaic/flat_0000: no mosaic without this", {"dark": 1, "flat": 0, "tile": 0}),
    ([*range(3, 99)], "mosaic/tile_r01_c00: no mosaic without this", {"dark": 1, "flat": 1, "tile": 0}),
]


@pytest.mark.parametrize(("frames", "said", "kept"), LOST)
def test_a_mosaic_without_its_frames(tmp_path: Path, frames: list[int], said: str, kept: dict[str, int]) -> None:
    """Without references no tile is exposed; how it ends is a failure (1) and not wrong use (2). What is needed stays
    open: nobody could go on with the run otherwise.
    """
    run = Night(tmp_path, **with_faults({"kind": "dropped_frame", "frames": frames}))
    assert isinstance(run.error, UnusableData)
    assert said in str(run.error)
    assert run.code == 1
    with run.journal() as journal:
        stored = [plan.kind for plan, _ in journal.stored_frames("")]
        assert said.partition(":")[0] in [plan.frame_id for plan in journal.open_frames("")]
        tried = [name for name, _ in journal.open_attempts()] + list(journal.missing_frames())
    assert {kind: stored.count(FrameKind(kind)) for kind in kept} == kept
    if "tile_" not in said:
        assert not [name for name in tried if "tile" in name]
    assert len(run.events(SafeStateVerified)) == 1
    assert run.results["verdict"]["status"] == Verdict.FAILED
