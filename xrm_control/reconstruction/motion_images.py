"""The views of a scan made small, to find out how far each has moved."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xrm_control.reconstruction.blocks import smaller
from xrm_control.reconstruction.methods.fourier import FourierReconstruction
from xrm_control.reconstruction.preprocess import PreprocessSpec, Transmission, from_views
from xrm_control.reconstruction.projecting import Projector
from xrm_control.reconstruction.references import References
from xrm_control.reconstruction.scan import ScanData
from xrm_control.reconstruction.tilt import levelled

_COLUMNS = 128  # of the fine images
_LOW_PX, _HIGH_PX = 1.0, 6.0  # of fine pixels
_WITHIN = 0.9  # of the radius: what the volume's levels are read from
_SLOPE = 0.5  # of the way between the levels: what is taken for neither the one nor the other
_PHASES_APART = 1.5  # standard deviations within the phases
_HALF_TURN_DEG = 0.05
_PAD_PX = 8
_DARKEST = 0.01
_EDGE_PX, _WHOLE = 4, 0.45

Images = NDArray[np.float32]


def binning_of(rows: int, columns: int) -> tuple[int, int]:
    """Rows and columns of the detector that make one of a fine image: along the axis less is wanted."""
    across = max(1, -(-columns // _COLUMNS))
    return min(2 * across, max(1, rows // 24)), across


def images_of(
    scan: ScanData, spec: PreprocessSpec, references: References | None, order: NDArray[np.int64], tilt_deg: float
) -> MotionImages:
    """All views in this order, small; tilt_deg: of the detector, turned back."""
    _, rows, columns = scan.projections.shape
    down, across = binning_of(rows, columns)

    def small(seen: Transmission) -> Images:
        values = levelled(seen.values, tilt_deg) if tilt_deg else seen.values
        return -np.log(np.maximum(smaller(values, down, across), np.float32(_DARKEST)))

    images = from_views(scan, spec, references, order, small)
    theta, time = (np.asarray(values, float)[order] for values in (scan.theta_deg, scan.time_s))
    return MotionImages(np.concatenate(images), theta, time, (len(order), rows, columns), (down, across))


@dataclass(frozen=True)
class MotionImages:
    """integrals (n, r, c): -ln T, means of `bin` (rows, columns) pixels of a detector of `shape`, (views, rows,
    columns); theta_deg, time_s (n,): rising angles, and when. low_px, high_px: the band that is compared, in columns.
    """

    integrals: Images
    theta_deg: NDArray[np.float64]
    time_s: NDArray[np.float64]
    shape: tuple[int, int, int]
    bin: tuple[int, int]
    low_px: float = _LOW_PX
    high_px: float = _HIGH_PX

    def coarse(self) -> MotionImages:
        """Of half the rows and columns."""
        n, rows, columns = self.integrals.shape
        rows, columns = rows // 2 * 2, columns // 2 * 2
        blocks = self.integrals[:, :rows, :columns].reshape(n, rows // 2, 2, columns // 2, 2)
        small = blocks.mean(axis=(2, 4), dtype=np.float32)
        half = (2 * self.bin[0], 2 * self.bin[1])
        # A band as near to that of the fine ones as the pixels allow.
        return MotionImages(small, self.theta_deg, self.time_s, self.shape, half, 0.75, self.high_px / 2)

    @property
    def half_turn(self) -> bool:
        """Whether the last view is the mirror image of the first."""
        return bool(abs(self.theta_deg[-1] - self.theta_deg[0] - 180.0) < _HALF_TURN_DEG)

    @cached_property
    def banded(self) -> Images:
        """Without noise, and without what varies slowly: tape, beam, and matter beyond the field."""
        return self.band(self.integrals)

    @cached_property
    def whole(self) -> NDArray[np.bool_]:
        """Views (n,) of whose matter little lies beyond the field: at its edges they show next to air."""
        highest = np.quantile(self.integrals.mean(axis=1), 0.95, axis=1)
        edges = (self.integrals[:, :, :_EDGE_PX].mean(axis=(1, 2)), self.integrals[:, :, -_EDGE_PX:].mean(axis=(1, 2)))
        return np.maximum(*edges) < _WHOLE * highest

    @cached_property
    def profiles(self) -> Images:
        """Sums over the columns (n, r), without what is finer or coarser than is compared."""
        return self.band(np.ascontiguousarray(self.integrals.sum(axis=2)[:, :, None], np.float32))[:, :, 0]

    def band(self, images: Images) -> Images:
        """Images (n, r, c) of these pixels, without what is finer or coarser than is compared."""
        from scipy.ndimage import gaussian_filter1d

        ratio = self.bin[1] / self.bin[0]

        def smooth(size: float) -> Images:
            down = gaussian_filter1d(images, size * ratio, axis=1, mode="nearest", truncate=3.0)
            return np.asarray(gaussian_filter1d(down, size, axis=2, mode="nearest", truncate=3.0), np.float32)

        return smooth(self.low_px) - smooth(self.high_px)

    def expected(
        self, moved: NDArray[np.float64], axis: float, projector: Projector, *, every_second: bool = False
    ) -> Images | None:
        """What each view (or every second one, of a volume of the others) should show, banded; None where the volume
        has no two phases. moved (n, 2): how far the views lie off, in pixels of these images.
        """
        used, shown = (slice(0, None, 2), slice(1, None, 2)) if every_second else (slice(None), slice(None))
        straight = shifted(self.integrals[used], -moved[used, 1], 1)
        sinograms = np.ascontiguousarray(straight.transpose(1, 0, 2))
        method = FourierReconstruction(filter="hann", softening=0, threads=1)
        volume = method.reconstruct(sinograms, self.theta_deg[used], axis + moved[used, 0], 1.0)
        solid = two_phases(volume)
        return None if solid is None else self.band(projector.project(solid, self.theta_deg[shown]))

    def moved(self, images: Images, moved: NDArray[np.float64]) -> Images:
        """Images (n, r, c) put back by how far they lie off."""
        if not moved.any():
            return images
        return shifted(shifted(images, -moved[:, 1], 1), -moved[:, 0], 2)

    def mirrored(self, images: Images, axis: float) -> Images:
        """Images (m, r, c) seen from the other side of the axis."""
        turned = np.ascontiguousarray(images[:, :, ::-1])
        return shifted(turned, np.full(len(images), 2 * axis - (images.shape[2] - 1)), 2)


def shifted(images: Images, by_px: NDArray[np.float64], axis: int) -> Images:
    """(n, r, c) moved along an axis, each by its own part of a pixel or more, in Fourier space; edges are held."""
    if not by_px.any():
        return images
    import scipy.fft

    size = images.shape[axis]
    pad = _PAD_PX + int(np.ceil(np.abs(by_px).max()))
    widths = [(0, 0)] * 3
    widths[axis] = (pad, pad)
    wide = np.pad(images, widths, mode="edge")
    frequency = np.fft.rfftfreq(size + 2 * pad)
    shape = [1, 1, 1]
    shape[axis] = len(frequency)
    phase = np.exp(-2j * np.pi * frequency.reshape(shape) * by_px[:, None, None]).astype(np.complex64)
    spectrum = np.asarray(scipy.fft.rfft(wide, axis=axis)) * phase
    back = np.asarray(scipy.fft.irfft(spectrum, size + 2 * pad, axis=axis), np.float32)
    return np.ascontiguousarray(back[:, pad:-pad] if axis == 1 else back[:, :, pad:-pad])


def two_phases(volume: Images) -> Images | None:
    """A volume (z, y, x) told into particles and what is between them, as smooth as a voxel; None where it has not two
    phases.
    """
    side = volume.shape[1]
    line = np.arange(side) - (side - 1) / 2
    inside = line[:, None] ** 2 + line**2 <= (_WITHIN * side / 2) ** 2
    values = volume[:, inside]
    counts, edges = np.histogram(values, 256)
    middles = (edges[1:] + edges[:-1]) / 2
    below, mass = np.cumsum(counts), np.cumsum(counts * middles)
    above = below[-1] - below
    # Otsu 1979: the threshold that parts the means most.
    apart = (mass[-1] * below / below[-1] - mass) ** 2 / np.maximum(below * above, 1)
    at = int(np.argmax(apart[:-1]))
    low, high = mass[at] / below[at], (mass[-1] - mass[at]) / max(above[at], 1)
    threshold = middles[at]
    within = np.sqrt(np.mean((values - np.where(values > threshold, high, low)) ** 2))
    if not high - low > _PHASES_APART * within:
        return None
    solid = np.clip((volume - threshold) / (_SLOPE * (high - low)) + 0.5, 0, 1) * (high - low)
    return solid.astype(np.float32)
