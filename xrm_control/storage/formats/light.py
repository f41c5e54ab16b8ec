"""How much light each frame got, by exposure times or a beam monitor: flats and projections need not agree in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError

_RANGE = 50.0
_SAME = 0.01


@dataclass(frozen=True)
class Light:
    """Exposure of projections (n,) and flats (f,) in one unit; None: nothing is said, or it is the same for all.

    said: what the file tells of it, in a few words; "" for nothing.
    """

    projections: NDArray[np.float64] | None = None
    flats: NDArray[np.float64] | None = None
    note: str = ""
    said: str = ""

    @classmethod
    def of(cls, views: NDArray[Any], flats: NDArray[Any], what: str, where: str) -> Light:
        """what: "exposure times" or "beam monitor". Raises DataError for what cannot be light."""
        if not len(flats):
            return cls(np.asarray(views, float))
        both = np.concatenate((np.asarray(views, float), np.asarray(flats, float)))
        if np.isfinite(both).all() and np.ptp(both) <= 1e-6 * np.abs(both).max():
            return cls(said=f"flats and projections got the same, by {what} ({where})")
        if not np.isfinite(both).all() or both.min() <= 0 or both.max() > _RANGE * both.min():
            raise DataError(
                f"{what} of the frames cannot be right",
                where=where,
                value=f"{both.min():g} to {both.max():g}",
                limit=f"above zero, and within a factor of {_RANGE:g}",
                remedy="mend the file; frames without light belong to the invalid ones",
            )
        ratio = float(np.mean(views) / np.mean(flats))
        note = (
            f"by {what}, projections got {ratio:.4g} times the light of the flats on average: corrected, from {where}"
        )
        said = f"flats brought to the light of the projections by {what} ({where})"
        return cls(np.asarray(views, float), np.asarray(flats, float), note, said)

    def with_darks(self, views: NDArray[Any], darks: NDArray[Any], where: str) -> Light:
        """Exposure times of projections and darks (d,): what a camera counts without light goes with them too."""
        if not len(darks) or not len(views):
            return self
        ratio = float(np.mean(darks) / np.mean(views))
        if not np.isfinite(ratio) or abs(ratio - 1) <= _SAME:
            return self
        odd = f"the darks were exposed {ratio:.3g} times as long as the projections ({where}), and are used as they are"
        return replace(self, note="; ".join(filter(None, (self.note, odd))))
