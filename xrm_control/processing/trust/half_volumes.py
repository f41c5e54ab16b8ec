"""Resolution by Fourier shell correlation of two volumes, of every second view each, beside what the scan should give.

What both halves show alike is the sample; what they do not is noise, and views that lie too far apart. Where the
correlation falls below the half-bit curve (van Heel and Schatz 2005, doi 10.1016/j.jsb.2005.05.009) half a bit of
information is left in a voxel of the volume of all views.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.processing.trust.evidence import Images, RegionEvidence, Slabs, noise_variance
from xrm_control.reconstruction.filters import transformed
from xrm_control.reconstruction.methods.fourier import FourierReconstruction
from xrm_control.reconstruction.motion_images import two_phases
from xrm_control.reconstruction.preprocess import transmission
from xrm_control.reconstruction.tilt import levelled, reach_px

_VOXELS = 64 * 128 * 128
_LEAST_ROWS, _LEAST_VIEWS = 4, 24
_WITHIN, _SOFT, _ENDS = 0.9, 0.15, 0.12  # of the radius; of the radius; of the rows
_FIRST_SHELL = 3  # below, the window and the strip are seen
_FWHM = 2 * (2 * np.log(2)) ** 0.5  # over the standard deviation
_SEEN_FROM, _SEEN_TO, _LEAST_SHELLS = 0.03, 0.3, 8  # cycles a pixel
_BLUR_TOLD = 0.1  # cycles a pixel: up to there a blur of three pixels takes half of the power; few photons end before
_LINES_PX = 2.0  # FWHM that pixels and optics matched to them blur with
_HIGHEST = 0.42  # cycles a pixel, from where on there is noise alone
_FLOOR = 1e-3  # transmission
_UNKNOWN = 0.3  # of the noise: what flats that nobody has kept may leave in all views


@dataclass(frozen=True)
class HalfVolumes:
    """frequency (n,): cycles a pixel; correlation, half_bit (n,); expected (n,): of the volume's two phases at a blur
    of two pixels and the noise of the photons, None where either is not known.

    resolution_px, expected_px: where the curves fall below the half-bit curve, the latter not finer than two pixels
    and sampling_px, pi x diameter / views of half a turn. blur_px: FWHM of the Gaussian by which what the halves have
    in common is less sharp than the two phases, below 0 where it is sharper. shared: correlation of what is noise
    alone; shared_expected: by that of the flats, and by the finest of what edges show. pixel_um: of the volumes.
    """

    frequency: NDArray[np.float64]
    correlation: NDArray[np.float64]
    half_bit: NDArray[np.float64]
    expected: NDArray[np.float64] | None
    resolution_px: float
    expected_px: float | None
    sampling_px: float
    blur_px: float | None
    shared: float
    shared_expected: float
    pixel_um: float


@dataclass(frozen=True)
class _Band:
    """Some rows of the views: integrals and their noise's variance (n, rows, columns)."""

    integrals: Images
    variance: Images | None
    theta_deg: NDArray[np.float64]
    rows: slice
    axis_px: float
    pixel_um: float
    flats_variance: float


def half_volumes(evidence: RegionEvidence) -> HalfVolumes | str:
    """Why there is nothing to compare, in its place."""
    if evidence.projector.side != evidence.projector.columns:
        return "views of half acquisition, each of which shows one side alone"
    band = _band(evidence)
    views, rows, side = band.integrals.shape
    if views < _LEAST_VIEWS or rows < 1:
        return "too few views"
    sinograms = band.integrals.transpose(1, 0, 2)
    method = FourierReconstruction(filter="ram-lak", softening=0, threads=1)
    halves = [
        method.reconstruct(
            np.ascontiguousarray(sinograms[:, start::2]), band.theta_deg[start::2], band.axis_px, band.pixel_um
        )
        for start in (0, 1)
    ]
    shells = _Shells.of(rows, side)
    one, other = (shells.spectrum(half) for half in halves)
    both, power = shells.sums((one * other.conj()).real), [shells.sums(np.abs(half) ** 2) for half in (one, other)]
    correlation = both / np.maximum(np.sqrt(power[0] * power[1]), 1e-30)
    if not np.isfinite(correlation).all() or not power[0].any():
        return "the volumes are empty"
    half_bit = shells.half_bit()
    # As many as lie in half a turn.
    span = float(np.ptp(band.theta_deg)) * views / (views - 1)
    sampling_px = np.pi * _WITHIN * side / (views * 180.0 / span)
    resolution_px = 1 / shells.crossing(correlation, half_bit)
    solid = _two_phases(evidence, band)
    sharp = None if solid is None else shells.sums(np.abs(shells.spectrum(solid)) ** 2)
    expected, expected_px, shared_expected = None, None, _UNKNOWN
    noise = 0.0 if band.variance is None else float(band.variance.mean())
    # None of flats that were made up, all of one value.
    if band.variance is not None and noise > 0:
        shared_expected = band.flats_variance / (band.flats_variance + noise)
        if sharp is not None:
            expected = _expected(shells, sharp * _gaussian(shells.frequency), band, noise)
            # The particles' edges go on to the highest frequencies, where photons are many.
            finest = _expected(shells, sharp * np.sinc(shells.frequency) ** 2, band, noise)
            shared_expected += float(finest[shells.frequency > _HIGHEST].mean())
            expected_px = max(1 / shells.crossing(expected, half_bit), 2.0, sampling_px)
    return HalfVolumes(
        frequency=shells.frequency,
        correlation=correlation,
        half_bit=half_bit,
        expected=expected,
        resolution_px=resolution_px,
        expected_px=expected_px,
        sampling_px=sampling_px,
        blur_px=None if sharp is None else _blur_px(shells.frequency, both, sharp, 1 / resolution_px),
        shared=float(correlation[shells.frequency > _HIGHEST].mean()),
        shared_expected=shared_expected,
        pixel_um=band.pixel_um,
    )


def _band(evidence: RegionEvidence) -> _Band:
    """Rows from the middle, of all views and whole pixels."""
    looks, scan, known = evidence.looks, evidence.scan, evidence.references
    count, rows, columns = scan.projections.shape
    wanted = min(max(_VOXELS // columns**2, _LEAST_ROWS), rows)
    first = (rows - wanted) // 2
    band = slice(first, first + wanted)
    if looks.bin == 1 and len(looks.views) == count:
        seen = looks.images[:, band]
    else:
        halo = reach_px(evidence.quality.detector_tilt_deg or 0.0, rows, columns)
        low, high = max(first - halo, 0), min(band.stop + halo, rows)
        values = transmission(scan, evidence.spec.preprocess, rows=slice(low, high), references=known).values
        if tilt_deg := evidence.quality.detector_tilt_deg:
            values = levelled(values, tilt_deg, first_row=low, rows=rows)
        seen = values[:, first - low : first - low + wanted]
    variance, of_flats = None, 0.0
    if known is not None:
        part = known.of_rows(band)
        variance = noise_variance(part, np.maximum(seen, 0))
        of_flats = float(noise_variance(part, np.ones((1, *seen.shape[1:]), np.float32)).mean()) / len(scan.flats)
    integrals = -np.log(np.maximum(seen, np.float32(_FLOOR)))
    return _Band(integrals, variance, evidence.theta_deg, band, evidence.axis_px, scan.pixel_size_um, of_flats)


def _two_phases(evidence: RegionEvidence, band: _Band) -> Images | None:
    """The volume of the band told into particles and what is between them; None where there are no two."""
    volume = evidence.volume
    if volume is None or volume.shape[0] != evidence.scan.projections.shape[1]:
        return None
    planes = volume.planes(band.rows.start, band.rows.stop) if isinstance(volume, Slabs) else volume[band.rows]
    return two_phases(np.ascontiguousarray(planes, np.float32))


def _gaussian(frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a blur of two pixels leaves of power."""
    return np.exp(-((2 * np.pi * _LINES_PX / _FWHM * frequency) ** 2))


def _expected(shells: _Shells, signal: NDArray[np.float64], band: _Band, noise: float) -> NDArray[np.float64]:
    """The correlation (n,) of halves that hold a signal of this power (n,), and the noise of the photons.

    Noise of filtered back-projection: power pi variance f / views at f cycles a pixel in the plane.
    """
    energy = float((shells.window.astype(np.float64) ** 2).sum())
    of_half = np.pi * noise / (len(band.theta_deg) / 2 * band.pixel_um**2)
    return signal / np.maximum(signal + of_half * energy * shells.sums(shells.in_plane), 1e-30)


def _blur_px(
    frequency: NDArray[np.float64], both: NDArray[np.float64], sharp: NDArray[np.float64], last: float
) -> float | None:
    """None where too little is above the noise: what the phases were told by noise is then taken for sharpness."""
    if last < _BLUR_TOLD:
        return None
    used = (frequency >= _SEEN_FROM) & (frequency <= min(last, _SEEN_TO)) & (both > 0)
    if np.count_nonzero(used) < _LEAST_SHELLS:
        return None
    fall = np.polyfit(frequency[used] ** 2, np.log(both[used] / sharp[used]), 1, w=np.sqrt(frequency[used]))[0]
    return float(-np.sign(fall) * np.sqrt(abs(fall)) / (2 * np.pi) * _FWHM)


@dataclass(frozen=True)
class _Shells:
    """Of the transform of a volume (z, side, side) that fades out at its rims: the shell of each of its values, and its
    frequency in the plane, in cycles a pixel."""

    window: Images
    shell: NDArray[np.int64]
    in_plane: NDArray[np.float64]
    frequency: NDArray[np.float64]

    @classmethod
    def of(cls, rows: int, side: int) -> _Shells:
        line = (np.arange(side) - (side - 1) / 2) / (side / 2)
        disc = np.clip((_WITHIN - np.hypot(line[:, None], line)) / _SOFT, 0, 1)
        ends = np.ones(rows)
        if rows >= 8:
            from_end = np.minimum(np.arange(rows), np.arange(rows)[::-1]) + 0.5
            ends = np.clip(from_end / max(_ENDS * rows, 1.0), 0, 1)
        window = _faded(ends)[:, None, None] * _faded(disc)
        flat = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
        whole = np.hypot(np.fft.fftfreq(rows)[:, None, None], flat)
        shell = np.minimum(np.rint(whole * side), side // 2 + 1).astype(np.int64)
        return cls(
            window.astype(np.float32), shell, np.broadcast_to(flat, whole.shape), np.arange(side // 2 + 1) / side
        )

    def spectrum(self, volume: Images) -> NDArray[np.complexfloating]:
        """(z, side, side // 2 + 1)."""
        mean = float((volume * self.window).sum() / self.window.sum())
        return transformed((volume - np.float32(mean)) * self.window)

    def sums(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Over each shell (n,)."""
        count = len(self.frequency)
        return np.bincount(self.shell.ravel(), values.ravel(), count + 1)[:count].astype(np.float64)

    def half_bit(self) -> NDArray[np.float64]:
        """Of the values of each shell that do not hang together by the window."""
        count = self.sums(np.ones(self.shell.shape)) * float((self.window.astype(np.float64) ** 2).mean())
        root = np.sqrt(np.maximum(count, 1.0))
        return (0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root)

    def crossing(self, curve: NDArray[np.float64], limit: NDArray[np.float64]) -> float:
        """The frequency at which a curve falls below a limit and stays there for two shells; the last one else."""
        above = curve - limit
        for at in range(_FIRST_SHELL, len(above) - 1):
            if above[at] < 0 and above[at + 1] < 0:
                before = max(float(above[at - 1]), 0.0)
                step = self.frequency[at] - self.frequency[at - 1]
                return float(self.frequency[at - 1] + step * before / (before - above[at]))
        return float(self.frequency[-1])


def _faded(share: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.5 - 0.5 * np.cos(np.pi * share)
