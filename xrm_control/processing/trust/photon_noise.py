"""The noise of the views, told from what they show, beside what photon statistics make of the flats'.

What steep edges leave of second differences (see `neighbouring_views`) is kept out by looking where a view
is smoothest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.processing.trust.evidence import Images, RegionEvidence
from xrm_control.processing.trust.neighbouring_views import (
    APART,
    OF_MEDIAN,
    band_of,
    expected_counts,
    inside,
    neighbouring_views,
    roughness,
    variance,
)
from xrm_control.reconstruction.references import References, flat_sets

_PIXELS = 16 * 128**2
_MOST_TRIPLES = 64
_SMOOTHEST = 0.25  # of a view's bright pixels
_LEAST_PIXELS, _LEAST_OF_VIEW = 300, 1000
_BRIGHT = 0.25  # transmission: darker, steep edges lie close together, and spread light has noise of its own
_STEP = 0.1


@dataclass(frozen=True)
class PhotonNoise:
    """Variances, measured over expected. views (m,): numbers of the middle ones of three; of_views (m,): of each, nan
    where it is too dark. levels (k,): transmission; of_levels (k,). overall: of the smoothest quarter of the bright
    pixels; everywhere: of all of them, with what steep edges make. flats: of the flats over what their fluctuation from
    frame to frame says, which is below 1 where noise hangs together over pixels; the views are held against it.
    gain_counts: of a photon by the flats, without what undoing spread light makes of noise. u: standard
    uncertainty of `overall`.
    """

    views: NDArray[np.int64]
    of_views: NDArray[np.float64]
    levels: NDArray[np.float64]
    of_levels: NDArray[np.float64]
    overall: float
    everywhere: float
    flats: float
    gain_counts: float
    u: float


def photon_noise(evidence: RegionEvidence) -> PhotonNoise | str:
    """Why there is nothing to compare, in its place."""
    scan, references = evidence.scan, evidence.references
    if references is None:
        return "no flats: what noise photons make is not known"
    known = _of_flats(evidence, references)
    if known is None:
        return "no two flats were taken one after the other: what noise photons make is not known"
    flats, of_flats = known
    if len(scan.projections) < 3:
        return "too few views"
    part = references.of_rows(band_of(evidence))
    sound = inside(~part.bad)
    middles: list[int] = []
    ratios: list[Images] = []
    levels: list[Images] = []
    bright: list[Images] = []
    for views in neighbouring_views(evidence, part, reach=1, pixels=_PIXELS, most=_MOST_TRIPLES):
        usual = np.sqrt(expected_counts(part, views.counts())) / views.full
        found, steep, around = views.roughness(usual), views.steepness(usual), inside(views.around)
        used = sound & (around > _BRIGHT)
        smooth = sound & (steep <= np.quantile(steep[used if used.any() else sound], _SMOOTHEST))
        middles.append(views.middle)
        bright.append(found[used])
        ratios.append(found[smooth])
        levels.append(around[smooth])
    of_views = [_scale(one[at > _BRIGHT], _LEAST_OF_VIEW) for one, at in zip(ratios, levels, strict=True)]
    values, at = np.concatenate(ratios), np.concatenate(levels)
    steps = np.arange(0, 1.2, _STEP)
    of_levels = [_scale(values[(at >= low) & (at < low + _STEP)]) for low in steps]
    overall = _scale(values[at > _BRIGHT])
    if not np.isfinite(overall):
        return "the views are too dark"
    return PhotonNoise(
        views=np.array(middles, np.int64),
        of_views=np.array(of_views) / flats,
        levels=steps + _STEP / 2,
        of_levels=np.array(of_levels) / flats,
        overall=overall / flats,
        u=OF_MEDIAN * float(np.sqrt(APART * (1 / np.count_nonzero(at > _BRIGHT) + 1 / of_flats))) * overall / flats,
        everywhere=_scale(np.concatenate(bright)) / flats,
        flats=flats,
        # Where a share was spread, what is undone makes the noise of single pixels larger by as much.
        gain_counts=references.gain_counts * (1 - (0.0 if scan.stray is None else scan.stray.share)) ** 2,
    )


def _of_flats(evidence: RegionEvidence, references: References) -> tuple[float, int] | None:
    """Variance over expected, and of how many values; None where no flat was repeated."""
    flats = np.asarray(evidence.scan.flats, np.float32) - references.dark
    sound = inside(~references.bad)
    found: list[float] = []
    values = 0
    for beam, members in zip(references.beams, flat_sets(evidence.scan.flat_time_s, evidence.scan.time_s), strict=True):
        if len(members) < 2:
            continue
        frames = flats[members]
        level = frames.mean(axis=(1, 2), keepdims=True)
        frames = frames * (level.mean() / np.maximum(level, 1e-6))
        # Pairs share no frame: what hangs together from frame to frame does not count twice.
        changes = (frames[1:] - frames[:-1]) / np.float32(2**0.5)
        ratios = roughness(changes, (1, 2)) / inside(np.sqrt(expected_counts(references, beam)))
        found.append(_scale(ratios[:, sound].ravel()))
        values += ratios[:, sound].size
    known = [one for one in found if np.isfinite(one) and one > 0]
    return (float(np.mean(known)), values) if known else None


def _scale(values: NDArray[np.floating], least: int = _LEAST_PIXELS) -> float:
    """`variance`; nan for a handful."""
    return variance(values) if values.size >= least else float("nan")
