"""A look at the region while it is scanned: three orthogonal slices grow with every kept frame.

A preview never stands in the way: it works in a thread of its own on the frames it is given, skips some where it cannot
keep up, and ends, with a word in the log, where it cannot go on. The volume itself is made when the scan is over: the
rotation axis and the last references are not known before. Its slices then take the preview's place.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.acquisition.steps import Acquisition
from xrm_control.core.events import AnyEvent, EventStream, FrameKept, PreviewBegun, PreviewEnded, PreviewSkipped
from xrm_control.core.states import FrameKind
from xrm_control.reconstruction.incremental_fbp import IncrementalFBP, OrthogonalSlices
from xrm_control.reconstruction.preprocess import PreprocessSpec
from xrm_control.reconstruction.preview_picture import preview_png
from xrm_control.reconstruction.running_flat_field import RunningFlatField
from xrm_control.storage.durable import make_folder, write_durable

_MOST_WAITING = 16  # frames
_PICTURES = 12  # evenly over a scan, besides those of the first few views
_EARLY = (1, 2, 4, 8)


class LivePreview:
    """Of one scan. `axis_px`: assumed, None for the middle; `picture`: where it is shown."""

    def __init__(
        self,
        acquisition: Acquisition,
        pixel_size_um: float,
        spec: PreprocessSpec,
        axis_px: float | None,
        picture: Path,
        events: EventStream,
    ) -> None:
        self._planned = {step.index: step.pose.theta_deg for step in acquisition.of_kind(FrameKind.PROJECTION)}
        # Views are numbered as the plan's angles rise, whatever the order in which they are taken.
        self._view = {index: view for view, index in enumerate(sorted(self._planned, key=self._planned.__getitem__))}
        self._name, self._pixel_size_um, self._spec = acquisition.stage, pixel_size_um, spec
        self._axis_px, self._picture, self._events = axis_px, picture, events
        self._flats: dict[int, NDArray[Any]] = {}
        self._darks: dict[int, NDArray[Any]] = {}
        self._references: RunningFlatField | None = None
        self._slices: IncrementalFBP | None = None
        self._waiting: set[asyncio.Future[None]] = set()
        self._added: set[int] = set()
        self._begun = self._over = False
        self._skipped = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="preview")

    def hear(self, event: AnyEvent) -> None:
        """Take the frames of this scan from among all that happens; returns at once."""
        if isinstance(event, FrameKept) and event.image is not None and event.frame.group == self._name:
            self._kept(event, event.image)

    async def recall(self, frame: FrameKept) -> None:
        """A frame that was taken before; none is skipped."""
        while len(self._waiting) >= _MOST_WAITING:
            await asyncio.wait(self._waiting, return_when=asyncio.FIRST_COMPLETED)
        self.hear(frame)

    def _kept(self, frame: FrameKept, image: NDArray[Any]) -> None:
        if self._over or frame.frame_kind == FrameKind.REPEAT:
            return
        if frame.frame_kind == FrameKind.PROJECTION and len(self._waiting) >= _MOST_WAITING:
            self._skipped += 1
            return
        if frame.frame_kind == FrameKind.PROJECTION and not self._begun:
            self._begun = True
            self._events.emit(PreviewBegun(self._name, str(self._picture)))
        future = asyncio.get_running_loop().run_in_executor(self._thread, self._add, frame, image)
        self._waiting.add(future)
        future.add_done_callback(self._landed)

    def close(self) -> None:
        """No more frames, and none that wait."""
        self._over = True
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def finish(self) -> OrthogonalSlices | None:
        """The slices when nothing is in the queue any more; None before the first view."""
        if self._waiting:
            await asyncio.wait(self._waiting)
        if self._skipped:
            self._events.emit(PreviewSkipped(self._name, self._skipped))
        return self._slices.slices() if self._slices is not None else None

    def _landed(self, future: asyncio.Future[None]) -> None:
        self._waiting.discard(future)
        if future.cancelled():
            return
        error = future.exception()
        if error is not None and not self._over:
            self._over = True
            self._events.emit(PreviewEnded(self._name, str(error)))

    def _add(self, frame: FrameKept, image: NDArray[Any]) -> None:
        if self._over or frame.frame_kind == FrameKind.BLOCKER:
            # Stray light is taken off the volume; its preview shows what is there.
            return
        if frame.frame_kind != FrameKind.PROJECTION:
            # A new set of references takes the place of the one before.
            if self._references is not None:
                self._references, self._flats = None, {}
            # One that is taken again takes the place of the one that was odd.
            (self._flats if frame.frame_kind == FrameKind.FLAT else self._darks)[frame.index] = image
            return
        if self._references is None:
            nothing = np.empty((0, *image.shape), image.dtype)
            of_kind = (list(frames.values()) for frames in (self._flats, self._darks))
            flats, darks = (np.stack(frames) if frames else nothing for frames in of_kind)
            self._references = RunningFlatField(flats, darks, self._spec)
        if self._slices is None:
            rows, columns = image.shape
            axis_px = (columns - 1) / 2 if self._axis_px is None else self._axis_px
            theta = np.sort(np.array(list(self._planned.values())))
            self._slices = IncrementalFBP(theta, rows, columns, axis_px, self._pixel_size_um)
        view = self._view[frame.index]
        if view in self._added:
            # Taken again: what is in the sum cannot be taken out of it, and the volume will not hold it.
            return
        self._added.add(view)
        self._slices.add(view, self._references.line_integrals_of(image, view), frame.theta_deg)
        seen = self._slices.slices()
        if seen.views in _EARLY or seen.views == seen.planned or seen.views % max(1, seen.planned // _PICTURES) == 0:
            note = "rotation axis in the middle: not known yet" if self._axis_px is None else ""
            make_folder(self._picture.parent)
            write_durable(self._picture, preview_png(seen, note), replace=True)
