"""Is this frame a picture? What a camera delivers is believed only after these checks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.acquisition.light import Light, Look, Odd
from xrm_control.acquisition.steps import FrameStep
from xrm_control.acquisition.stillness import CameraChanged
from xrm_control.core.errors import FrameUnusable, Saturated
from xrm_control.core.frame_id import FrameId
from xrm_control.core.states import FrameKind
from xrm_control.devices.protocols import CameraFrame

_FULL = 0.995  # of full scale
_MOST_FULL = 0.005  # of the pixels: hot ones are normal


class AgainstReference(FrameUnusable):
    """A frame that does not go with the references: one of the two is wrong."""

    def __init__(self, what: str, *, reference: FrameKind = FrameKind.DARK, **facts: Any) -> None:
        super().__init__(what, **facts)
        self.reference = reference


class FrameChecker:
    """Checks the frames of a run in the order in which they come; `begin` says what the camera promises from then on.

    A frame whose counts its fellows do not lead one to expect is refused once, for comparison: when another exposure of
    the same step agrees with it, it is the sample, and the frame is believed.
    """

    def __init__(self, shape: tuple[int, int], *, full_scale: int = 65_535) -> None:
        self.shape = shape
        self.light = Light()
        self._full_scale = full_scale
        self._dtype: np.dtype[Any] | None = None
        self._last: NDArray[Any] | None = None
        self._last_id: int | None = None
        self._ordered = 0
        self._late = False
        self._refused: dict[FrameId, list[Look]] = {}
        self._setting: tuple[int, float] | None = None
        self._good: set[tuple[int, float] | None] = set()
        self.confirmed: set[FrameId] = set()

    def begin(self, shape: tuple[int, int], binning: int, exposure_s: float, full_scale: int) -> None:
        """Another acquisition: its frames have this shape; what was seen before with such settings is remembered."""
        self.shape, self._full_scale = shape, full_scale
        self._setting = (binning, exposure_s)
        self.light.begin(self._setting)
        self._refused.clear()
        self.confirmed.clear()
        self.restarted()

    def restarted(self) -> None:
        """The camera may count its frames anew from here on; what it saw before is still remembered."""
        self._last_id = None
        self._ordered, self._late = 0, False

    def ordered(self) -> None:
        """One more exposure is ordered; its frame may yet be lost."""
        self._ordered += 1

    @property
    def unsure(self) -> bool:
        """Whether an exposure was lost before any number was known: nobody could say whose picture comes next."""
        return self._last_id is None and self._ordered > 0

    @property
    def was_good(self) -> bool:
        """Whether the run has seen a good frame with the shutter open and the present settings of the camera."""
        return self._setting in self._good

    def recall(self, step: FrameStep, image: NDArray[Any], *, confirmed: bool = False) -> None:
        """A frame that was believed when it was taken; confirmed: after two exposures that agreed."""
        if confirmed:
            self.confirmed.add(step.frame_id)
        look = None if step.kind == FrameKind.DARK else self.light.look(image)
        self._dtype = image.dtype
        if look is not None:
            self._good.add(self._setting)
        self.light.add(step, image, look)

    def withdraw(self, frame_id: FrameId) -> None:
        """A frame that was believed is so no more; a view that looks as it did when taken again is the sample's."""
        look = self.light.withdraw(frame_id)
        if look is not None:
            self._refused.setdefault(frame_id, []).append(look)
        self.confirmed.discard(frame_id)

    def disturbed(self, frame: CameraFrame) -> None:
        """The frame is not believed, whatever it shows; its number counts."""
        self._follows(frame.unique_id)

    def check(self, step: FrameStep, frame: CameraFrame) -> None:
        """Raise FrameUnusable, or Saturated, unless `frame` can be the picture that `step` asked for."""
        image, where = frame.image, step.frame_id
        self._check_id(step, frame)
        if image.shape != self.shape:
            raise FrameUnusable("wrong shape", where=where, value=image.shape, limit=self.shape)
        if not np.isfinite(image).all():
            raise FrameUnusable("not a number in the image", where=where)
        if self._dtype is not None and image.dtype != self._dtype:
            raise FrameUnusable(
                "its pixels are of another type than those of the frames before",
                where=where,
                value=image.dtype,
                limit=self._dtype,
            )
        if step.kind != FrameKind.DARK:
            self._check_full(step, image)
        if image.min() == image.max():
            raise FrameUnusable("every pixel has the same value", where=where, value=image.flat[0])
        if self._last is not None and np.array_equal(image, self._last):
            raise FrameUnusable("the same picture as the frame before", where=where)
        self._last = image
        look = self._check_light(step, image)
        self._dtype = image.dtype
        if look is not None:
            self._good.add(self._setting)
        self.light.add(step, image, look)

    def _check_id(self, step: FrameStep, frame: CameraFrame) -> None:
        last, ordered = self._last_id, max(1, self._ordered)
        if not self._follows(frame.unique_id):
            if last is None:
                raise CameraChanged(
                    "an exposure was lost before any number was known: this may be its picture, that came late",
                    where=step.frame_id,
                    value=frame.unique_id,
                )
            if last < frame.unique_id < last + ordered:
                raise CameraChanged(
                    "its unique id is behind: it may be the picture of an exposure before, that came late",
                    where=step.frame_id,
                    value=frame.unique_id,
                    limit=last + ordered,
                )
            raise FrameUnusable(
                "its unique id does not follow: somebody else exposed, or the camera counts anew",
                where=step.frame_id,
                value=frame.unique_id,
                limit=last + ordered,
            )

    def _follows(self, unique_id: int) -> bool:
        """Whether the id is that of the exposure ordered last; it counts.

        A camera that has delivered a frame twice, or an earlier one late, is behind: until it has caught up, each of
        its frames would be taken for the next one. One that does not count what it lost looks the same: armed anew.
        """
        last, ordered = self._last_id, max(1, self._ordered)
        if last is None:
            # The first number tells where the camera counts from, unless an exposure before it was lost.
            self._late = ordered > 1
            if not self._late:
                self._last_id, self._ordered = unique_id, 0
            return not self._late
        if unique_id == last:
            self._late = True
            return False
        among = last < unique_id <= last + ordered
        self._late = among and unique_id < last + ordered
        self._last_id, self._ordered = unique_id, last + ordered - unique_id if self._late else 0
        return among and not self._late

    def _check_full(self, step: FrameStep, image: NDArray[Any]) -> None:
        limit = min(self._full_scale, np.iinfo(image.dtype).max) if image.dtype.kind in "ui" else self._full_scale
        share = float(np.mean(image >= _FULL * limit))
        if share <= _MOST_FULL:
            return
        counts = f"{100 * share:.1f} % of the pixels at full scale, median {np.median(image):.0f} counts"
        exposure_s = self._setting[1] if self._setting is not None else None
        shorter = f", to {exposure_s / 2:g} s or less" if exposure_s else ""
        raise Saturated(
            f"the frame is saturated with {exposure_s:g} s" if exposure_s else "the frame is saturated",
            where=step.frame_id,
            value=counts,
            limit=f"{100 * _MOST_FULL:g} % of the pixels at full scale, {limit} counts",
            remedy=f"shorten {'mosaic' if step.frame_id.of_mosaic else 'scan'}.exposure_s{shorter}",
        )

    def _check_light(self, step: FrameStep, image: NDArray[Any]) -> Look | None:
        if step.kind == FrameKind.DARK:
            odd = self.light.odd_dark(image)
            if odd is not None:
                raise _unusable(step, odd)
            return None
        look = self.light.look(image)
        if (odd := self.light.no_light(look)) is not None:
            raise _against(FrameKind.DARK, step, odd)
        if step.kind != FrameKind.FLAT and (odd := self.light.above_flats(look)) is not None:
            # One more exposure than elsewhere: the flats were taken again meanwhile.
            if self._alone(step, look, others=2):
                raise _against(FrameKind.FLAT, step, odd)
        elif (odd := self.light.odd_lit(step, look)) is not None and self._alone(step, look):
            raise _unusable(step, odd)
        return look

    def _alone(self, step: FrameStep, look: Look, others: int = 1) -> bool:
        """Whether fewer than `others` earlier exposures of the step agree with this one, which is remembered."""
        earlier = self._refused.setdefault(step.frame_id, [])
        if sum(look.agrees(other) for other in earlier) >= others:
            self.confirmed.add(step.frame_id)
            return False
        earlier.append(look)
        return True


def _against(reference: FrameKind, step: FrameStep, odd: Odd) -> AgainstReference:
    return AgainstReference(odd.what, reference=reference, where=step.frame_id, value=odd.value, limit=odd.limit)


def _unusable(step: FrameStep, odd: Odd) -> FrameUnusable:
    return FrameUnusable(odd.what, where=step.frame_id, value=odd.value, limit=odd.limit)
