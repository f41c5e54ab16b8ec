"""What the iterative methods share: on which operator they work, on which device, and when they stop."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from xrm_control.core.cpus import cpus
from xrm_control.reconstruction.device import Device
from xrm_control.reconstruction.discrepancy import Noise, noise_levels, noise_of
from xrm_control.reconstruction.gram import Gram
from xrm_control.reconstruction.least_squares import applied, energy, sees_all
from xrm_control.reconstruction.reconstructor import AxisPx, Reconstructor, check_sinograms
from xrm_control.reconstruction.sparse_iterations import cgls, sirt
from xrm_control.reconstruction.truncation import Padding
from xrm_control.reconstruction.views import views_of
from xrm_control.reconstruction.warnings import warn

_MOST_ENTRIES = 6e7  # of a matrix: about 1 GB with the transpose
_SLICES_AT_A_TIME = 128


class IterativeReconstructor(Reconstructor):
    """Least squares, each slice for itself, ended early: later rounds fit the noise.

    The level of flats is among the last to settle; ended so early, it may be some percent off.

    On the gram operator a round costs two FFTs. It needs a detector that sees the whole sample, or views from which a
    filtered back-projection, continued beyond the field of view, takes what lies outside away. On ASTRA's projector
    matter outside finds room in a wider slice; that serves few or uneven views of a truncated sample, and a GPU.
    """

    astra_name: ClassVar[Literal["SIRT", "CGLS"]]

    engine: Literal["auto", "gram", "astra"] = Field(
        default="auto",
        description="gram: by FFT; astra: its projector, the reference; auto: a GPU, or gram where that is right.",
    )
    device: Device = Field(
        default="auto", description="auto: a GPU where there is one and noise is null, otherwise the CPU."
    )
    noise: Noise | None = Field(
        default="auto",
        description="Stop where residuals come down to this standard deviation of one line integral; auto: as each "
        "slice's data show it; null: never before all iterations.",
    )
    padding: Padding = "auto"
    iterations: int = Field(default=30, ge=1, le=10_000)
    surround: float = Field(
        default=1.0, ge=0, le=4, description="engine astra: slice widths beyond each side, where outside matter may go."
    )

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.device == "gpu" and (self.engine == "gram" or self.noise is not None):
            raise ValueError("device: gpu runs ASTRA's own rounds: engine must not be gram, noise must be null")
        return self

    @property
    def bounded(self) -> bool:
        """Whether attenuation is held at zero or above."""
        return False

    def check_machine(self) -> None:
        """See `Reconstructor.check_machine`."""
        if self.device == "gpu" or self.engine == "astra":
            _wants_gpu(self.device)

    def reconstruct(
        self,
        sinograms: NDArray[np.float32],
        theta_deg: NDArray[np.floating],
        axis_px: AxisPx,
        pixel_size_um: float,
    ) -> NDArray[np.float32]:
        """See `Reconstructor.reconstruct`; corners beyond the inscribed circle rest on what is taken to lie outside."""
        check_sinograms(sinograms, theta_deg, axis_px, pixel_size_um)
        on_gpu = self.engine == "auto" and self.noise is None and _wants_gpu(self.device)
        volume = None if on_gpu or self.engine == "astra" else self._by_gram(sinograms, theta_deg, axis_px)
        if volume is None:
            if self.engine == "auto" and not on_gpu:
                warn("few or uneven views of a sample beyond the field of view: on ASTRA's projector, which is slower")
            rays = sinograms.shape[1] * sinograms.shape[2]
            tolerance = None if self.noise is None else rays * noise_of(sinograms, self.noise) ** 2
            volume = self._by_astra(sinograms, theta_deg, axis_px, tolerance)
        volume /= np.float32(pixel_size_um)
        return volume

    @abstractmethod
    def _solve(
        self, gram: Gram, target: NDArray[np.float32], tolerance: NDArray[np.floating], threads: int
    ) -> NDArray[np.float32]:
        """Solve gram(x) = target, until `energy` is down to `tolerance`."""

    def _by_astra(
        self,
        sinograms: NDArray[np.float32],
        theta_deg: NDArray[np.floating],
        axis_px: AxisPx,
        tolerance: NDArray[np.floating] | None,
    ) -> NDArray[np.float32]:
        return iterate(
            self.astra_name,
            sinograms,
            theta_deg,
            axis_px,
            iterations=self.iterations,
            surround=self.surround,
            non_negative=self.bounded,
            tolerance=tolerance,
            device=self.device,
            threads=self.threads,
        )

    def _by_gram(
        self, sinograms: NDArray[np.float32], theta_deg: NDArray[np.floating], axis_px: AxisPx
    ) -> NDArray[np.float32] | None:
        """In 1/pixel; None where ASTRA's projector does better."""
        threads = self.threads or cpus()
        noise = noise_levels(sinograms) if self.noise is None else noise_of(sinograms, self.noise)
        views = views_of(theta_deg, sinograms.shape[2], axis_px)
        whole = sees_all(sinograms, float(np.sqrt(np.mean(noise**2))))
        if self.engine == "auto" and not (whole or views.even):
            return None
        tolerance = np.full(len(sinograms), -np.inf)
        if whole and self.noise is None:
            target = views.back_projected(sinograms, threads)
        else:
            best = views.sharpest(sinograms, self.padding, threads, whole=whole)
            target = views.back_projected(sinograms, threads) if whole else applied(views.gram, best, threads)
            if self.noise is not None:
                tolerance = energy(views.gram, best, target) + 0.5 * views.noise_power(whole=whole) * noise**2
        return self._solve(views.gram, target, tolerance, threads)


def iterate(
    algorithm: Literal["SIRT", "CGLS"],
    sinograms: NDArray[np.float32],
    theta_deg: NDArray[np.floating],
    axis_px: AxisPx,
    *,
    iterations: int,
    surround: float,
    non_negative: bool = False,
    tolerance: NDArray[np.floating] | None = None,
    device: Device = "auto",
    threads: int | None = None,
    dense: bool | None = None,
) -> NDArray[np.float32]:
    """On ASTRA's projector: as a sparse matrix times many slices at once where it fits, otherwise slice by slice.

    Both give the same; the matrix is ten times as fast at 128 columns, but does not fit into memory at 1024. Made for
    each call: that is a tenth of one slab's rounds, and too large to be kept.

    sinograms (rows, n, columns) -> (rows, columns, columns) in 1/pixel. surround: slice widths added on each side for
    matter outside the field of view, cut off again. tolerance (rows,): the residual's sum of squares at which one is
    done.
    dense: False takes the matrix, True ASTRA's algorithm, None whichever fits.
    """
    from xrm_control.reconstruction.astra_session import projector_matrix, reconstruct_slices, wants_gpu

    rows, views, columns = sinograms.shape
    margin = math.ceil(surround * columns)
    size = columns + 2 * margin
    if dense is None:
        on_gpu = tolerance is None and wants_gpu(device)
        dense = on_gpu or 1.4 * views * columns * size > _MOST_ENTRIES
    if dense:
        volume = reconstruct_slices(
            sinograms,
            theta_deg,
            algorithm=algorithm,
            size=size,
            axis_px=axis_px,
            iterations=iterations,
            options={"MinConstraint": 0.0} if non_negative else {},
            device=device,
            threads=threads,
            tolerance=tolerance,
        )
    else:
        matrix = projector_matrix(theta_deg, columns, size, axis_px)
        limits = np.full(rows, -np.inf) if tolerance is None else tolerance
        volume = np.empty((rows, size, size), np.float32)
        for start in range(0, rows, _SLICES_AT_A_TIME):
            part = slice(start, start + _SLICES_AT_A_TIME)
            block = sinograms[part]
            measured = np.ascontiguousarray(block.reshape(len(block), -1).T)
            if algorithm == "SIRT":
                solution = sirt(matrix, measured, iterations, non_negative=non_negative, tolerance=limits[part])
            else:
                solution = cgls(matrix, measured, iterations, tolerance=limits[part])
            volume[part] = solution.T.reshape(len(block), size, size)
    return np.ascontiguousarray(volume[:, margin : margin + columns, margin : margin + columns])


def _wants_gpu(device: Device) -> bool:
    from xrm_control.reconstruction.astra_session import wants_gpu

    return wants_gpu(device)
