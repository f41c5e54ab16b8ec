"""What the projections of the volume leave over of the recorded line integrals, by view and by row.

Motion is told from where views lie; this is what is left wherever they lie: of the band that particles live in, in
shares of what the volume shows there, the photons' noise taken off. Views and columns are those that see little beyond
the volume: the brightest third, three quarters of the width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.processing.trust.evidence import BAND_HIGH_PX, BAND_LOW_PX, Images, RegionEvidence
from xrm_control.reconstruction.filters import banded

_THIRD, _SEEN = 2 / 3, 0.75
_EDGE_PX = 2
_BAND_ROWS = 8
_LEAST_VIEWS = 6


@dataclass(frozen=True)
class Residual:
    """views (m,): their numbers; of_views (m,), whole: share of the structure that the volume does not explain, root
    mean square, without the noise; normalised: residual over noise. rows (k,): first ones of the bands; of_rows (k,),
    in shares of what an ordinary band shows; image (r, c): root mean square over the views, over the noise.
    """

    views: NDArray[np.int64]
    of_views: NDArray[np.float64]
    whole: float
    normalised: float | None
    rows: NDArray[np.int64]
    of_rows: NDArray[np.float64]
    image: Images


def residual(evidence: RegionEvidence) -> Residual | str:
    """Why there is nothing to compare, in its place."""
    found, looks = evidence.reprojected, evidence.looks
    if found is None:
        return "no volume over all rows of the detector"
    bright = evidence.brightness >= np.quantile(evidence.brightness, _THIRD)
    kept = np.flatnonzero(bright[found.chosen])
    if len(kept) < _LEAST_VIEWS:
        return "too few views that see little beyond the volume"
    chosen, model = found.chosen[kept], found.images[kept].astype(np.float64)
    rows, side = model.shape[1:]
    low, high = evidence.projector.inner(_SEEN)
    edge = _EDGE_PX if rows > 4 * _EDGE_PX else 0
    inner = np.s_[:, edge : rows - edge, max(low, _EDGE_PX) : min(high, side - _EDGE_PX)]
    squared = ((evidence.banded[chosen][:, :rows] - model)[inner]) ** 2
    signal = model[inner] ** 2
    variance = evidence.noise_variance
    noise = np.zeros(()) if variance is None else _passed() * variance[chosen][:, :rows][inner].astype(np.float64)
    noise = np.broadcast_to(noise, squared.shape)
    if not signal.mean() > noise.mean():
        return "too little contrast in the views"
    bands = max(squared.shape[1] // _BAND_ROWS, 1)
    by_row = [
        np.array([part.mean() for part in np.array_split(values, bands, axis=1)]) for values in (squared, signal, noise)
    ]
    usual = np.maximum(by_row[1], np.median(by_row[1]))
    firsts = [edge + squared.shape[1] * band // bands for band in range(bands)]
    over = squared.mean(axis=0) / noise.mean(axis=0) if variance is not None else squared.mean(axis=0) / signal.mean()
    return Residual(
        views=looks.views[chosen],
        of_views=_share(squared.mean(axis=(1, 2)) - noise.mean(axis=(1, 2)), signal.mean(axis=(1, 2))),
        whole=float(_share(squared.mean() - noise.mean(), signal.mean())),
        normalised=None if variance is None else float(np.sqrt(squared.mean() / noise.mean())),
        rows=looks.bin * np.array(firsts, np.int64),
        of_rows=_share(by_row[0] - by_row[2], usual),
        image=np.sqrt(over).astype(np.float32),
    )


def _share(excess: NDArray[np.floating], signal: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.sqrt(np.maximum(excess, 0) / signal)


def _passed() -> float:
    """Of the variance of white noise, what the band lets through."""
    size = 12 * int(BAND_HIGH_PX) + 1
    point = np.zeros((size, size))
    point[size // 2, size // 2] = 1
    return float((banded(point, BAND_LOW_PX, BAND_HIGH_PX) ** 2).sum())
