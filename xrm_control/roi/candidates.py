"""The windows that a strategy may choose from, and what is said when there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from xrm_control.contracts.rois import EdgeOnRecord
from xrm_control.core.errors import AnalysisError, NothingToScan
from xrm_control.roi.areas import Avoided, EdgeOnSpec
from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.particles2d import Particle2D
from xrm_control.roi.windows import Limits, Windows, in_avoided, lattice, seen


def windows(
    particles: Sequence[Particle2D],
    mosaic: MosaicMap,
    fov_um: float,
    limits: Limits,
    margin_um: float,
    *,
    z_um: float,
    avoid: Sequence[Avoided] = (),
    edge_on: EdgeOnSpec = EdgeOnSpec(),
    step_um: float = 2.0,
    soft_um: float = 0.0,
) -> Windows:
    """All windows of `lattice` that are fully seen, hold a particle that stays in them, and touch nothing avoided.

    Those too thick edge-on come last. Raises NothingToScan where the mosaic shows no whole particle, AnalysisError
    where none is possible for another reason.
    """
    every = lattice(particles, mosaic, fov_um, limits, margin_um, z_um=z_um, step_um=step_um, soft_um=soft_um)
    if every is None:
        raise AnalysisError(
            "no window fits into both the mosaic and the stage's limits",
            where="roi",
            value=f"field of view {fov_um:g} um",
            limit=f"mosaic x {_ends(mosaic.x_um)}, y {_ends(mosaic.y_um)}; "
            f"stage x {_ends(limits.x_um)}, y {_ends(limits.y_um)}",
            remedy="take a larger mosaic, or move its centre into the limits",
        )
    if not particles:
        raise _nothing("the mosaic shows no particles")
    found = every.where(seen(mosaic, every.centres_um, fov_um))
    if not len(found.place):
        raise AnalysisError(
            "every window has places that the mosaic did not see", where="roi", remedy="acquire the missing tiles"
        )
    filled = found.where(found.whole_counts() > 0)
    if not len(filled.place):
        raise _nothing("no window holds a whole particle", _deep(particles, fov_um, margin_um, z_um))
    free = filled.where(~in_avoided(filled.centres_um, fov_um, avoid))
    if not len(free.place):
        raise AnalysisError(
            "every window that holds a whole particle touches a place to avoid",
            where="roi.avoid",
            value=", ".join(area.name for area in avoid),
            remedy="make these areas smaller, or take a larger mosaic",
        )
    return replace(free, last=too_thick(mosaic, free.centres_um[:, 1], z_um, fov_um, edge_on))


def edge_on_of(mosaic: MosaicMap, y_um: float, z_um: float, fov_um: float, spec: EdgeOnSpec) -> EdgeOnRecord | None:
    """What a window meets at +-90 degrees; None where the mosaic does not tell."""
    if mosaic.side is None:
        return None
    share = mosaic.side.dark_share(y_um, z_um, fov_um, spec.least_transmission_percent / 100)
    if share is None:
        return None
    return EdgeOnRecord(
        dark_percent=round(100 * share, 2),
        limit_percent=spec.most_dark_percent,
        transmission_percent=spec.least_transmission_percent,
        highest_um=round(mosaic.side.highest_um(y_um, fov_um), 1),
    )


def too_thick(
    mosaic: MosaicMap, y_um: NDArray[np.float64], z_um: float, fov_um: float, spec: EdgeOnSpec
) -> NDArray[np.bool_]:
    """(n,): which windows with their centres at these y are too thick edge-on, as far as the mosaic tells."""
    rows, row_of = np.unique(y_um, return_inverse=True)
    found = [edge_on_of(mosaic, float(y), z_um, fov_um, spec) for y in rows]
    return np.array([one is not None and one.too_thick for one in found], bool)[row_of]


def _deep(particles: Sequence[Particle2D], fov_um: float, margin_um: float, z_um: float) -> str:
    """What to do where each particle that fits into a window would leave it as the sample turns; "" where one stays."""
    room_um = fov_um / 2 - margin_um
    sizes = [p for p in particles if not p.touches_edge and p.equivalent_diameter_um / 2 <= room_um]
    if not sizes or any(abs(p.peak_thickness_um / 2 - z_um) + p.equivalent_diameter_um / 2 <= room_um for p in sizes):
        return ""
    lowest_um = min(p.peak_thickness_um for p in sizes) / 2
    return f"; at roi.z_um {z_um:g} all leave the field as they turn: the lowest has its middle {lowest_um:.0f} um high"


def _nothing(what: str, deep: str = "") -> NothingToScan:
    return NothingToScan(
        what,
        where="roi",
        remedy=f"look at mosaic.png: move the mosaic to the powder, lower roi.margin_um, or name positions{deep}",
    )


def _ends(ends: tuple[float, float]) -> str:
    return f"{ends[0]:g} to {ends[1]:g} um"
