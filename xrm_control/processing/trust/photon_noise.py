"""The noise of the views, told from what they show, beside what photon statistics make of the flats'.

Second differences over three neighbouring views, rows and columns at once are nearly blind to what is smooth along any
one of the three: to the sample as it turns, to the beam, and to whatever stays in its column. Noise passes whole. What
steep edges leave is kept out by looking where a view is smoothest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from xrm_control.processing.trust.evidence import Images, RegionEvidence
from xrm_control.reconstruction.filters import local_means, steepness
from xrm_control.reconstruction.preprocess import transmission
from xrm_control.reconstruction.references import References, flat_sets

_PIXELS = 16 * 128**2
_MOST_TRIPLES = 64
_APART = 3.0  # second differences of neighbours hang together: as if of so many one told anew
_OF_MEDIAN = 2.34  # relative error of a variance by the median, of one value
_SMOOTHEST = 0.25  # of a view's bright pixels
_MOST_ROWS = 256
_LEAST_PIXELS, _LEAST_OF_VIEW = 300, 1000
_AROUND_PX = 5
_BRIGHT = 0.25  # transmission: darker, steep edges lie close together, and spread light has noise of its own
_STEP = 0.1
_Scalar = TypeVar("_Scalar", bound=np.generic)
_SIGMA = 0.6745  # median of the absolute deviation of a Gaussian


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
    count, rows, _ = scan.projections.shape
    if count < 3:
        return "too few views"
    first = max((rows - _MOST_ROWS) // 2, 0)
    band = slice(first, min(first + _MOST_ROWS, rows))
    part = references.of_rows(band)
    triples = min(max(_PIXELS // part.dark.size, 8), _MOST_TRIPLES)
    middles = np.unique(np.linspace(1, count - 2, triples).round().astype(np.int64))
    # As they were taken: what is moved is smoothed too.
    spec = evidence.spec.preprocess.model_copy(update={"apply_shifts": False})
    beam = part.beams.mean(axis=0)
    sound = inside(~part.bad)
    ratios: list[Images] = []
    levels: list[Images] = []
    bright: list[Images] = []
    for middle in middles:
        three = np.arange(int(middle) - 1, int(middle) + 2)
        seen = transmission(scan, spec, rows=band, views=three, references=references).values
        around = local_means(seen.mean(axis=0), _AROUND_PX)
        light = 1.0 if scan.light is None or scan.flat_light is None else scan.light[middle] / np.mean(scan.flat_light)
        full = beam * np.float32(light)
        usual = np.sqrt(expected_counts(part, np.maximum(around, 0) * full)) / full
        found = roughness(seen, (0, 1, 2))[0] / inside(usual)
        used = sound & (inside(around) > _BRIGHT)
        bright.append(found[used])
        steep = inside(steepness(around, _AROUND_PX) / usual)
        smooth = sound & (steep <= np.quantile(steep[used if used.any() else sound], _SMOOTHEST))
        ratios.append(found[smooth])
        levels.append(inside(around)[smooth])
    of_views = [_scale(one[at > _BRIGHT], _LEAST_OF_VIEW) for one, at in zip(ratios, levels, strict=True)]
    values, at = np.concatenate(ratios), np.concatenate(levels)
    steps = np.arange(0, 1.2, _STEP)
    of_levels = [_scale(values[(at >= low) & (at < low + _STEP)]) for low in steps]
    overall = _scale(values[at > _BRIGHT])
    if not np.isfinite(overall):
        return "the views are too dark"
    return PhotonNoise(
        views=middles,
        of_views=np.array(of_views) / flats,
        levels=steps + _STEP / 2,
        of_levels=np.array(of_levels) / flats,
        overall=overall / flats,
        u=_OF_MEDIAN * float(np.sqrt(_APART * (1 / np.count_nonzero(at > _BRIGHT) + 1 / of_flats))) * overall / flats,
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


def expected_counts(references: References, counts: NDArray[np.floating]) -> NDArray[np.floating]:
    """Variance of pixels that have so many counts of beam, in counts squared."""
    gain, read = references.gain_counts, references.read_counts
    return gain * (counts + references.taken_counts) + read**2


def roughness(images: Images, axes: tuple[int, ...]) -> Images:
    """Second differences along all these axes, first ones where there are but two values, of unit variance for white
    noise of unit variance."""
    for axis in axes:
        size = images.shape[axis]
        if size >= 3:
            images = np.diff(images, 2, axis=axis) / np.float32(6**0.5)
        elif size == 2:
            images = np.diff(images, axis=axis) / np.float32(2**0.5)
    return images


def inside(image: NDArray[_Scalar]) -> NDArray[_Scalar]:
    """Of an image (rows, columns) the pixels that `roughness` leaves."""
    rows, columns = (slice(1, -1) if size >= 3 else slice(0, 1) for size in image.shape)
    return image[rows, columns]


def _scale(values: NDArray[np.floating], least: int = _LEAST_PIXELS) -> float:
    """Variance by the median, which the few pixels at steep edges do not move; nan for a handful."""
    if values.size < least:
        return float("nan")
    return float((np.median(np.abs(values)) / _SIGMA) ** 2)
