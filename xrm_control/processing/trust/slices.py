"""Slices of a volume through single particles, as evidence of a check."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.reporting.figures.drawing import Panel, Panels

_MOST_SIDE, _MARGIN = 256, 6


def thinning(evidence: RegionEvidence) -> int:
    """So many voxels are one step, so that 256 of them span the volume."""
    return 1 if evidence.labels is None else max(1, -(-max(evidence.labels.shape) // _MOST_SIDE))


def slices_through(evidence: RegionEvidence, numbers: Sequence[int]) -> Panels | None:
    """Three slices, across each axis of the volume, through the middle of particles of these numbers; None where volume
    or labels are not there, or have none of them."""
    if evidence.labels is None or not isinstance(evidence.volume, np.ndarray):
        return None
    labels, step = np.asarray(evidence.labels), thinning(evidence)
    at: NDArray[np.int64] = np.argwhere(np.isin(labels[::step, ::step, ::step], numbers)) * step
    if not len(at):
        return None
    z, y, x = (int(one) for one in np.rint(at.mean(axis=0)))
    ends = [
        slice(max(int(low) - _MARGIN, 0), int(high) + _MARGIN + 1)
        for low, high in zip(at.min(axis=0), at.max(axis=0), strict=True)
    ]
    named = " and ".join(map(str, numbers))
    cuts = {"xy": (z, ends[1], ends[2]), "xz": (ends[0], y, ends[2]), "yz": (ends[0], ends[1], x)}
    return Panels(
        tuple(Panel(f"{plane}, {named}", np.asarray(evidence.volume[cut]), labels[cut]) for plane, cut in cuts.items())
    )
