"""What takes most of a short run's time and changes no file: computed once for all the processes of a storm.

The specimen's shadows, the search for particles and their measures are remembered. Figures that nobody looks at are
white and of one pixel, though their files are written as ever.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.once import once


def compute_once(specimen: Any, known: Path) -> None:
    """What a pure function has answered once it is not asked again; figures stay white, and are written as ever."""
    from xrm_control.analysis import core
    from xrm_control.processing import live
    from xrm_control.processing import regions as processing
    from xrm_control.roi import particles2d
    from xrm_control.session import placing, resuming

    specimen.attenuation = _remembering(specimen.attenuation)
    core.analyze_volume = once(core.analyze_volume, known)
    particles2d._search = once(particles2d._search, known)
    live.preview_png = processing.preview_png = once(live.preview_png, known)
    placing.displacement = resuming.displacement = once(placing.displacement, known)
    leave_figures_white()


def _remembering(attenuation: Callable[..., Any]) -> Callable[..., Any]:
    """The same array for the same arguments, the caller's own."""
    known = functools.cache(attenuation)
    return lambda *pose: known(*pose).copy()


def leave_figures_white() -> None:
    """In this process and those forked from it."""
    for owner, name, white in white_figures():
        setattr(owner, name, white)


def white_figures() -> list[tuple[type, str, Any]]:
    """What makes figures white and of one pixel, as (class, attribute, value): they are put together, encoded and
    written as ever."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

    white = np.full((1, 1, 4), 255, np.uint8)
    return [
        (Figure, "draw", lambda *_: None),
        (Figure, "get_tightbbox", lambda *_, **__: Bbox.from_bounds(0, 0, 2, 2)),
        (FigureCanvasAgg, "buffer_rgba", lambda *_: white),
    ]


@contextmanager
def left_white() -> Iterator[None]:
    """For the length of a block."""
    with pytest.MonkeyPatch.context() as patch:
        for owner, name, white in white_figures():
            patch.setattr(owner, name, white)
        yield
