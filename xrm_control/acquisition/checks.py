"""Is this frame a picture? What a camera delivers is believed only after these checks."""

from __future__ import annotations

import numpy as np

from xrm_control.acquisition.steps import FrameStep
from xrm_control.core.errors import FrameUnusable
from xrm_control.devices.protocols import CameraFrame


class FrameChecker:
    """Checks the frames of one acquisition in the order in which they come.

    Knows the shape that the camera promised, remembers the last frame (a repeat is not a frame) and the level of the
    darks (a frame with the shutter open must lie above it somewhere, a dark must not).
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self._last: CameraFrame | None = None
        self._last_id: int | None = None
        self._dark_level: float | None = None
        self._dark_noise = 0.0

    def restarted(self) -> None:
        """The camera may count its frames anew from here on; what it saw before is still remembered."""
        self._last_id = None

    def check(self, step: FrameStep, frame: CameraFrame) -> None:
        """Raise FrameUnusable unless `frame` can be the picture that `step` asked for."""
        image = frame.image
        if image.shape != self.shape:
            raise FrameUnusable("wrong shape", where=step.frame_id, value=image.shape, limit=self.shape)
        if not np.isfinite(image).all():
            raise FrameUnusable("not a number in the image", where=step.frame_id)
        if image.min() == image.max():
            raise FrameUnusable("every pixel has the same value", where=step.frame_id, value=image.flat[0])
        if self._last_id is not None and frame.unique_id <= self._last_id:
            raise FrameUnusable(
                "its unique id does not follow",
                where=step.frame_id,
                value=frame.unique_id,
                limit=f"above {self._last_id}",
            )
        if self._last is not None and np.array_equal(image, self._last.image):
            raise FrameUnusable("the same picture as the frame before", where=step.frame_id)
        self._check_light(step, image)
        self._last, self._last_id = frame, frame.unique_id

    def _check_light(self, step: FrameStep, image: np.ndarray) -> None:
        if step.kind == "dark":
            # A robust level and noise: hot pixels must not count.
            level = float(np.median(image))
            noise = 1.4826 * float(np.median(np.abs(image - level)))
            if self._dark_level is None:
                self._dark_level, self._dark_noise = level, max(noise, 1.0)
            elif abs(level - self._dark_level) > 10 * self._dark_noise:
                raise FrameUnusable(
                    "a dark that differs from the darks before it: light behind a closed shutter?",
                    where=step.frame_id,
                    value=f"{level:.1f} counts",
                    limit=f"{self._dark_level:.1f} +- {10 * self._dark_noise:.1f} counts",
                )
            return
        if self._dark_level is not None:
            bright = float(np.percentile(image, 99))
            floor = self._dark_level + 6 * self._dark_noise
            if bright <= floor:
                raise FrameUnusable(
                    "no light although the shutter is open",
                    where=step.frame_id,
                    value=f"99th percentile {bright:.1f} counts",
                    limit=f"above {floor:.1f} counts",
                )
