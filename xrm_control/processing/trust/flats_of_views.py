"""Flats that were made of the views themselves: their maximum, or a rank of them, in each pixel.

Such a flat lies as high as the noise of the brightest view, and sees the sample where air never passed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xrm_control.reconstruction.scan import ScanData

_ROWS, _LEAST_VIEWS = 16, 16
_MOST_PIXELS = 0.5
_ALIKE = 3
_RANKS = 1.5  # of the views: by how much the ranks of a made-up flat differ from pixel to pixel; of a flat 6 and more


def flats_of_views(scan: ScanData) -> str:
    """What speaks against the flats, in words; "" for nothing."""
    views, rows, _ = scan.projections.shape
    if scan.normalised or not len(scan.flats) or views < _LEAST_VIEWS:
        return ""
    first = max((rows - _ROWS) // 2, 0)
    band = slice(first, first + _ROWS)
    seen: NDArray[np.generic] = np.asarray(scan.projections[:, band])
    brightest = seen.max(axis=0)
    # Without noise all views of air are as bright as the flat.
    noisy = np.median((seen == brightest).sum(axis=0)) < _ALIKE
    frames = np.asarray(scan.flats[:, band])
    full = np.iinfo(frames.dtype).max if np.issubdtype(frames.dtype, np.integer) else np.inf
    for flat in (*frames[:4], np.median(frames, axis=0)):
        if noisy and np.mean((flat == brightest) & (brightest < full)) > _MOST_PIXELS:
            return _said("the brightest that the views show there")
        above = (seen > flat).sum(axis=0)
        among = (above > 0) & (above < views)
        if among.mean() > _MOST_PIXELS and above[among].std() < _RANKS:
            return _said(f"that of the view of rank {int(np.median(above))} of {views} there")
    return ""


def _said(what: str) -> str:
    return (
        f"flats: in most pixels their light is {what}, so they were made of the views and are no frames without "
        "sample: lengths and attenuations are wrong by some per cent"
    )
