"""Nothing is made of a run's frames with another recipe than it was begun with: its scale stands there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.exports.runs import ROI, scanned_run
from xrm_control.app.exporting import export
from xrm_control.app.volumes import reconstruct
from xrm_control.core.errors import Altered
from xrm_control.reconstruction.pipeline import ReconstructionSpec

CHANGES: list[tuple[str, str]] = [
    ("binning", "scan:\n  binning: 4"),
    ("another exposure", "scan:\n  exposure_s: 0.5"),
    ("other angles", "scan:\n  start_deg: -80\n  end_deg: 100"),
]


def _measured(run: Path) -> Path:
    (run / ROI).mkdir(exist_ok=True)
    return run / ROI


ACTS: list[Callable[[Path, Path], object]] = [
    lambda run, out: export(run, "nxtomo", out / "scans"),
    lambda run, out: export(run, "data_exchange", out / "scans"),
    lambda run, out: reconstruct(_measured(run), out / "v.ome.tif", ReconstructionSpec()),
]


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(("name", "change"), CHANGES)
def test_a_recipe_that_was_changed_is_not_believed(
    tmp_path: Path, name: str, change: str, act: Callable[[Path, Path], object]
) -> None:
    run = scanned_run(tmp_path)
    text = run.recipe.read_text()
    assert "scan:" in text
    run.recipe.write_text(text.replace("scan:", change))
    with pytest.raises(Altered, match="not the one that the run was begun with") as refused:
        act(run.path, tmp_path)
    assert str(run.recipe) in str(refused.value)
    assert not list(tmp_path.glob("v.*"))


@pytest.mark.parametrize("act", ACTS)
def test_a_comment_changes_nothing(tmp_path: Path, act: Callable[[Path, Path], object]) -> None:
    run = scanned_run(tmp_path)
    run.recipe.write_text(f"# as it was\n{run.recipe.read_text()}")
    act(run.path, tmp_path)
