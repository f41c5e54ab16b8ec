"""Light that is no beam: the slope of the line integrals over the particles' chords."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.reconstruction.filters import banded

_LIMIT, _MOST_CHANCE = 0.97, 0.02
_VIEWS = 9
_LOW_PX, _HIGH_PX = 1.0, 6.0


class StrayLightCheck(TrustCheck):
    """What is added to the beam flattens the line integrals of long paths: the volume, made of all views, is lower than
    the thin face-on views."""

    kind: Literal["stray_light"] = "stray_light"
    source: ClassVar[str] = "slope test: 0.976 to 0.998 without stray light, 0.95 with 1 % of the open beam; two sigma"

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        labels, volume = evidence.labels, evidence.small_volume
        contrast = evidence.quality.particle_mode_per_um, evidence.quality.background_mode_per_um
        if labels is None or volume is None or None in contrast:
            return self.nothing("the analysis has left no labels or levels")
        looks = evidence.looks
        transmitted = looks.images.mean(axis=(1, 2))
        theta = evidence.theta_deg[looks.views]
        bright = np.argsort(transmitted)[::-1][: max(_VIEWS, len(theta) // 3)]
        face_on = np.sort(bright)[:: max(1, len(bright) // _VIEWS)][:_VIEWS]
        solid = np.asarray(labels) > 0
        if evidence.phases is not None:
            solid &= np.asarray(evidence.phases) == 1
        size = looks.bin
        share = solid.astype(np.float32)
        if size > 1:
            z, y, x = (n // size for n in share.shape)
            share = share[: z * size, : y * size, : x * size].reshape(z, size, y, size, x, size).mean(axis=(1, 3, 5))
        pixel_um = evidence.scan.pixel_size_um * size
        chords = evidence.projector.project(share, theta[face_on]) * np.float32(pixel_um)
        integrals = evidence.integrals[face_on][:, : chords.shape[1]]
        slopes = [_slope(one, other, evidence.projector.axis_px) for one, other in zip(chords, integrals, strict=True)]
        slopes = [slope for slope in slopes if slope is not None]
        if len(slopes) < 3:
            return self.nothing("too few particles in the face-on views")
        slope, error = float(np.median(slopes)), float(np.std(slopes) / np.sqrt(len(slopes)))
        contrast_per_um = float(contrast[0] or 0.0) - float(contrast[1] or 0.0)
        ratio = contrast_per_um / slope
        low = _LIMIT - min(2 * error / slope, _MOST_CHANCE)
        numbers = {
            "slope of the face-on views, 1/um": slope,
            "contrast of the volume, 1/um": contrast_per_um,
            "ratio": (ratio, f"at least {low:.3f}"),
        }
        if ratio >= low:
            return self.passed(f"the volume's contrast is {ratio:.3f} of the face-on views' slope", numbers)
        return self.doubt(
            f"stray light: the volume's contrast is {ratio:.3f} of what face-on views show (limit {low:.3f}); mu is "
            "low, and most in dense places",
            "measure the light behind an opaque object and take it off; look for glare in the scintillator",
            numbers,
        )


def _slope(chords: np.ndarray, integrals: np.ndarray, axis_px: float) -> float | None:
    """Of integrals over chords, both rid of what varies slowly; within the columns where the cylinder is deep."""
    side = chords.shape[1]
    half = 0.6 * min(axis_px, side - 1 - axis_px)
    inner = np.s_[:, round(axis_px - half) : round(axis_px + half)]
    if np.count_nonzero(chords[inner] > 0) < 50:
        return None
    x, y = (banded(image, _LOW_PX, _HIGH_PX)[inner].ravel() for image in (chords, integrals))
    return float((x @ y) / (x @ x))
