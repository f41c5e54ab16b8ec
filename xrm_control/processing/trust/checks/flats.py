"""Whether the flats show the empty beam: what they hold of the sample appears in every view, inverted."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.reconstruction.filters import banded
from xrm_control.reconstruction.references import References
from xrm_control.reporting.figures.drawing import Drawing, Panel, Panels

_LIMIT, _REDO = 0.02, 0.06
_LOW_PX, _HIGH_PX = 1.5, 8.0


class FlatsCheck(TrustCheck):
    """The structure of the flats, found again with the opposite sign in the mean of all views.

    Texture of beam and camera divides out; powder, dust and tape in the flats do not.
    """

    kind: Literal["flats"] = "flats"
    source: ClassVar[str] = "2 %: the beam's own drift; the smoothed mean of ten flats has 0.1 % of noise"

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        if evidence.references is None:
            return self.nothing("the projections are transmissions already")
        of_flats, of_views = self._structures(evidence, evidence.references)
        spread = float(of_flats.std())
        together: np.float64 = ((of_flats - of_flats.mean()) * (of_views - of_views.mean())).mean()
        shared = max(0.0, -float(together)) / max(spread, 1e-9)
        # Chance alone finds something in views of strong contrast; never more than the flats hold.
        shared = min(shared, spread)
        numbers = {
            "structure of the flats in the views": (shared, f"at most {_LIMIT:g}"),
            "structure of the flats": spread,
        }
        if shared <= _LIMIT:
            return self.passed("the flats show nothing that the views lack", numbers)
        return (self.redo if shared > _REDO else self.doubt)(
            f"flats hold {100 * shared:.1f} % of structure that is in every view, inverted: powder or dust in them "
            f"(limit {100 * _LIMIT:g} %)",
            "take the flats beside the strip (sample.strip_width_um, scan.references), and the region again",
            numbers,
        )

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`."""

        if evidence.references is None:
            return None
        of_flats, of_views = self._structures(evidence, evidence.references)
        most = max(float(np.percentile(np.abs(of_flats), 99)), 1e-6)
        return Panels(
            (
                Panel("structure of the flats", of_flats, window=(-most, most)),
                Panel("of all views, inverted", -of_views, window=(-most, most)),
            )
        )

    def _structures(
        self, evidence: RegionEvidence, references: References
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Of the logarithm of the flats and of the mean of all views (r, c), without noise and slow changes."""
        size = evidence.looks.bin
        beam = np.asarray(references.beams.mean(axis=0), np.float64)
        if references.bad.any():
            beam = np.where(references.bad, np.median(beam), beam)
        rows, columns = evidence.looks.images.shape[1:]
        small = beam[: rows * size, : columns * size].reshape(rows, size, columns, size).mean(axis=(1, 3))
        of_flats = banded(np.log(np.maximum(small, 1e-6)), _LOW_PX, _HIGH_PX)
        return of_flats, banded(-evidence.integrals.mean(axis=0), _LOW_PX, _HIGH_PX)
