"""Flats and darks: averaged against outliers, interpolated in time, and asked what the camera's noise is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError

_DEAD_RESPONSE = 0.1  # of the neighbourhood's response to the beam
_HOT_SIGMAS = 12.0


@dataclass(frozen=True)
class References:
    """References of one scan.

    dark (rows, columns); beams (sets, rows, columns): flats less dark; beam_time_s (sets,), rising.
    bad (rows, columns): dead and hot pixels. gain_counts: variance per count of beam. read_counts: noise without beam.
    taken_counts: stray light that was taken off where no beam came; its noise is there still.
    """

    dark: NDArray[np.float32]
    beams: NDArray[np.float32]
    beam_time_s: NDArray[np.float64]
    bad: NDArray[np.bool_]
    gain_counts: float
    read_counts: float
    taken_counts: float = 0.0

    @cached_property
    def mean_beam(self) -> NDArray[np.float32]:
        """Of all sets, (rows, columns)."""
        return np.asarray(self.beams.mean(axis=0), np.float32)

    def of_rows(self, rows: slice) -> References:
        """The same over some detector rows; what is known of the camera's noise stays that of all."""
        return replace(self, dark=self.dark[rows], beams=self.beams[:, rows], bad=self.bad[rows])

    def beam_at(self, time_s: float) -> NDArray[np.float32]:
        """The unattenuated beam in counts at one time: linear between sets of flats, constant beyond the ends."""
        after = int(np.searchsorted(self.beam_time_s, time_s))
        if after == 0:
            return self.beams[0]
        if after == len(self.beam_time_s):
            return self.beams[-1]
        start, end = self.beam_time_s[after - 1 : after + 1]
        share = np.float32((time_s - start) / (end - start))
        return self.beams[after - 1] * (1 - share) + self.beams[after] * share


def make_references(
    flats: NDArray[Any],
    flat_time_s: NDArray[Any],
    darks: NDArray[Any],
    projection_time_s: NDArray[np.floating],
    flat_light: NDArray[Any] | None = None,
) -> References:
    """Average each set of flats and the darks. flats (f, rows, columns), darks (d, rows, columns), d may be 0.

    flat_light (f,): exposure of each flat; the beams are those of their mean exposure. Raises DataError where the flats
    hold no beam.
    """
    dark_frames = np.asarray(darks, np.float32)
    dark = robust_mean(dark_frames) if len(dark_frames) else np.zeros(flats.shape[1:], np.float32)
    sets = flat_sets(flat_time_s, projection_time_s)
    frames = np.asarray(flats, np.float32)
    if flat_light is not None:
        relative = np.asarray(flat_light, np.float32) / np.float32(np.mean(flat_light))
        frames = np.asarray(dark + (frames - dark) / relative[:, None, None], np.float32)
    beams = np.stack([robust_mean(frames[members]) for members in sets]) - dark
    read = _temporal_noise(dark_frames)
    mean_beam = beams.mean(axis=0)
    level = float(np.median(mean_beam))
    if level <= max(read or 0.0, 0.0):
        raise DataError(
            "the flats hold no beam: they are not brighter than the darks",
            where="flats",
            value=f"{level:.1f} counts",
            limit=f"noise {read or 0.0:.1f} counts",
            remedy="check the shutter and the order of flats and darks",
        )
    # A camera of whole counts cannot be quieter than their rounding.
    rounding = 0.3 if np.issubdtype(np.asarray(flats).dtype, np.integer) else 0.0
    return References(
        dark=dark,
        beams=np.maximum(beams, np.float32(1e-3 * level)),
        beam_time_s=np.array([float(np.mean(np.asarray(flat_time_s, float)[members])) for members in sets]),
        bad=bad_pixels(dark if len(dark_frames) else None, mean_beam),
        gain_counts=_gain(frames, sets, dark, read or 0.0),
        read_counts=max(rounding, read if read is not None else 1.0),
    )


def flat_sets(flat_time_s: NDArray[np.floating], projection_time_s: NDArray[np.floating]) -> list[NDArray[np.int64]]:
    """Indices of flats in sets, in time: flats with a projection between them belong to different sets."""
    times = np.asarray(flat_time_s, float)
    order = np.argsort(times, kind="stable")
    views = np.sort(np.asarray(projection_time_s, float))
    before = np.searchsorted(views, times[order])
    breaks = np.flatnonzero(np.diff(before)) + 1
    return [np.sort(members) for members in np.split(order, breaks)]


def robust_mean(frames: NDArray[np.float32], sigmas: float = 6.0) -> NDArray[np.float32]:
    """Mean over the first axis without the values that stand out from the pixel's median (zingers)."""
    if len(frames) < 3:
        return frames.mean(axis=0)
    middle = np.median(frames, axis=0)
    deviation = np.abs(frames - middle)
    usual = 1.4826 * float(np.median(deviation)) * np.sqrt(np.maximum(middle, 1) / max(float(np.median(middle)), 1))
    keep = deviation <= sigmas * usual + 1e-6
    return (np.where(keep, frames, 0).sum(axis=0) / np.maximum(keep.sum(axis=0), 1)).astype(np.float32)


def _temporal_noise(frames: NDArray[np.float32]) -> float | None:
    if len(frames) < 2:
        return None
    variance = frames.var(axis=0, ddof=1)
    return float(np.sqrt(_mean_without_tail(variance)))


def _gain(frames: NDArray[np.float32], sets: list[NDArray[np.int64]], dark: NDArray[np.float32], read: float) -> float:
    """Variance per count from repeated flats; 1, as if counts were photons, where no flat was repeated."""
    gains = []
    for members in sets:
        if len(members) < 2:
            continue
        beam = frames[members] - dark
        level = beam.mean(axis=(1, 2), keepdims=True)
        beam = beam * (level.mean() / np.maximum(level, 1e-6))  # fluctuations of the source are not pixel noise
        gains.append((_mean_without_tail(beam.var(axis=0, ddof=1)) - read**2) / max(float(level.mean()), 1e-6))
    return max(float(np.mean(gains)), 0.0) if gains else 1.0


def _mean_without_tail(values: NDArray[np.floating]) -> float:
    limit = np.quantile(values, 0.99)
    return float(values[values <= limit].mean())


def bad_pixels(dark: NDArray[np.float32] | None, beam: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Dead and hot ones (rows, columns); beam: flats less dark."""
    from scipy.ndimage import median_filter

    # Wide along the columns alone: a dead column must stand out from its neighbours, and a slab may have few rows.
    bad = beam < _DEAD_RESPONSE * np.maximum(median_filter(beam, size=(1, 15), mode="nearest"), 1e-6)
    if dark is not None:
        excess = dark - np.median(dark)
        spread = 1.4826 * float(np.median(np.abs(excess)))
        bad |= excess > np.maximum(_HOT_SIGMAS * spread, 0.2 * np.median(beam))
    return bad
