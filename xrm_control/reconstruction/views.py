"""What follows from a scan's angles and rotation axis alone, made once however many slabs of rows are reconstructed."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xrm_control.reconstruction.gram import Gram
from xrm_control.reconstruction.least_squares import back_projected, conjugate_gradients
from xrm_control.reconstruction.methods.fourier import FourierReconstruction
from xrm_control.reconstruction.reconstructor import AxisPx, view_weights

_REFINING_STEPS = 15
_CLOSE = 1e-3  # of projecting back onto the data: many even views do so from the outset


class Views:
    """theta_deg (n,), slices of `columns` x `columns` pixels, the axis in column `axis_px`; lengths in pixels."""

    def __init__(self, theta_deg: NDArray[np.floating], columns: int, axis_px: AxisPx) -> None:
        self.theta_deg, self.columns, self.axis_px = theta_deg, columns, axis_px
        self.weights = view_weights(theta_deg)
        self.gram = Gram(theta_deg, self.weights, columns)

    @cached_property
    def even(self) -> bool:
        """Whether a filtered back-projection projects back onto the data.

        A disc tells. The angles decide, not the data, so that a slice does not depend on its neighbours.
        """
        disc = disc_sinogram(self.theta_deg, self.columns, self.axis_px)
        target = self.back_projected(disc, 1)
        gap = target - self.gram(self._filtered(disc, 0, 1))
        return bool(np.linalg.norm(gap) <= _CLOSE * np.linalg.norm(target))

    def back_projected(self, sinograms: NDArray[np.float32], threads: int) -> NDArray[np.float32]:
        """A^T W b."""
        return back_projected(sinograms, self.theta_deg, self.weights, self.axis_px, threads)

    def sharpest(
        self, sinograms: NDArray[np.float32], padding: float | Literal["auto"], threads: int, *, whole: bool
    ) -> NDArray[np.float32]:
        """Slices that meet the data as closely as can be had in a few steps; whole: the detector sees all the sample.

        Otherwise they are a filtered back-projection, rid of what lies beyond the field of view.
        """
        slices = self._filtered(sinograms, padding, threads)
        if not whole or self.even:
            return slices
        target, never = self.back_projected(sinograms, threads), np.full(len(slices), -np.inf)
        return conjugate_gradients(self.gram, target, _REFINING_STEPS, never, threads, start=slices)

    def noise_power(self, *, whole: bool) -> float:
        """What white noise of unit strength in the data comes to in x^T G x, with x = `sharpest` of it."""
        return self._refined_power if whole and not self.even else self._plain_power

    @cached_property
    def _plain_power(self) -> float:
        return self._power(whole=False)

    @cached_property
    def _refined_power(self) -> float:
        return self._power(whole=True)

    def _power(self, *, whole: bool) -> float:
        unit = np.random.default_rng(0).normal(size=(2, len(self.theta_deg), self.columns)).astype(np.float32)
        image = self.sharpest(unit, 0, 1, whole=whole)
        return float(np.sum(image * self.gram(image), dtype=np.float64)) / len(image)

    def _filtered(
        self, sinograms: NDArray[np.float32], padding: float | Literal["auto"], threads: int
    ) -> NDArray[np.float32]:
        method = FourierReconstruction(
            filter="ram-lak", softening=0, padding=padding, accuracy=1e-4, threads=min(threads, 64)
        )
        return method.reconstruct(sinograms, self.theta_deg, self.axis_px, 1.0)


def views_of(theta_deg: NDArray[np.floating], columns: int, axis_px: AxisPx) -> Views:
    """The same object for the same scan, as long as no other comes between."""
    return _views(tuple(np.asarray(theta_deg, float).tolist()), columns, tuple(np.ravel(axis_px).tolist()))


@lru_cache(maxsize=1)
def _views(theta_deg: tuple[float, ...], columns: int, axis_px: tuple[float, ...]) -> Views:
    return Views(np.array(theta_deg), columns, axis_px[0] if len(axis_px) == 1 else np.array(axis_px))


def disc_sinogram(theta_deg: NDArray[np.floating], columns: int, axis_px: AxisPx) -> NDArray[np.float32]:
    """(1, n, columns): a disc off the axis, within the detector as long as the axis is near the middle, in pixels."""
    theta, radius = np.radians(np.asarray(theta_deg, float))[:, None], columns / 6
    away = np.arange(columns) - np.reshape(axis_px, (-1, 1)) - columns / 8 * np.cos(theta) + columns / 6 * np.sin(theta)
    return (2 * np.sqrt(np.maximum(radius**2 - away**2, 0))).astype(np.float32)[None]
