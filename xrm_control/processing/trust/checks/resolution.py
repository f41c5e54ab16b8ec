"""The resolution that two halves of the views agree on, beside what the scan should give."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.processing.trust.half_volumes import HalfVolumes, half_volumes
from xrm_control.reporting.figures.drawing import Chart, Drawing, Limit, Series

_COARSER = 1.4  # than expected
_SHARED = 0.2  # beyond what the flats' noise explains
_BLUR_PX = 3.0
_MOST_SAMPLING_PX = 4.0  # pi D / N of all views: farther apart, each half is mostly streaks, and tells nothing of focus


class ResolutionCheck(TrustCheck):
    """Fourier shell correlation: blur, noise beyond the photons', and halves that are not independent.

    What is wrong in both halves alike, as an axis off its place or light that is no beam, hides from it.
    """

    kind: Literal["resolution"] = "resolution"
    of_views: ClassVar[bool] = True
    of_places: ClassVar[bool] = True
    source: ClassVar[str] = (
        "half-bit curve (van Heel and Schatz 2005); expected of the volume's particles at a blur of two pixels, the "
        "photons' noise and pi D / N (Crowther 1970): sound scans 0.7 to 1.15 of it"
    )

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        found = evidence.once(half_volumes)
        if isinstance(found, str):
            return self.nothing(found)
        um = found.pixel_um
        most_shared, most_blur = found.shared_expected + _SHARED, _most_blur(found)
        numbers: dict[str, float | tuple[float, str]] = {"resolution, um": um * found.resolution_px}
        if found.expected_px is not None:
            numbers["resolution, um"] = (um * found.resolution_px, f"at most {um * _coarsest_px(found):.2f}")
            numbers["expected, um"] = um * found.expected_px
        numbers["pi x diameter / views, um"] = um * found.sampling_px
        if found.blur_px is not None:
            numbers["blur of the views, FWHM, px"] = (found.blur_px, f"at most {most_blur:.1f}")
        numbers["correlation of noise"] = (found.shared, f"at most {most_shared:.2f}")
        said = f"{um * found.resolution_px:.2f} um by Fourier shell correlation"
        if found.shared > most_shared:
            return self.doubt(
                f"halves of the views share their noise: {found.shared:.2f} where there is nothing else, "
                f"{found.shared_expected:.2f} is the flats' and the edges' (limit {most_shared:.2f})",
                "views are repeated or were smoothed, or columns of the camera differ: look at the frames as they "
                "were taken",
                numbers,
            )
        if found.sampling_px > _MOST_SAMPLING_PX:
            return self.passed(f"resolution {said}; of so few views the halves' streaks decide it", numbers)
        if found.blur_px is not None and found.blur_px > most_blur:
            return self.doubt(
                f"blur: the views are less sharp than the particles by {found.blur_px:.1f} px FWHM (limit "
                f"{most_blur:.1f}); resolution {said}",
                "focus the condenser and the zone plate, let stage and sample come to rest; take the region again",
                numbers,
            )
        if found.expected_px is not None and found.resolution_px > _coarsest_px(found):
            return self.doubt(
                f"resolution: {said}, {um * found.expected_px:.2f} um are expected of pixels, views and photons",
                "look at noise, motion and focus; take the region again",
                numbers,
            )
        if found.expected_px is None:
            return self.passed(f"resolution {said}; what photons allow is not known", numbers)
        return self.passed(f"resolution {said}, {um * found.expected_px:.2f} um expected", numbers)

    def tells_more(self, evidence: RegionEvidence) -> bool:
        """See `TrustCheck.tells_more`: part of each region's certificate."""
        return True

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`."""
        found = evidence.once(half_volumes)
        if isinstance(found, str):
            return None
        shown = np.s_[1:]
        at = found.frequency[shown] / found.pixel_um
        lines = [Series(at, found.correlation[shown], "halves of the views", "line")]
        if found.expected is not None:
            lines.append(Series(at, found.expected[shown], "expected", "line", muted=True))
        lines.append(Series(at, found.half_bit[shown], "half-bit", "line", odd=True))
        cut = Limit(1 / (found.pixel_um * found.resolution_px), f"{found.pixel_um * found.resolution_px:.2f} µm")
        return Chart("Fourier shell correlation", "spatial frequency (1/µm)", "correlation", tuple(lines), (), (cut,))


def _coarsest_px(found: HalfVolumes) -> float:
    """The coarsest resolution that is sound: a half has half of the views, and tells nothing finer than they allow."""
    return max(_COARSER * (found.expected_px or 0.0), 2 * found.sampling_px)


def _most_blur(found: HalfVolumes) -> float:
    """Where views lie far apart, the halves have less in common."""
    return float(np.hypot(_BLUR_PX, found.sampling_px / 2))
