"""Figures of quality of a scan, gathered slab by slab."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xrm_control.reconstruction.preprocess import Transmission
from xrm_control.reconstruction.rotation_axis import RotationAxis


class Figures:
    """Adds up what each slab of rows says; `views` and `columns` are those of the scan."""

    def __init__(self, views: int, columns: int) -> None:
        self._views, self._columns = views, columns
        self._rows = 0
        self._sum = np.zeros(views)
        self._brightest = np.zeros(views)
        self._opaque = np.zeros(views, np.int64)
        self._counts = {"zinger_count": 0, "bad_pixel_count": 0, "saturated_count": 0}
        self._noise = (0.0, 0.0)

    def add(self, transmitted: Transmission, opaque: NDArray[np.int64], own: slice) -> None:
        """One slab; `own` are its rows within what was read, which overlaps its neighbours'."""
        values = transmitted.values[:, own]
        rows, share = values.shape[1], values.shape[1] / transmitted.values.shape[1]
        self._rows += rows
        self._sum += values.sum(axis=(1, 2), dtype=float)
        # The mean over slabs of a high quantile stands for the quantile of all.
        self._brightest += rows * np.quantile(values.reshape(len(values), -1), 0.99, axis=1)
        self._opaque += opaque if share == 1 else np.count_nonzero(values <= transmitted.floor[own], axis=(1, 2))
        for name, count in (
            ("zinger_count", transmitted.zingers),
            ("bad_pixel_count", transmitted.bad_pixels),
            ("saturated_count", transmitted.saturated),
        ):
            self._counts[name] += round(count * share)
        self._noise = (transmitted.gain_counts, transmitted.read_counts)

    def quality(self, axis: RotationAxis) -> dict[str, float]:
        """By name."""
        per_view = self._rows * self._columns
        gain_counts, read_counts = self._noise
        figures = {
            "views": self._views,
            "rotation_axis_px": axis.column_px,
            "rotation_axis_offset_px": axis.column_px - (self._columns - 1) / 2,
            "rotation_axis_uncertainty_px": axis.uncertainty_px,
            "rotation_axis_pairs": len(axis.pairs),
            "transmission_mean": self._sum.sum() / (per_view * self._views),
            "transmission_darkest_view": self._sum.min() / per_view,
            "air_level": np.median(self._brightest / self._rows),
            "opaque_count": self._opaque.sum(),
            "opaque_fraction": self._opaque.sum() / (per_view * self._views),
            "opaque_fraction_worst_view": self._opaque.max() / per_view,
            **self._counts,
            "camera_gain_counts": gain_counts,
            "camera_noise_counts": read_counts,
        }
        return {name: float(value) for name, value in figures.items()}
