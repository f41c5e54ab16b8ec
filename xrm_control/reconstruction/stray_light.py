"""Light that is no beam: measured behind an opaque blade that covers a part of the field, and taken off all frames.

What a camera sees of an image b is even + (1 - share) b + share (k * b): even light, and a share that the scintillator
carries away, falling off as k = exp(-r / length) / (2 pi length^2). Where the blade is, b is nothing. So the share and
the length are those for which the frame behind it, once the spread is undone, is even in the shade; what is left there
is the even light. The blade's edge need not be known: near it the spread light tells its kernel, deep behind it the
even light is alone. Beyond the frame, light is taken to go on as in a mirror.

The transform of k is (1 + (2 pi f length)^2)^(-3/2), and its inverse is tame: the share is small.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.reconstruction.references import robust_mean

_COLUMNS, _FIT_COLUMNS = 128, 64  # of frames in which spread light, and the shade, are looked at
_SHADE, _RIM_PX = 0.5, 2  # of the beam; pixels beside the blade's edge, where it is not sharp
_LEAST_SHADE, _MOST_SHADE = 0.05, 0.95
_SHORTEST_PX, _LENGTHS, _ROUNDS = 2.0, 14, 2
_ASSUMED_PX = 10.0  # where no spread is seen: for which length it is said how much there can be
_SURE = 12.0  # chi squared of two parameters: one in 400 by chance
_MOST_SHARE, _MOST_EVEN = 0.5, 0.3
# What lies beyond the frame is not known. For a beam that falls off there in place of one that is mirrored, even light
# and share are off by so much of the share, in opposite senses.
_BEYOND, _OPPOSED = 0.06, -0.8
_FINE = 8  # pixels to a length, which are enough to know what is spread

Image = NDArray[np.float64]


@dataclass(frozen=True)
class StrayLight:
    """What was found. even_counts: of a frame; share, length_px: of the spread light, 0 where none was seen;
    beam_counts: mean of the open beam, without stray light; length_u_px, and covariance (2, 2) of even / beam and
    share: of their errors.
    """

    even_counts: float
    share: float
    length_px: float
    beam_counts: float
    covariance: tuple[float, float, float]  # of (even, even), (even, share), (share, share)
    length_u_px: float = 0.0

    @property
    def even_share(self) -> float:
        """Even light, of the open beam."""
        return self.even_counts / self.beam_counts

    @property
    def taken_counts(self) -> float:
        """What is taken off a dark place of a frame that is half as bright as the open beam, about."""
        return max(self.even_counts, 0.0) + 0.5 * self.share * self.beam_counts

    def u_mu(self, inverse: float, ratio: float) -> float:
        """Relative standard uncertainty of the attenuation that is left.

        inverse: mean of 1 / T over the rays in matter; ratio: of what is around a ray, over T. Light e that is left
        over takes e / T of a contrast in -ln T, a share s takes s (T around) / T.
        """
        even, both, share = self.covariance
        variance = inverse**2 * even + 2 * inverse * ratio * both + ratio**2 * share
        return float(np.sqrt(max(variance, 0.0)))

    def figures(self, pixel_um: float) -> dict[str, float]:
        """By name, for quality.json. Of the length nothing is said where no light is spread."""
        even, _, share = self.covariance
        found = {
            "stray_share": self.even_share,
            "stray_share_u": float(np.sqrt(even)),
            "spread_share": self.share,
            "spread_share_u": float(np.sqrt(share)),
        }
        if self.share:
            found |= {"spread_um": self.length_px * pixel_um, "spread_um_u": self.length_u_px * pixel_um}
        return found

    def as_array(self) -> NDArray[np.float64]:
        """For an .npz file; `from_array` leads back."""
        first = (self.even_counts, self.share, self.length_px, self.beam_counts, self.length_u_px)
        return np.array((*first, *self.covariance))

    @classmethod
    def from_array(cls, content: NDArray[Any]) -> StrayLight:
        """What `as_array` gave."""
        even, share, length, beam, length_u, *covariance = map(float, content)
        return cls(even, share, length, beam, (covariance[0], covariance[1], covariance[2]), length_u)

    def taken_off(self, frames: NDArray[Any], wanted: slice = slice(None)) -> NDArray[np.float32]:
        """Frames (n, rows, columns), whole and less their dark, as the camera would see them without: wanted rows."""
        from scipy.fft import dctn, idctn

        values = frames[:, wanted].astype(np.float32)
        if self.share:
            rows, columns = frames.shape[1:]
            size = max(1, min(int(self.length_px / _FINE), columns // _COLUMNS))
            small = _binned(np.asarray(frames, np.float32), size)
            response = kernel_transform(small.shape[1:], self.length_px / size)
            response = self.share * response / ((1 - self.share) * (1 - self.share + self.share * response))
            content = np.asarray(dctn(small, axes=(1, 2)), np.float32) * response.astype(np.float32)
            # Smooth on the scale of the length, so that few pixels tell it all.
            spread = np.asarray(idctn(content, axes=(1, 2)), np.float32)
            if size > 1:
                spread = _between(rows, size)[wanted] @ spread @ _between(columns, size).T
            else:
                spread = spread[:, wanted]
            values /= np.float32(1 - self.share)
            values -= spread
        values -= np.float32(self.even_counts)
        return values


def measured(
    behind: NDArray[Any], flats: NDArray[Any], darks: NDArray[Any], bad: NDArray[np.bool_] | None = None
) -> StrayLight:
    """From frames behind the blade (b, rows, columns), flats and darks of the same exposure; bad (rows, columns): dead
    and hot pixels. Raises DataError where the blade shades too little of the field, or all of it.
    """
    frames = np.asarray(behind, np.float32)
    # The first still glows of the flat before it.
    frames = frames[1:] if len(frames) > 2 else frames
    dark = robust_mean(np.asarray(darks, np.float32)) if len(darks) else np.zeros(frames.shape[1:], np.float32)
    size = max(1, frames.shape[2] // _FIT_COLUMNS)
    seen, beam = robust_mean(frames) - dark, robust_mean(np.asarray(flats, np.float32)) - dark
    if bad is not None and bad.any():
        seen, beam = _bridged(seen, bad), _bridged(beam, bad)
    seen, beam = (_binned(one[None], size)[0].astype(float) for one in (seen, beam))
    found = _fitted(seen, shade_of(seen, beam))
    level = float(beam.mean()) - found.even_counts
    if found.even_counts > _MOST_EVEN * level or level <= 0:
        raise DataError(
            "more light behind the blade than stray light can be",
            where="frames behind the blade",
            value=f"{found.even_counts:.1f} counts, beam {beam.mean():.1f}",
            limit=f"{100 * _MOST_EVEN:g} % of the open beam",
            remedy="look whether the blade is opaque, and in the beam",
        )
    even, both, share = found.covariance
    beyond = (_BEYOND * found.share) ** 2
    return replace(
        found,
        length_px=found.length_px * size,
        length_u_px=found.length_u_px * size,
        beam_counts=level,
        covariance=(even / level**2 + beyond, both / level + _OPPOSED * beyond, share + beyond),
    )


def shade_of(seen: Image, beam: Image) -> NDArray[np.bool_]:
    """Pixels behind the blade, without those beside its edge. Raises DataError where it shades hardly any, or all."""
    from scipy.ndimage import binary_erosion, median_filter

    floor = 1e-3 * float(np.median(beam))
    dim = median_filter(seen / np.maximum(beam, floor), 3) < _SHADE
    covered = float(dim.mean())
    shade = np.asarray(binary_erosion(dim, iterations=_RIM_PX, border_value=1))
    if covered > _MOST_SHADE or float(shade.mean()) < _LEAST_SHADE:
        raise DataError(
            "the blade does not cover a part of the field, so stray light cannot be told from it",
            where="frames behind the blade",
            value=f"{100 * covered:.0f} % of the field is dim",
            limit=f"{100 * _LEAST_SHADE:g} to {100 * _MOST_SHADE:g} %",
            remedy="bring the blade's edge into the middle of the field, or leave the frames out: scan.blocker 0",
        )
    return shade.astype(bool)


def kernel_transform(shape: tuple[int, ...], length_px: float) -> NDArray[np.float64]:
    """Of exp(-r / length) / (2 pi length^2), at the frequencies of a cosine transform (rows, columns)."""
    rows, columns = (np.pi * np.arange(size) * length_px / size for size in shape)
    return (1 + rows[:, None] ** 2 + columns**2) ** -1.5


@dataclass(frozen=True)
class _Fit:
    """At one length: a = share / (1 - share), even counts, sum of squares, and covariance (even, a) for noise of 1."""

    a: float
    even: float
    squares: float
    covariance: NDArray[np.float64]


def _fitted(seen: Image, shade: NDArray[np.bool_]) -> StrayLight:
    """All in counts of `seen`; covariance: of even counts and share."""
    from scipy.fft import dctn

    content, n = np.asarray(dctn(seen)), int(shade.sum())
    plain = float(np.var(seen[shade])) * n
    lengths = np.geomspace(_SHORTEST_PX, max(seen.shape) / 2, _LENGTHS)
    fits: list[_Fit] = []
    for length in lengths:
        fits.append(_at_length(content, shade, float(length), fits[-1].a if fits else 0.0))
    best = int(np.argmin([fit.squares for fit in fits]))
    length_px, length_u = float(lengths[best]), 0.0
    if 0 < best < len(fits) - 1:
        # A parabola through the logarithms of the three that are nearest.
        left, middle, right = (fits[best + step].squares for step in (-1, 0, 1))
        bend = left - 2 * middle + right
        step = float(np.log(lengths[1] / lengths[0]))
        if bend > 0:
            length_px *= float(np.exp(0.5 * step * (left - right) / bend))
            length_u = length_px * step * float(np.sqrt(2 * (middle / (n - 3)) / bend))
    fit = _at_length(content, shade, length_px, fits[best].a)
    noise = fit.squares / (n - 3)
    share = fit.a / (1 + fit.a)
    if (plain - fit.squares) / noise < _SURE or not 0 < share < _MOST_SHARE:
        # No spread light is seen: what there may be of it is said for a usual length.
        usual = _at_length(content, shade, _ASSUMED_PX)
        covariance = usual.covariance * plain / (n - 1)
        even = float(seen[shade].mean())
        return StrayLight(even, 0.0, 0.0, 1.0, _three(covariance, 1.0))
    # The length's error is one of share and even light as well: its neighbours tell how they go with it.
    covariance = fit.covariance * noise
    if length_u:
        one, other = (_at_length(content, shade, length_px * f, fit.a) for f in (0.97, 1 / 0.97))
        slope = np.array([other.even - one.even, other.a - one.a]) / (-2 * np.log(0.97))
        covariance = covariance + np.outer(slope, slope) * (length_u / length_px) ** 2
    return StrayLight(fit.even, share, length_px, 1.0, _three(covariance, (1 - share) ** 2), length_u)


def _three(covariance: NDArray[np.float64], slope: float) -> tuple[float, float, float]:
    return float(covariance[0, 0]), float(covariance[0, 1]) * slope, float(covariance[1, 1]) * slope**2


def _at_length(content: Image, shade: NDArray[np.bool_], length_px: float, begin: float = 0.0) -> _Fit:
    """Least squares by Gauss and Newton: behind the blade, the image less its spread light is even."""
    from scipy.fft import idctn

    response = kernel_transform(content.shape, length_px)
    a, left, slope = begin, np.empty(0), np.empty(0)
    for _ in range(_ROUNDS):
        undone = 1 / (1 + a * response)
        left = np.asarray(idctn(content * undone))[shade] * (1 + a)
        slope = left / (1 + a) - np.asarray(idctn(content * undone**2 * response))[shade] * (1 + a)
        around, level = slope - slope.mean(), left - left.mean()
        a = float(np.clip(a - (around @ level) / (around @ around), 0.0, 1.0))
    undone = 1 / (1 + a * response)
    left = np.asarray(idctn(content * undone))[shade] * (1 + a)
    design = np.stack([np.ones_like(slope), -slope], axis=1)
    covariance = np.linalg.inv(design.T @ design)
    return _Fit(a, float(left.mean()), float(np.var(left)) * left.size, covariance.astype(np.float64))


def _bridged(image: NDArray[np.float32], bad: NDArray[np.bool_]) -> NDArray[np.float32]:
    from scipy.ndimage import median_filter

    return np.where(bad, median_filter(image, 5, mode="nearest"), image)


def _binned(frames: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Means of size x size pixels; what is left over at the end goes on as it ends."""
    if size == 1:
        return frames
    n, rows, columns = frames.shape
    over = -rows % size, -columns % size
    if any(over):
        frames = np.pad(frames, ((0, 0), (0, over[0]), (0, over[1])), mode="edge")
        rows, columns = rows + over[0], columns + over[1]
    blocks = frames.reshape(n, rows // size, size, columns // size, size)
    return blocks.mean(axis=(2, 4), dtype=np.float32)


def _between(count: int, size: int) -> NDArray[np.float32]:
    """Weights (count, blocks) that lead from means of `size` pixels back to pixels, linearly."""
    blocks = -(-count // size)
    place = np.clip((np.arange(count) + 0.5) / size - 0.5, 0, blocks - 1)
    first = np.minimum(place.astype(int), max(blocks - 2, 0))
    weights = np.zeros((count, blocks), np.float32)
    weights[np.arange(count), first] = 1 - (place - first)
    if blocks > 1:
        weights[np.arange(count), first + 1] = place - first
    return weights
