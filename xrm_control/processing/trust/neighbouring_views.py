"""Views next to each other, some of all, and how rough they are in standard deviations of the noise that is expected.

Second differences over three views, rows and columns at once are nearly blind to what is smooth along any one of the
three: to the sample as it turns, to the beam, and to whatever stays in its column. Noise passes whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from xrm_control.processing.trust.evidence import Images, RegionEvidence
from xrm_control.reconstruction.filters import local_means, steepness
from xrm_control.reconstruction.preprocess import transmission
from xrm_control.reconstruction.references import References

APART = 3.0  # second differences of neighbours hang together: as if of so many one told anew
OF_MEDIAN = 2.34  # relative error of a variance by the median, of one value
_SIGMA = 0.6745  # median of the absolute deviation of a Gaussian
_MOST_ROWS = 256
_LEAST_GROUPS = 8
_AROUND_PX = 5
_Scalar = TypeVar("_Scalar", bound=np.generic)


@dataclass(frozen=True)
class NeighbouringViews:
    """seen (2 reach + 1, rows, columns): transmission, the view `middle` in the middle; around (rows, columns): of it
    and its two neighbours, over the surroundings; full (rows, columns): counts of the open beam then."""

    middle: int
    seen: Images
    around: Images
    full: Images

    @classmethod
    def of(cls, middle: int, seen: Images, full: Images) -> NeighbouringViews:
        """With their surroundings; seen (2 reach + 1, rows, columns)."""
        at = len(seen) // 2
        return cls(middle, seen, local_means(seen[at - 1 : at + 2].mean(axis=0), _AROUND_PX), full)

    def counts(self) -> NDArray[np.floating]:
        """Of the surroundings, (rows, columns)."""
        return np.maximum(self.around, 0) * self.full

    def roughness(self, usual: NDArray[np.floating], step: int = 1) -> Images:
        """Second differences over views `step` apart, (rows - 2, columns - 2) as all here that follow.

        usual (rows, columns): standard deviation expected of a transmission.
        """
        middle = len(self.seen) // 2
        return roughness(self.seen[middle - step : middle + step + 1 : step], (0, 1, 2))[0] / inside(usual)

    def steepness(self, usual: NDArray[np.floating]) -> NDArray[np.floating]:
        """Of the surroundings, in the same."""
        return inside(steepness(self.around, _AROUND_PX) / usual)


def band_of(evidence: RegionEvidence) -> slice:
    """See `middle_rows`."""
    return middle_rows(evidence.scan.projections.shape[1])


def middle_rows(rows: int) -> slice:
    """Rows in the middle of the detector, enough to tell noise."""
    first = max((rows - _MOST_ROWS) // 2, 0)
    return slice(first, min(first + _MOST_ROWS, rows))


def middles(views: int, size: int, *, reach: int, pixels: int, most: int) -> NDArray[np.int64]:
    """At even distances, the middle ones of groups of 2 reach + 1 among so many views, of `size` pixels each."""
    groups = min(max(pixels // size, _LEAST_GROUPS), most)
    return np.unique(np.linspace(reach, views - 1 - reach, groups).round().astype(np.int64))


def neighbouring_views(
    evidence: RegionEvidence, references: References, *, reach: int, pixels: int, most: int
) -> Iterator[NeighbouringViews]:
    """At even distances over a scan of at least 2 reach + 1 views, in the rows of `band_of`, of which `references` are.

    reach: neighbours on either side; pixels: about so many in all; most: groups of views.
    """
    scan = evidence.scan
    count = len(scan.projections)
    # As they were taken: what is moved is smoothed too.
    spec = evidence.spec.preprocess.model_copy(update={"apply_shifts": False})
    beam = references.beams.mean(axis=0)
    for middle in middles(count, references.dark.size, reach=reach, pixels=pixels, most=most):
        views = np.arange(int(middle) - reach, int(middle) + reach + 1)
        seen = transmission(scan, spec, rows=band_of(evidence), views=views, references=evidence.references).values
        light = 1.0 if scan.light is None or scan.flat_light is None else scan.light[middle] / np.mean(scan.flat_light)
        yield NeighbouringViews.of(int(middle), seen, beam * np.float32(light))


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


def variance(values: NDArray[np.floating]) -> float:
    """By the median, which the few pixels at steep edges do not move."""
    return float((np.median(np.abs(values)) / _SIGMA) ** 2)
