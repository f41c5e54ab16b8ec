"""Figures of quality of a scan, gathered slab by slab."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.reconstruction.blocks import by_blocks
from xrm_control.reconstruction.preprocess import Transmission
from xrm_control.reconstruction.rotation_axis import RotationAxis

_BRIGHT = 0.99  # the quantile of a view that shows the air
_BLOCK = 64  # views at a time


@dataclass(frozen=True)
class QualitySums:
    """What some rows say; slabs are put together with `+`.

    pixels: per view. transmitted (n,): sum of transmission; brightest (n,): its 0.99 quantile, times pixels; opaque
    (n,): pixels that took the floor. Counts are those of all views. gain_counts, read_counts: noise of the camera.
    warnings: what the method had to say (`reconstruction.warnings`). averaged (n,): pixels that were averaged, for few
    photons passed; averaged_px: the sum of their windows' full widths at half maximum.
    """

    pixels: int
    transmitted: NDArray[np.float64]
    brightest: NDArray[np.float64]
    opaque: NDArray[np.int64]
    zingers: int
    bad_pixels: int
    saturated: int
    gain_counts: float
    read_counts: float
    warnings: tuple[str, ...] = ()
    averaged: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    averaged_px: float = 0.0

    @classmethod
    def of(cls, transmitted: Transmission, own: slice) -> QualitySums:
        """Of the rows `own` within what was read, which overlaps its neighbours'."""
        from xrm_control.reconstruction.quality_kernels import looked_over

        values, floor = transmitted.values[:, own], transmitted.floor[own]
        views, pixels = len(values), values.shape[1] * values.shape[2]
        sums, bright, opaque = np.empty(views), np.empty(views), np.empty(views, np.int64)

        def of_block(block: slice) -> None:
            looked_over(values[block], floor, _BRIGHT, sums[block], opaque[block], bright[block])

        by_blocks(views, _BLOCK, of_block)
        share = values.shape[1] / transmitted.values.shape[1]
        return cls(
            pixels=pixels,
            transmitted=sums,
            # The mean over slabs of a high quantile stands for the quantile of all.
            brightest=pixels * bright,
            opaque=opaque,
            zingers=round(transmitted.zingers * share),
            bad_pixels=round(transmitted.bad_pixels * share),
            saturated=round(transmitted.saturated * share),
            gain_counts=transmitted.gain_counts,
            read_counts=transmitted.read_counts,
        )

    def __add__(self, other: QualitySums) -> QualitySums:
        return QualitySums(
            pixels=self.pixels + other.pixels,
            transmitted=self.transmitted + other.transmitted,
            brightest=self.brightest + other.brightest,
            opaque=self.opaque + other.opaque,
            zingers=self.zingers + other.zingers,
            bad_pixels=self.bad_pixels + other.bad_pixels,
            saturated=self.saturated + other.saturated,
            gain_counts=self.gain_counts,
            read_counts=self.read_counts,
            warnings=tuple(dict.fromkeys((*self.warnings, *other.warnings))),
            averaged=self.averaged + other.averaged,
            averaged_px=self.averaged_px + other.averaged_px,
        )

    def with_averaged(self, told: NDArray[np.float64]) -> QualitySums:
        """With what `LineIntegrals.averaged` says of these rows."""
        return replace(self, averaged=told[..., 0].sum(axis=1), averaged_px=float(told[..., 1].sum()))

    def as_dict(self) -> dict[str, Any]:
        """For JSON; `from_dict` leads back."""
        return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in vars(self).items()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> QualitySums:
        """What `as_dict` gave. Raises KeyError or TypeError for anything else."""
        arrays = {"transmitted": float, "brightest": float, "opaque": np.int64, "averaged": float}
        ready: dict[str, Any] = {**content, "warnings": tuple(content["warnings"])}
        # Parts that were begun before anything was averaged like this are gone on with.
        ready.update({name: np.array(content[name], kind) for name, kind in arrays.items() if name in content})
        return cls(**ready)

    def quality(self, axis: RotationAxis, columns: int) -> dict[str, float]:
        """By name, all as numbers; `columns` of the detector."""
        views = len(self.transmitted)
        metrics = {
            "views": views,
            "rotation_axis_px": axis.column_px,
            "rotation_axis_offset_px": axis.column_px - (columns - 1) / 2,
            "rotation_axis_uncertainty_px": axis.uncertainty_px,
            "rotation_axis_pairs": len(axis.pairs),
            "transmission_mean": self.transmitted.sum() / (self.pixels * views),
            "transmission_darkest_view": self.transmitted.min() / self.pixels,
            "air_level": np.median(self.brightest / self.pixels),
            "opaque_count": self.opaque.sum(),
            "opaque_fraction": self.opaque.sum() / (self.pixels * views),
            "opaque_fraction_worst_view": self.opaque.max() / self.pixels,
            "zinger_count": self.zingers,
            "bad_pixel_count": self.bad_pixels,
            "saturated_count": self.saturated,
            "camera_gain_counts": self.gain_counts,
            "camera_noise_counts": self.read_counts,
        }
        # Of a detector that stands straight nothing is said.
        metrics |= {"detector_tilt_deg": axis.tilt_deg} if axis.tilt_deg else {}
        # Of a scan whose photons suffice nothing is said.
        if self.averaged.any():
            metrics |= {
                "averaged_fraction": self.averaged.sum() / (self.pixels * views),
                "averaged_fraction_worst_view": self.averaged.max() / self.pixels,
                "averaged_width_px": self.averaged_px / self.averaged.sum(),
            }
        return {name: float(value) for name, value in metrics.items()}
