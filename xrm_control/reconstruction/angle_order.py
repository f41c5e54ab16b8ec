"""Whether views and angles belong together: views of neighbouring angles look alike.

Nothing is assumed of the sample, nor that it lies within the field. Where all views look alike, or noise hides what
they show, nothing is said.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError

_CLOSE_DEG = 5.0
_MOST_PROBES, _FEWEST = 100, 12
_ALIKE = 0.5  # the nearest view's distance over that of any view: below, views do differ
_FAR_RANK = 0.25  # by chance a neighbour's rank is one half
_REFUSED, _NOTED = 0.35, 0.12


def diagnose_order(seen: NDArray[np.float64], theta_deg: NDArray[np.float64]) -> list[str]:
    """Notes on views (n, y, x), as transmissions in blocks, at theta_deg (n,).

    Raises DataError where so many do not fit their angles that views and angles cannot be in one order.
    """
    order = np.argsort(theta_deg, kind="stable")
    flat = seen[order].reshape(len(seen), -1)
    theta = theta_deg[order]
    probes = np.unique(np.linspace(1, len(flat) - 2, min(_MOST_PROBES, max(len(flat) - 2, 0))).astype(int))
    probes = probes[(theta[probes + 1] - theta[probes - 1]) <= 2 * _CLOSE_DEG] if len(probes) else probes
    if len(probes) < _FEWEST:
        return []
    odd: list[int] = []
    told = 0
    for probe in probes:
        away = np.sqrt(np.mean((flat - flat[probe]) ** 2, axis=1))
        others = np.delete(away, probe)
        if np.min(others) > _ALIKE * np.median(others):
            continue
        told += 1
        nearest = min(away[probe - 1], away[probe + 1])
        if np.mean(others < nearest) > _FAR_RANK:
            odd.append(int(order[probe]))
    if told < _FEWEST or len(odd) < _NOTED * told:
        return []
    shown = f"{len(odd)} of {told} views are unlike those of neighbouring angles"
    if len(odd) > _REFUSED * told:
        raise DataError(
            "views and angles do not belong together",
            where="angles",
            value=shown,
            limit=f"{_REFUSED:.0%}",
            remedy="look whether the angles are in the order of the views; state them with --angles",
        )
    return [
        f"{shown}, as {odd[0]} ({theta_deg[odd[0]]:.4g} degrees): look at the order of the angles, or at the sample"
    ]
