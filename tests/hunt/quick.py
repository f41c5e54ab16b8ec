"""Nights without what nobody looks at: no preview, no reconstruction, no analysis, no pictures, a report of one line.

Session, acquisition, journal, recovery and commands are the program's own. Each seam is named here, and nowhere else.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xrm_control.acquisition.steps import Acquisition
from xrm_control.core.states import RoiState, Verdict
from xrm_control.mosaic.displacement import Displacement, stands_out
from xrm_control.mosaic.tiles import Mosaic, Picture
from xrm_control.processing.achieved import Achieved
from xrm_control.processing.achieved import ended as _ended
from xrm_control.recipe.document import Recipe
from xrm_control.roi.count import Count
from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.particles2d import Particle2D
from xrm_control.roi.strategy import Roi
from xrm_control.session import following, regions, resuming, runner, stages
from xrm_control.session.context import RunContext
from xrm_control.session.resuming import _displacement
from xrm_control.storage.durable import durable_file
from xrm_control.storage.run_folder import RunFolder

_THE_SAME = 0.97
NOT_MEASURED = "not measured: processing is off"


class _NoPreview:
    """Hears what a preview would hear."""

    async def recall(self, _: Any) -> None:
        """Nothing grows."""


@contextlib.asynccontextmanager
async def _no_preview(_run: RunContext, _acquisition: Acquisition) -> AsyncGenerator[_NoPreview, None]:
    yield _NoPreview()


async def _no_processing(self: following.Following, roi: Roi) -> None:
    """The small life of a region, without its computations: it ends set aside, and says why."""
    self._run.set_roi_state(roi.name, RoiState.RECONSTRUCTING)
    self.quarantine(roi.name, NOT_MEASURED)


def _where_it_was(run: RunContext, binning: int, now: Picture, before: Picture) -> Displacement | None:
    """The program's own search, unless the picture is the same to begin with."""
    if stands_out(before) and np.corrcoef(now[::4, ::4].ravel(), before[::4, ::4].ravel())[0, 1] > _THE_SAME:
        return Displacement(0.0, 0.0, 1.0)
    return _displacement(run, binning, now, before)


async def _as_in_the_mosaic(_run: RunContext, _roi: Roi, _mosaic: Mosaic) -> None:
    """Nobody moves a region between mosaic and scan, but for what `_where_it_was` finds."""


def _one_in_each_place(run: RunContext, chart: MosaicMap) -> tuple[tuple[Particle2D, ...], Count]:
    """A particle in the middle of each place that the recipe names: nobody has to look for them."""
    planned = run.recipe.roi.planned()
    places = () if isinstance(planned, int) else planned
    return tuple(Particle2D(x, y, 20.0, 20.0, touches_edge=False) for x, y, _ in places), Count()


def _no_picture(_mosaic: Any, _rois: Any, _particles: Any, path: Path, *_: Any, **_more: Any) -> None:
    with durable_file(path, "the picture of the mosaic", replace=True) as file:
        file.write(b"\x89PNG\r\n\x1a\n")


def _but_for_processing(run: Achieved, recipe: Recipe, place: RunFolder) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict on a run; that nothing was measured is no reason here, nor an excuse for frames that are missing."""
    measured = {roi: reason for roi, reason in run.quarantined.items() if NOT_MEASURED not in reason}
    return _ended(dataclasses.replace(run, quarantined=measured), recipe, place)


@contextlib.contextmanager
def without_processing() -> Iterator[None]:
    """Runs in this process compute nothing that is looked at, as long as the block lasts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "preview", _no_preview)
        patch.setattr(following.Following, "_process", _no_processing)
        patch.setattr(following.Following, "prepare", lambda self: None)
        patch.setattr(regions, "_particles", _one_in_each_place)
        patch.setattr(regions, "draw_mosaic", _no_picture)
        patch.setattr(resuming, "_displacement", _where_it_was)
        patch.setattr(runner, "compare_with_mosaic", _as_in_the_mosaic)
        patch.setattr(runner, "ended", _but_for_processing)
        patch.setattr(runner, "build_report", lambda path: "<html></html>")
        yield
