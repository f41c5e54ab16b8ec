"""Least squares with total variation: edges as sharp as the data hold, noise between them gone."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xrm_control.core.cpus import cpus
from xrm_control.reconstruction.discrepancy import Noise, noise_of
from xrm_control.reconstruction.least_squares import sees_all
from xrm_control.reconstruction.reconstructor import AxisPx, Reconstructor, check_sinograms
from xrm_control.reconstruction.truncation import Padding
from xrm_control.reconstruction.views import views_of


class TotalVariation(Reconstructor):
    """Takes away what the data's own noise explains, and no more (Morozov's discrepancy), each slice for itself.

    For bodies of even grey with edges, such as particles; faint texture below the noise is lost. See
    `total_variation` for the problem and its sources.
    """

    kind: Literal["tv"] = "tv"
    iterations: Annotated[int, Field(ge=1, le=1_000)] = 30
    noise: Noise = Field(
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
        axis_px: AxisPx,
        pixel_size_um: float,
    ) -> NDArray[np.float32]:
        """See `Reconstructor.reconstruct`; corners beyond the inscribed circle rest on the continuation."""
        from xrm_control.reconstruction.total_variation import Smoother, StoppingRule  # numba: only when asked

        check_sinograms(sinograms, theta_deg, axis_px, pixel_size_um)
        threads = self.threads or cpus()
        noise = noise_of(sinograms, self.noise)
        views = views_of(theta_deg, sinograms.shape[2], axis_px)
        whole = sees_all(sinograms, float(np.sqrt(np.mean(noise**2))))
        start = views.sharpest(sinograms, self.padding, threads, whole=whole)
        weight = noise * np.sqrt(len(views.theta_deg)) * (1.0 if self.weight is None else self.weight)
        misfit = self.discrepancy * views.noise_power(whole=whole) * noise**2
        smoother = Smoother(views.gram, len(views.theta_deg), non_negative=self.non_negative)
        stopping = StoppingRule(misfit=misfit, weight=weight, adapt=self.weight is None)
        volume, _ = smoother.solve(start, stopping, self.iterations, threads)
        volume /= pixel_size_um
        return volume
