"""The family of reconstruction methods, and what they share."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xrm_control.core.errors import DataError
from xrm_control.core.family import Family
from xrm_control.core.model import Spec

# A column, pixel centres at whole numbers; or one for each view, (n,), where views are shifted against each other.
RECONSTRUCTORS = Family("xrm_control.reconstruction.methods", group="xrm_control.reconstructors")

AxisPx = float | NDArray[np.floating]


class Reconstructor(Spec):
    """One way from line integrals to attenuation. A member adds `kind: Literal["..."]` and `reconstruct`."""

    threads: Annotated[int, Field(ge=1, le=64)] | None = Field(
        default=None, description="Slices at a time on a CPU; by default as many as this process has CPUs."
    )

    def check_machine(self) -> None:
        """Raise RecipeError where this machine lacks what the method needs."""

    @property
    def bytes_per_pixel(self) -> int:
        """Memory at the peak for each pixel of a slab's line integrals, with what comes before them."""
        return 80

    def working_bytes(self, rows: int, columns: int) -> int:
        """Memory that does not grow with the views, for so many slices of `columns` x `columns`, beyond themselves."""
        return 0

    @abstractmethod
    def reconstruct(
        self,
        sinograms: NDArray[np.float32],
        theta_deg: NDArray[np.floating],
        axis_px: AxisPx,
        pixel_size_um: float,
    ) -> NDArray[np.float32]:
        """sinograms (rows, n, columns), line integrals; theta_deg (n,); axis_px: where the rotation axis is,
        for all views or for each. Returns (rows, columns, columns) in 1/um, the axis in the middle of each slice.
        """


def check_sinograms(sinograms: NDArray[Any], theta_deg: NDArray[Any], axis_px: AxisPx, pixel_size_um: float) -> None:
    """Raise DataError for arrays that do not fit together."""
    if sinograms.ndim != 3 or 0 in sinograms.shape:
        raise DataError("sinograms must be (rows, views, columns)", where="sinograms", value=sinograms.shape)
    _, views, columns = sinograms.shape
    if np.shape(theta_deg) != (views,):
        raise DataError("one angle per view is needed", where="theta_deg", value=np.shape(theta_deg), limit=views)
    finite = np.isfinite(sinograms).all(axis=(0, 2))
    if not finite.all():
        raise DataError("a sinogram holds NaN or infinity", where=f"view {int(np.argmin(finite))}")
    if not np.all(np.isfinite(theta_deg)):
        raise DataError("an angle is not a finite number", where="theta_deg")
    if np.ndim(axis_px) and np.shape(axis_px) != (views,):
        raise DataError("one axis, or one per view, is needed", where="axis_px", value=np.shape(axis_px), limit=views)
    middle = float(np.mean(axis_px))
    if not 0 <= middle <= columns - 1:
        raise DataError(
            "the rotation axis is outside the detector",
            where="axis_px",
            value=f"{middle:.2f}",
            limit=f"0 to {columns - 1}",
        )
    if not (math.isfinite(pixel_size_um) and pixel_size_um > 0):
        raise DataError("the pixel size must be positive", where="pixel_size_um", value=pixel_size_um)


_WIDE = 4.0  # gaps of more than so many large steps are missing wedges


@dataclass(frozen=True)
class AngularGap:
    """From one view to the next, modulo half a turn; missing_deg: what lies between them beyond a large step."""

    from_deg: float
    to_deg: float
    missing_deg: float

    @property
    def text(self) -> str:
        """In words."""
        return f"from {self.from_deg:.4g} to {self.to_deg:.4g} degrees"


def angular_gaps(theta_deg: NDArray[np.floating]) -> tuple[AngularGap, ...]:
    """The missing wedges of a scan with views at theta_deg (n,): gaps of more than four large steps, which are those
    that nine in ten do not exceed."""
    ordered, gaps, large = _steps(theta_deg)
    return tuple(
        AngularGap(float(ordered[at]), float(ordered[at] + gaps[at]), float(gaps[at] - large))
        for at in np.flatnonzero(gaps > _WIDE * large)
    )


def view_weights(theta_deg: NDArray[np.floating]) -> NDArray[np.float64]:
    """Each view's share of the half circle times the number of views, so that equally spaced views weigh 1.

    A view and its opposite share one place: the two ends of a scan from -90 to +90 count half each. A missing wedge
    (`angular_gaps`) is not something its neighbours stand for; all views together make up for it, so that the level of
    what looks the same from all sides stays right, but for the streaks of others.
    """
    theta = np.asarray(theta_deg, float) % 180.0
    order = np.argsort(theta, kind="stable")
    _, gaps, large = _steps(theta_deg)
    gaps = np.where(gaps > _WIDE * large, large, gaps)
    weights = np.empty_like(theta)
    weights[order] = (gaps + np.roll(gaps, 1)) / 2 * len(theta) / gaps.sum()
    return weights


def _steps(theta_deg: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Angles modulo half a turn in order, the way from each to the next, and the largest usual step."""
    ordered = np.sort(np.asarray(theta_deg, float) % 180.0, kind="stable")
    gaps = np.diff(ordered, append=ordered[0] + 180.0)
    steps = gaps[gaps > 1e-3]
    return ordered, gaps, float(np.quantile(steps, 0.9, method="lower")) if len(steps) else 180.0
