"""Least squares with total variation: edges as sharp as the data hold, noise between them gone."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xrm_control.core.cpus import cpus
from xrm_control.reconstruction.gram import Gram
from xrm_control.reconstruction.least_squares import back_projected, refined, sees_all
from xrm_control.reconstruction.methods.fourier import FourierReconstruction
from xrm_control.reconstruction.reconstructor import Reconstructor, check_sinograms, view_weights
from xrm_control.reconstruction.total_variation import Aim, Smoother
from xrm_control.reconstruction.truncation import Padding

_NORMAL_MAD = 0.6745  # median of the absolute value of a normal variable of unit variance
_REFINING_STEPS = 5
_CLOSE = 1e-3  # of projecting back onto the data: many even views do so from the outset
_ORDER = 4  # of differences: what is smooth over five columns is not noise


class TotalVariation(Reconstructor):
    """Takes away what the data's own noise explains, and no more (Morozov's discrepancy), each slice for itself.

    For bodies of even grey with edges, such as particles; faint texture below the noise is lost. See
    `total_variation` for the problem and its sources.
    """

    kind: Literal["tv"] = "tv"
    iterations: Annotated[int, Field(ge=1, le=1_000)] = 30
    noise: Annotated[float, Field(ge=0, le=100)] | Literal["auto"] = Field(
        default="auto", description="Standard deviation of one line integral; auto: as each slice's data show it."
    )
    discrepancy: float = Field(
        default=0.85, ge=0, le=1, description="Share of the noise's power to be taken away: more is smoother."
    )
    weight: Annotated[float, Field(ge=0)] | None = Field(
        default=None,
        description="Of the total variation, in noise times the square root of the views; default: by discrepancy.",
    )
    non_negative: bool = Field(default=False, description="Hold attenuation at zero or above; biases the background.")
    padding: Padding = "auto"

    def reconstruct(
        self,
        sinograms: NDArray[np.float32],
        theta_deg: NDArray[np.floating],
        axis_px: float,
        pixel_size_um: float,
    ) -> NDArray[np.float32]:
        """See `Reconstructor.reconstruct`; corners beyond the inscribed circle rest on the continuation."""
        check_sinograms(sinograms, theta_deg, axis_px, pixel_size_um)
        rows, views, columns = sinograms.shape
        threads = self.threads or cpus()
        noise = noise_levels(sinograms) if self.noise == "auto" else np.full(rows, self.noise)
        weights = view_weights(theta_deg)
        gram = Gram(theta_deg, weights, columns)

        def sharpest(data: NDArray[np.float32], padding: Padding) -> NDArray[np.float32]:
            method = FourierReconstruction(filter="ram-lak", padding=padding, accuracy=1e-4, threads=self.threads)
            return method.reconstruct(data, theta_deg, axis_px, 1.0)

        def closer(slices: NDArray[np.float32], data: NDArray[np.float32]) -> NDArray[np.float32]:
            target = back_projected(data, theta_deg, weights, axis_px, threads)
            return refined(gram, slices, target, views, _REFINING_STEPS, threads)

        start = sharpest(sinograms, self.padding)
        unit = np.random.default_rng(0).normal(size=(2, views, columns)).astype(np.float32)
        image = sharpest(unit, 0)
        if sees_all(sinograms, float(np.sqrt(np.mean(noise**2)))):
            disc = disc_sinogram(theta_deg, columns, axis_px)
            target = back_projected(disc, theta_deg, weights, axis_px, 1)
            # The angles decide, not the data, so that a slice does not depend on its neighbours.
            if np.linalg.norm(target - gram(sharpest(disc, 0))) > _CLOSE * np.linalg.norm(target):
                start, image = closer(start, sinograms), closer(image, unit)
        # What noise of unit strength, sent the same way, comes to.
        power = float(np.sum(image * gram(image), dtype=np.float64)) / len(image)
        weight = noise * np.sqrt(views) * (1.0 if self.weight is None else self.weight)
        aim = Aim(misfit=self.discrepancy * power * noise**2, weight=weight, adapt=self.weight is None)
        smoother = Smoother(gram, views, non_negative=self.non_negative)
        volume, _ = smoother.solve(start, aim, self.iterations, threads)
        volume /= pixel_size_um
        return volume


def disc_sinogram(theta_deg: NDArray[np.floating], columns: int, axis_px: float) -> NDArray[np.float32]:
    """(1, n, columns): a disc off the axis, within the detector as long as the axis is near the middle, in pixels."""
    theta, radius = np.radians(np.asarray(theta_deg, float))[:, None], columns / 6
    away = np.arange(columns) - axis_px - columns / 8 * np.cos(theta) + columns / 6 * np.sin(theta)
    return (2 * np.sqrt(np.maximum(radius**2 - away**2, 0))).astype(np.float32)[None]


def noise_levels(sinograms: NDArray[np.float32]) -> NDArray[np.float64]:
    """sinograms (rows, n, columns) -> (rows,) standard deviation of white noise, from fourth differences along the
    detector, their median so that edges do not count. 0 where there are fewer than five columns.
    """
    if sinograms.shape[2] <= _ORDER:
        return np.zeros(len(sinograms))
    bend = np.abs(np.diff(sinograms, _ORDER, axis=2)).reshape(len(sinograms), -1)
    gain = math.sqrt(math.comb(2 * _ORDER, _ORDER))
    return np.median(bend, axis=1).astype(np.float64) / (_NORMAL_MAD * gain)
