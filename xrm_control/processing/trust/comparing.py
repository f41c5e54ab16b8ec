"""Recorded views held against the volume's own projections: where each has moved, and how far."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.reconstruction.filters import moved

_TRACKED = 36
_SEEN = 0.75  # of the half width: beyond, rays pass little of the cylinder
_ROUNDS = 3


@dataclass(frozen=True)
class Moves:
    """How far each of some views lies from the projection of the volume, in pixels of the detector.

    views (m,): their numbers; right, down (m,): mean displacement; u (m,): standard error of either.
    """

    views: NDArray[np.int64]
    right: NDArray[np.float64]
    down: NDArray[np.float64]
    u: NDArray[np.float64]


def moves(evidence: RegionEvidence) -> Moves | None:
    """Of the brighter half of the views, which see little beyond the volume; None without a volume over all rows."""
    found = evidence.reprojected
    return None if found is None else _compared(evidence, found.images, found.chosen)


def tracks(evidence: RegionEvidence) -> Moves | None:
    """Of views from the whole turn against the particles as they were segmented, which are solid and sharp: the volume
    itself agrees with each view, wherever it has moved. None without labels.
    """
    solid, high, low = (
        evidence.small_solid,
        evidence.quality.particle_mode_per_um,
        evidence.quality.background_mode_per_um,
    )
    if solid is None or high is None or low is None:
        return None
    count = len(evidence.looks.views)
    chosen = np.unique(np.linspace(0, count - 1, min(count, _TRACKED)).round().astype(int))
    return _compared(evidence, evidence.projections(solid * np.float32(high - low), chosen), chosen)


def _compared(evidence: RegionEvidence, projected: NDArray[np.float32], chosen: NDArray[np.int64]) -> Moves:
    looks = evidence.looks
    recorded = evidence.banded[chosen][:, : projected.shape[1]]
    side = projected.shape[2]
    low, high = evidence.projector.inner(_SEEN)
    inner = np.s_[2:-2, max(low, 2) : min(high, side - 2)]
    found = [_registered(one, other, inner) for one, other in zip(recorded, projected, strict=True)]
    right, down, u = (np.array(column) * looks.bin for column in zip(*found, strict=True))
    return Moves(looks.views[chosen], right, down, u)


def _registered(
    recorded: NDArray[np.floating], projected: NDArray[np.floating], inner: tuple[slice, slice]
) -> tuple[float, float, float]:
    """(right, down, standard error) of `recorded` against `projected`, both banded, by least squares (Lucas and Kanade
    1981).
    """
    fixed, model = recorded, np.asarray(projected, np.float64)
    right = down = error = 0.0
    for _ in range(_ROUNDS):
        here = moved(model, down, right)
        slopes = np.gradient(here)
        slope_down, slope_right = np.asarray(slopes[0]), np.asarray(slopes[1])
        a = np.stack([slope_right[inner].ravel(), slope_down[inner].ravel()], axis=1)
        b = (here - fixed)[inner].ravel()
        normal = a.T @ a
        if np.linalg.cond(normal) > 1e8:
            return 0.0, 0.0, float("inf")
        step = np.linalg.solve(normal, a.T @ b)
        right, down = right + float(step[0]), down + float(step[1])
        left = b - a @ step
        # Blocks of rows disagree by more than white noise would.
        pulls = (left[:, None] * a).reshape(here[inner].shape[0], -1, 2).sum(axis=1)
        covariance = np.linalg.inv(normal) @ (pulls.T @ pulls) @ np.linalg.inv(normal)
        error = float(np.sqrt(np.max(np.diag(covariance))))
        if np.abs(step).max() < 0.02:
            break
    return right, down, error
