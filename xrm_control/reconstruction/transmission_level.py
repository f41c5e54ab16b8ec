"""How much light the views show as a whole, from block to block: by transmissions, whether they can be any."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError

Blocks = NDArray[np.float64]
_BEYOND_SIGMAS = 2.5
_AROUND, _MOST_LONE = 3, 0.4  # blocks and views; share of the blocks
_BRIGHTEST, _REMARKABLE, _DIM = 1.15, 1.03, 0.95  # transmission of air


def level_notes(seen: Blocks, *, normalised: bool, flats: Blocks | None = None) -> list[str]:
    """Notes on the transmission of the whole. Raises DataError where it cannot be. flats (f, y, x): blocks of them,
    less the dark.
    """
    if not seen.size:
        return []
    low, high = (float(value) for value in np.quantile(seen, (0.002, 0.995)))
    high -= _BEYOND_SIGMAS * _noise(seen)
    notes: list[str] = []
    if high > _REMARKABLE and (steady := _without_hits(seen)) is not None:
        notes = [
            f"hits: blocks of {100 * steady[1]:.2g} % are brighter than all around them, as by single bright pixels"
        ]
        high = steady[0]
    whose = "projections" if normalised else "projections over flats"
    if high > _BRIGHTEST:
        raise DataError(
            "more light behind the sample than before it",
            where=whose,
            value=f"transmission {high:.3g}",
            limit=f"{_BRIGHTEST:g}",
            remedy=_drifted(flats)
            or "the flats were taken in the sample, with another exposure, or in another beam: give others "
            "(--references), or state their exposure in the file",
        )
    if low < -0.05:
        raise DataError(
            "the projections are darker than the darks",
            where=whose,
            value=f"transmission {low:.3g}",
            limit="0",
            remedy="the darks were taken in light, or the counts have overflown",
        )
    if high < 0.02:
        raise DataError(
            "hardly any light in the projections, beside the flats",
            where=whose,
            value=f"transmission of at most {high:.3g}",
            remedy="flats of another exposure or another type of numbers: give others (--references)",
        )
    if high > _REMARKABLE:
        notes.append(f"transmission reaches {high:.3f}: flats and projections do not fit well")
    return notes


def _without_hits(seen: Blocks) -> tuple[float, float] | None:
    """The brightest transmission without blocks that stand out from those around in space and angle, if that is what it
    comes from, and their share; such as hits in the camera, which come anew in each view."""
    from scipy import ndimage

    if min(seen.shape) < _AROUND:
        return None
    around = np.asarray(ndimage.median_filter(seen, _AROUND, mode="nearest"))
    high = float(np.quantile(around, 0.995))
    lone = float(np.mean((seen > _REMARKABLE) & (around <= _REMARKABLE)))
    return (high, lone) if high <= _REMARKABLE and lone <= _MOST_LONE else None


def _drifted(flats: Blocks | None) -> str:
    """What to do about flats that differ among themselves by more than views and flats may."""
    if flats is None or len(flats) < 2:
        return ""
    levels = flats.mean(axis=(1, 2))
    drift = float(levels.max() / max(levels.min(), 1e-9)) - 1
    if drift < _BRIGHTEST - 1:
        return ""
    return (
        f"the flats differ among themselves by {drift:.0%}, so beam or exposure changed while they were taken: "
        "state how much light each frame got (exposure times, control/data), give flats in the light of the views "
        "(--references), or scale each view by the air at its sides and bring transmissions (--normalised)"
    )


def _noise(seen: Blocks) -> float:
    """Standard deviation of bright blocks from view to view; what the sample changes, few of them show."""
    steps = np.diff(seen, axis=0)[seen[1:] > 0.5]
    return 1.4826 * float(np.median(np.abs(steps))) / 2**0.5 if steps.size else 0.0


def dim_notes(seen: Blocks) -> tuple[str, ...]:
    """Said where the flats' beam is seen nowhere in the views: by right, if the sample fills the field."""
    high = float(np.quantile(seen, 0.995)) if seen.size else 1.0
    if high >= _DIM:
        return ()
    return (f"transmission is {high:.3f} at most: the sample fills the field, or the flats had more light",)


def refuse_no_transmissions(seen: Blocks) -> None:
    """Raise DataError for blocks (n, y, x) that are counts, or line integrals."""
    high, middle = (float(value) for value in np.quantile(seen, (0.995, 0.5)))
    if high > 2:
        raise DataError(
            "these are counts, and no transmissions",
            where="projections",
            value=f"median {middle:.4g}, up to {high:.4g}",
            limit="0 to 1",
            remedy="leave --normalised out, and give flats",
        )
    columns = seen.shape[2]
    edge = float(np.median(seen[:, :, [0, -1]]))
    inner = float(np.quantile(seen[:, :, columns // 4 : -(columns // 4) or None], 0.75))
    if edge < 0.5 and edge < 0.6 * inner:
        raise DataError(
            "these look like line integrals, and not like transmissions: nothing is at the sides, and something within",
            where="projections",
            value=f"{edge:.3g} at the sides, {inner:.3g} within",
            limit="1 in air",
            remedy="give transmissions, exp(-line integral)",
        )
