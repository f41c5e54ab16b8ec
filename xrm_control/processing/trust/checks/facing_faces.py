"""Particles that face each other with flat faces: a crack may have made two of one."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from xrm_control.contracts.tables import Particle
from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.processing.trust.slices import slices_through, thinning
from xrm_control.reporting.figures.drawing import Drawing

_REACH = 4  # voxels across
_LIMIT, _OVER_TOUCHING = 0.8, 1.2
_SUNK = 1.0  # voxels by which bodies that touch are grown into each other


class FacingFacesCheck(TrustCheck):
    """The area over which two particles face each other within 4 voxels, over the smaller one's cross-section.

    Balls of like size that touch face each other within 4 voxels over a quarter to a half of their cross-section, small
    ones on large ones over nearly all of it; the halves of a ball over 1.6 times theirs. So what balls of these sizes
    would have is taken into the limit.
    """

    kind: Literal["facing_faces"] = "facing_faces"
    source: ClassVar[str] = "geometry: balls that touch 0.2 to 0.5 of their cross-section, halves of one ball 1.6"

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        if evidence.labels is None or evidence.particles is None or not len(evidence.particles):
            return self.nothing("the analysis has left no labels")
        pairs = self._pairs(evidence)
        odd = [pair for pair in pairs if pair[0] > _LIMIT]
        numbers = {
            "pairs that face each other": (float(len(odd)), "0"),
            "largest share of the cross-section": (pairs[0][0] if pairs else 0.0, f"at most {_LIMIT:g}"),
        }
        if not odd:
            return self.passed("no two particles face each other with flat faces", numbers)
        named = ", ".join(f"{one} and {other}" for _, one, other in odd[:5]) + (" ..." if len(odd) > 5 else "")
        return self.doubt(
            f"facing flat faces: particles {named} may be one with a crack ({100 * odd[0][0]:.0f} % of the "
            "cross-section within 4 voxels)",
            "look at the slices; sizes and counts of these particles do not hold if they are one",
            numbers,
        )

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`: slices through the pair; a crack shows in two of the three."""
        pairs = self._pairs(evidence) if evidence.labels is not None else []
        return slices_through(evidence, pairs[0][1:]) if pairs else None

    def _pairs(self, evidence: RegionEvidence) -> list[tuple[float, int, int]]:
        """Share of the smaller cross-section over which two whole particles face each other, with their numbers."""
        size = thinning(evidence)
        labels = np.asarray(evidence.labels)[::size, ::size, ::size].astype(np.int32)
        voxel_um = evidence.scan.pixel_size_um * size
        areas = _facing_areas(labels)
        if evidence.particles is None:
            return []
        # Of one that is cut the cross-section is not known.
        whole = evidence.particles.where(~evidence.particles.flags(Particle.touches_boundary))
        ids = np.array(whole.ids(Particle.particle_id))
        d_um = dict(zip(ids.tolist(), whole.numbers(Particle.equivalent_diameter_um), strict=True))
        pairs: list[tuple[float, int, int]] = []
        for (one, other), area in areas.items():
            if one not in d_um or other not in d_um:
                continue
            smaller, larger = sorted((d_um[one] / voxel_um, d_um[other] / voxel_um))
            share = area / (math.pi / 4 * smaller**2)
            if smaller > 2 * _REACH and (share <= _LIMIT or share > _OVER_TOUCHING * touching_share(smaller, larger)):
                pairs.append((share, one, other))
        return sorted(pairs, reverse=True)


def touching_share(smaller: float, larger: float) -> float:
    """Share of the smaller one's cross-section over which two balls of these diameters (voxels), grown into each other
    by `_SUNK`, are no more than `_REACH` apart."""
    small, large = smaller / 2, larger / 2
    # Where the gap is that wide: by halves, for both surfaces fall away from each other.
    low, high = 0.0, small
    for _ in range(30):
        out = (low + high) / 2
        gap = small - math.sqrt(small**2 - out**2) + large - math.sqrt(large**2 - out**2)
        low, high = (out, high) if gap <= _REACH + _SUNK else (low, out)
    return (low / small) ** 2


def _facing_areas(labels: NDArray[np.int32]) -> dict[tuple[int, int], float]:
    """Area in voxels of the plane patch between any two labels that are at most `_REACH` voxels apart."""
    base = int(labels.max()) + 1
    found: dict[int, list[float]] = {}
    for axis in range(3):
        lines = np.moveaxis(labels, axis, 0)
        free = np.ones(lines.shape, bool)
        counts: dict[int, int] = {}
        for step in range(1, _REACH + 1):
            near, far = lines[:-step], lines[step:]
            if step > 1:
                # Between the two there is nothing but background.
                free = free[:-1] & (lines[step - 1 : -1] == 0) if step > 2 else lines[1:-1] == 0
            between = free if step > 1 else True
            met = (near > 0) & (far > 0) & (near != far) & between
            low, high = np.minimum(near[met], far[met]), np.maximum(near[met], far[met])
            for key, count in zip(*np.unique(low.astype(np.int64) * base + high, return_counts=True), strict=True):
                counts[int(key)] = counts.get(int(key), 0) + int(count)
        for key, count in counts.items():
            found.setdefault(key, [0.0, 0.0, 0.0])[axis] = float(count)
    return {divmod(key, base): math.hypot(*sides) for key, sides in found.items()}
