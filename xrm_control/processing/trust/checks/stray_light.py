"""Light that is no beam: the slope of the line integrals over the particles' chords."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from xrm_control.contracts.trust import CheckResult, Evidence, TrustVerdict
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.reconstruction.clean_frames import NOT_TAKEN_OFF
from xrm_control.reconstruction.filters import banded
from xrm_control.reconstruction.projecting import Projector
from xrm_control.reporting.figures.drawing import Chart, Drawing, Series

_LIMIT, _MOST_CHANCE = 0.97, 0.02
_VIEWS = 9
_LOW_PX, _HIGH_PX = 1.0, 6.0
_SEEN = 0.6
_MOST_LEFT = 0.03  # of mu, two standard uncertainties
_TABLES = 0.06  # the most that mu may be off before the check of attenuation speaks
_WORDS = {
    "stray_share": "even light, of the beam",
    "stray_share_u": "even light, standard uncertainty",
    "spread_share": "spread light, of the beam",
    "spread_share_u": "spread light, standard uncertainty",
    "spread_um": "spread over, um",
    "spread_um_u": "spread over, standard uncertainty, um",
}


class StrayLightCheck(TrustCheck):
    """What is added to the beam flattens the line integrals of long paths: the volume, made of all views, is lower than
    the thin face-on views."""

    kind: Literal["stray_light"] = "stray_light"
    source: ClassVar[str] = "slope test: 0.976 to 0.998 without stray light, 0.95 with 1 % of the open beam; two sigma"

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        note = next((one for one in evidence.scan.origins.notes if one.startswith(NOT_TAKEN_OFF)), "")
        if note:
            return self.doubt(note, "look at the frames behind the blade, and at the blade")
        measured = self._measured(evidence)
        if measured and (left := evidence.left_of_stray) is not None and 2 * left > _MOST_LEFT:
            return self.doubt(
                f"stray light was measured behind a blade and taken off, and leaves mu uncertain by {200 * left:.1f} % "
                f"(limit {100 * _MOST_LEFT:g} %)",
                "take more frames behind the blade (scan.blocker), or look for what spreads light",
                measured,
            )
        found = self._slope_test(evidence)
        if measured and found.verdict is None:
            return self.passed("stray light was measured behind a blade and taken off", measured)
        reason, more = found.reason, self.passed("", measured).evidence
        if measured and found.verdict is TrustVerdict.PASS:
            reason = f"{reason}; stray light was measured behind a blade and taken off"
        elif found.verdict is TrustVerdict.PASS:
            unseen = self._unseen(evidence)
            more = (Evidence(name="share of mu that stray light may take unseen", value=unseen),)
            reason = (
                f"{reason}; nothing was measured behind a blade: stray light that this test does not see may take "
                f"{100 * unseen:.0f} % of mu"
            )
        return found.model_copy(update={"reason": reason, "evidence": (*found.evidence, *more)})

    def _measured(self, evidence: RegionEvidence) -> dict[str, float | tuple[float, str]]:
        """What was taken off, by name; nothing where no frames behind a blade were taken."""
        stray = evidence.scan.stray
        if stray is None:
            return {}
        left = {
            "relative standard uncertainty of mu that is left": (evidence.left_of_stray or 0.0, f"{_MOST_LEFT / 2:g}")
        }
        return {**{_WORDS[name]: value for name, value in stray.figures(evidence.scan.pixel_size_um).items()}, **left}

    def _unseen(self, evidence: RegionEvidence) -> float:
        """Of mu: even light that would bring the ratio to its limit; at most what the tables leave open."""
        (every, _), (face_on, _) = evidence.leverage(), evidence.leverage(self._face_on(evidence))
        return min((1 - _LIMIT) * every / max(every - face_on, 1e-9), _TABLES)

    def _slope_test(self, evidence: RegionEvidence) -> CheckResult:
        contrast = evidence.quality.particle_mode_per_um, evidence.quality.background_mode_per_um
        rays = None if None in contrast else self._rays(evidence)
        if rays is None:
            return self.nothing("the analysis has left no labels or levels")
        chords, integrals = rays
        slopes = [_slope(one, other, evidence.projector) for one, other in zip(chords, integrals, strict=True)]
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

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`."""

        high, low = evidence.quality.particle_mode_per_um, evidence.quality.background_mode_per_um
        found = self._rays(evidence)
        if found is None or high is None or low is None:
            return None
        chords, integrals = found
        slopes = [_slope(one, other, evidence.projector) for one, other in zip(chords, integrals, strict=True)]
        at = len(chords) // 2
        inner = _inner(evidence.projector)
        x, y = (banded(image, _LOW_PX, _HIGH_PX)[inner].ravel() for image in (chords[at], integrals[at]))
        ends = np.array([x.min(), x.max()])
        slope = float(np.median([slope for slope in slopes if slope is not None] or [np.nan]))
        lines = (
            Series(x, y),
            Series(ends, slope * ends, "face-on views", style="line"),
            Series(ends, (high - low) * ends, "contrast of the volume", style="line", odd=True),
        )
        return Chart("Face-on line integrals over chords", "chord in particles (µm), banded", "-ln T, banded", lines)

    def _rays(self, evidence: RegionEvidence) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """Of some face-on views (n, r, c): lengths of the rays in particles in um, and line integrals."""
        solid = evidence.small_solid
        if solid is None or evidence.small_volume is None:
            return None
        looks = evidence.looks
        theta = evidence.theta_deg[looks.views]
        face_on = self._face_on(evidence)
        pixel_um = evidence.scan.pixel_size_um * looks.bin
        chords = evidence.projector.project(solid, theta[face_on]) * np.float32(pixel_um)
        return chords, evidence.integrals[face_on][:, : chords.shape[1]]

    def _face_on(self, evidence: RegionEvidence) -> NDArray[np.int64]:
        """Some of the brightest views of `looks`."""
        transmitted = evidence.looks.images.mean(axis=(1, 2))
        bright = np.argsort(transmitted)[::-1][: max(_VIEWS, len(transmitted) // 3)]
        return np.sort(bright)[:: max(1, len(bright) // _VIEWS)][:_VIEWS].astype(np.int64)


def _inner(projector: Projector) -> tuple[slice, slice]:
    return np.s_[:, slice(*projector.inner(_SEEN))]


def _slope(chords: np.ndarray, integrals: np.ndarray, projector: Projector) -> float | None:
    """Of integrals over chords, both rid of what varies slowly; within the columns where the cylinder is deep."""
    inner = _inner(projector)
    if np.count_nonzero(chords[inner] > 0) < 50:
        return None
    x, y = (banded(image, _LOW_PX, _HIGH_PX)[inner].ravel() for image in (chords, integrals))
    return float((x @ y) / (x @ x))
