"""What takes most of a short run's time and changes no file: computed once for all the processes of a storm.

The specimen's shadows, the search for particles and their measures are remembered. Figures that nobody looks at are
white and of one pixel, though their files are written as ever.
"""

from __future__ import annotations

import functools
import hashlib
import io
import os
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any


def compute_once(specimen: Any, known: Path) -> None:
    """What a pure function has answered once it is not asked again; figures stay white, and are written as ever."""
    from xrm_control.analysis import core
    from xrm_control.processing import live
    from xrm_control.processing import regions as processing
    from xrm_control.roi import particles2d
    from xrm_control.session import placing, resuming

    specimen.attenuation = _remembering(specimen.attenuation)
    core.analyze_volume = _knowing(core.analyze_volume, known)
    particles2d._search = _knowing(particles2d._search, known)
    live.preview_png = processing.preview_png = _knowing(live.preview_png, known)
    placing.displacement = resuming.displacement = _knowing(placing.displacement, known)
    leave_figures_white()


def _remembering(attenuation: Callable[..., Any]) -> Callable[..., Any]:
    """The same array for the same arguments, the caller's own."""
    known = functools.cache(attenuation)
    return lambda *pose: known(*pose).copy()


def _knowing(pure: Callable[..., Any], folder: Path) -> Callable[..., Any]:
    """The same answer to the same arguments, arrays among them, the caller's own; `folder`: for the other children."""

    def answer(*arguments: Any, **words: Any) -> Any:
        asked = hashlib.sha256(pickle.dumps((pure.__qualname__, arguments, words))).hexdigest()
        known = folder / asked
        if not known.exists():
            # One that is killed here leaves no half of it.
            part = folder / f"{os.getpid()}-{threading.get_ident()}.part"
            part.write_bytes(pickle.dumps(pure(*arguments, **words)))
            part.replace(known)
        return pickle.loads(known.read_bytes())

    return answer


def leave_figures_white() -> None:
    """In this process and those forked from it. What they replace has other arguments than their own."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox
    from PIL import Image

    white = io.BytesIO()
    Image.new("RGB", (1, 1), "white").save(white, "png")

    def print_png(self: FigureCanvasAgg, file: IO[bytes], **_: Any) -> None:
        # Matplotlib puts a trap there, to be told of the renderer.
        self.figure.draw(self.get_renderer())
        file.write(white.getvalue())

    setattr(Figure, "draw", lambda *_: None)  # noqa: B010
    setattr(Figure, "get_tightbbox", lambda *_, **__: Bbox.from_bounds(0, 0, 2, 2))  # noqa: B010
    setattr(FigureCanvasAgg, "print_png", print_png)  # noqa: B010
