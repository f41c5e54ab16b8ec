"""What the checks look at: a region's frames, volume, tables and figures, each read and prepared once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from xrm_control.contracts.quality import QualityMetrics
from xrm_control.contracts.rois import MosaicRecord, RoiRecord
from xrm_control.contracts.rows import Rows
from xrm_control.contracts.tables import Particle
from xrm_control.core.sample import SampleSpec
from xrm_control.reconstruction.blocks import by_blocks, smaller
from xrm_control.reconstruction.filters import all_banded, medians_of_nine
from xrm_control.reconstruction.half_acquisition import is_full_turn
from xrm_control.reconstruction.pipeline import ReconstructionSpec
from xrm_control.reconstruction.preprocess import Transmission, from_views, references_of
from xrm_control.reconstruction.projecting import Projector
from xrm_control.reconstruction.references import References
from xrm_control.reconstruction.scan import ScanData
from xrm_control.reconstruction.tilt import levelled
from xrm_control.storage.formats.planes_on_disk import AnyVolume

_MOST_VIEWS = 256  # of half a turn
_MOST_COLUMNS = 256
_SAMPLE = 2**19  # pixels, to tell the noise from
_IN_MATTER, _OPAQUE = 0.9, 0.02  # transmission
_DARK = 0.1
_PROJECTED = 48

Images = NDArray[np.float32]
_Found = TypeVar("_Found")


class Slabs:
    """A volume (z, y, x) in parts along z, left where they are; some planes of it at a time."""

    def __init__(self, parts: Sequence[AnyVolume]) -> None:
        self._parts = parts
        self._ends = np.cumsum([len(part) for part in parts])
        self.shape = (int(self._ends[-1]), *parts[0].shape[1:])

    def planes(self, first: int, end: int) -> NDArray[Any]:
        """Those from `first` to below `end`."""
        starts = self._ends - [len(part) for part in self._parts]
        cuts = zip(self._parts, starts, self._ends, strict=True)
        return np.concatenate(
            [part[max(first - start, 0) : end - start] for part, start, stop in cuts if start < end and stop > first]
        )


@dataclass(frozen=True)
class Looks:
    """Transmission of some views, made small, and what single pixels say before that.

    images (m, r, c): means of `bin` x `bin` pixels; views (m,): their numbers; starved, bright (m,): shares of pixels
    that fewer than `STARVED_QUANTA` passed, and that are brighter than the beam by more than noise and drift explain;
    lone (m,): of the latter, pixels beside which hardly one is as bright.
    """

    images: Images
    views: NDArray[np.int64]
    starved: NDArray[np.float64]
    bright: NDArray[np.float64]
    lone: NDArray[np.float64]
    bin: int


@dataclass(frozen=True)
class Reprojection:
    """Projections of the volume. chosen (m,): views of `looks`; images (m, r, c): banded as `RegionEvidence.banded`."""

    chosen: NDArray[np.int64]
    images: Images


STARVED_QUANTA = 8.0
_FEW, _HITS = 0.05, 1e-4  # of the pixels: bright ones that may be hits, and that are
BRIGHT_EXCESS, BRIGHT_SIGMAS = 0.02, 5.0
BAND_LOW_PX, BAND_HIGH_PX = 1.0, 6.0


@dataclass(frozen=True)
class RegionEvidence:
    """One region. scan: its frames, views sorted by angle; volume, labels, phases: (z, y, x); labels and phases None
    where the analysis core writes none; particles: None where nothing was measured; roi, mosaic: None without mosaic;
    useful_diameter_um: what the recipe wants to see whole; margin_um: rim of the window that did not count when the
    region was chosen; counts_per_photon: of the camera, as the instrument states it, None where it does not;
    own_tables: whether the tables are this program's, which leaves out what moved.
    """

    scan: ScanData
    spec: ReconstructionSpec
    quality: QualityMetrics
    particles: Rows | None
    volume: NDArray[Any] | Slabs | None
    labels: NDArray[Any] | None
    phases: NDArray[Any] | None
    roi: RoiRecord | None
    mosaic: MosaicRecord | None
    sample: SampleSpec
    energy_kev: float
    field_um: float
    useful_diameter_um: float
    margin_um: float = 0.0
    counts_per_photon: float | None = None
    own_tables: bool = True

    @cached_property
    def _found(self) -> dict[Callable[[RegionEvidence], Any], Any]:
        return {}

    def once(self, find: Callable[[RegionEvidence], _Found]) -> _Found:
        """What `find` says of this region; asked again, the same."""
        if find not in self._found:
            self._found[find] = find(self)
        return self._found[find]

    @cached_property
    def theta_deg(self) -> NDArray[np.float64]:
        """Of all views."""
        return np.asarray(self.scan.theta_deg, float)

    @cached_property
    def references(self) -> References | None:
        """As the reconstruction has made them."""
        return references_of(self.scan)

    @cached_property
    def axis_px(self) -> float:
        """Detector column of the rotation axis; the middle where it is not known."""
        stated = self.quality.rotation_axis_px
        return (self.scan.projections.shape[2] - 1) / 2 if stated is None else stated

    def straight(self, values: Images) -> Images:
        """Views (n, rows, columns) turned back as the reconstruction has turned them."""
        tilt_deg = self.quality.detector_tilt_deg
        return levelled(values, tilt_deg) if tilt_deg else values

    @cached_property
    def looks(self) -> Looks:
        """All views of a small scan, every second or so of a large one."""
        count, rows, columns = self.scan.projections.shape
        # In even steps: what changes from view to view is compared.
        most = _MOST_VIEWS * (2 if is_full_turn(self.theta_deg) else 1)
        chosen = np.arange(0, count, -(-count // most), dtype=np.int64)
        size = min(-(-columns // _MOST_COLUMNS), rows)
        references = self.references
        sound = None if references is None or not references.bad.any() else ~references.bad

        def pixels(values: NDArray[Any]) -> NDArray[Any]:
            return values.reshape(*values.shape[:-2], -1) if sound is None else values[..., sound]

        beam = noise = None
        gain = 1.0
        if references is not None:
            beam, flats = pixels(references.mean_beam), max(len(self.scan.flats), 1)
            gain, read = references.gain_counts, references.read_counts
            # Of a transmission near 1, its own noise and that of the flats.
            noise = np.sqrt((gain * beam + read**2) * (1 + 1 / flats)) / beam
        least = np.float32(1e-3) if beam is None else STARVED_QUANTA * max(gain, 1e-9) / beam

        def look(seen: Transmission) -> tuple[Images, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
            values = pixels(seen.values)
            starved = (values < least).mean(axis=1)
            # Where no flat was repeated the camera's noise is not known; neighbours tell.
            step = max(1, values.size // _SAMPLE)
            spread = 1.4826 * float(np.median(np.abs(values[:, 1::step] - values[:, :-1:step]))) / 2**0.5
            limit = 1 + BRIGHT_EXCESS + BRIGHT_SIGMAS * np.maximum(0.0 if noise is None else noise, spread)
            bright = values > limit
            alone = np.zeros(len(values))
            if 0 < bright.mean() < _FEW:
                # What is bright over more than a few pixels is bright in the median of nine, too.
                around = medians_of_nine(seen.values)
                alone = (bright & (pixels(around) <= 1 + BRIGHT_EXCESS)).mean(axis=1)
                if alone.mean() > _HITS:
                    # Hits that were left tell nothing of what views show.
                    hit = seen.values > around + BRIGHT_EXCESS + BRIGHT_SIGMAS * spread
                    seen = replace(seen, values=np.where(hit, around, seen.values))
            return smaller(self.straight(seen.values), size, size), starved, bright.mean(axis=1), alone

        found = from_views(self.scan, self.spec.preprocess, references, chosen, look)
        images, starved, bright, alone = zip(*found, strict=True)
        starved, bright, alone = (np.concatenate(one) for one in (starved, bright, alone))
        return Looks(np.concatenate(images), chosen, starved, bright, alone, size)

    @cached_property
    def integrals(self) -> Images:
        """-ln T of `looks`."""
        return -np.log(np.maximum(self.looks.images, 1e-3)).astype(np.float32)

    @cached_property
    def left_of_stray(self) -> float | None:
        """Relative standard uncertainty of mu that the light leaves which was taken off; None where none was."""
        stray = self.scan.stray
        return None if stray is None else stray.u_mu(*self.leverage())

    def leverage(self, views: NDArray[np.int64] | None = None) -> tuple[float, float]:
        """By what even and spread light, as shares of the beam and of a pixel's light, lower mu: means over the rays in
        matter of 1 / T, and of the view's mean over T. views: of `looks`; None: all.
        """
        images = self.looks.images if views is None else self.looks.images[views]
        thick = (images < _IN_MATTER) & (images > _OPAQUE)
        if not thick.any():
            return 1.0, 1.0
        around = np.broadcast_to(images.mean(axis=(1, 2), keepdims=True), images.shape)
        return float((1 / images[thick]).mean()), float((around[thick] / images[thick]).mean())

    @cached_property
    def banded(self) -> Images:
        """`integrals` without noise, and without what varies slowly: tape, beam, and matter beyond the field."""
        return all_banded(self.integrals, BAND_LOW_PX, BAND_HIGH_PX)

    @cached_property
    def brightness(self) -> NDArray[np.floating]:
        """Of each view of `looks` where it is dark: low where it sees much that the volume does not hold. Means would
        not do: a view along the strip shows much air, and the strip all the darker.
        """
        return np.quantile(self.looks.images, _DARK, axis=(1, 2))

    @cached_property
    def reprojected(self) -> Reprojection | None:
        """Of 48 of the brighter half of the views; None without a volume over all rows."""
        volume = self.small_volume
        if volume is None:
            return None
        candidates = np.flatnonzero(self.brightness >= np.median(self.brightness))
        count = len(candidates)
        chosen = candidates[np.unique(np.linspace(0, count - 1, min(count, _PROJECTED)).round().astype(int))]
        return Reprojection(chosen, self.projections(volume, chosen))

    def projections(self, volume: Images, chosen: NDArray[np.int64]) -> Images:
        """Of a volume at the pixel of `looks`, along the rays of some of its views, banded."""
        pixel_um = np.float32(self.scan.pixel_size_um * self.looks.bin)
        images = self.projector.project(volume, self.theta_deg[self.looks.views[chosen]]) * pixel_um
        return all_banded(images, BAND_LOW_PX, BAND_HIGH_PX)

    @cached_property
    def noise_variance(self) -> Images | None:
        """Of `integrals`, pixel by pixel, as photons and camera make it; None without flats."""
        return None if self.references is None else noise_variance(self.references, self.looks.images, self.looks.bin)

    @cached_property
    def whole(self) -> Rows | None:
        """Particles that the field does not cut."""
        return (
            None if self.particles is None else self.particles.where(~self.particles.flags(Particle.touches_boundary))
        )

    @cached_property
    def small_volume(self) -> Images | None:
        """The volume at the pixel of `looks`, over the rows of the detector; None where rows were left out."""
        if self.volume is None or self.volume.shape[0] != self.scan.projections.shape[1]:
            return None
        return _binned(self.volume, self.looks.bin)

    @cached_property
    def small_solid(self) -> Images | None:
        """Share of particles in the voxels of `small_volume`; None without labels, or where rows were left out."""
        if self.labels is None or self.labels.shape[0] != self.scan.projections.shape[1]:
            return None
        solid = np.asarray(self.labels) > 0
        if self.phases is not None:
            solid &= np.asarray(self.phases) == 1
        return _binned(solid, self.looks.bin)

    @cached_property
    def projector(self) -> Projector:
        """Along the rays of `looks`, through volumes of its pixel."""
        size, columns = self.looks.bin, self.scan.projections.shape[2]
        side = columns if self.volume is None else self.volume.shape[2]
        # In means of pixels; what is left over at the end is dropped, and the middle stays where it is.
        axis_px, middle_px = ((place + 0.5) / size - 0.5 for place in (self.axis_px, (side - 1) / 2))
        return Projector(side // size, axis_px, columns // size, middle_px)


def noise_variance(references: References, seen: Images, size: int = 1) -> Images:
    """Of -ln of transmissions (n, rows, columns) that are means of size x size pixels.

    Of fewer than `STARVED_QUANTA` the logarithm makes no more: they are averaged with their neighbours.
    """
    beam = smaller(references.mean_beam[None], size, size)[0]
    bad = smaller(references.bad[None].astype(np.float32), size, size)[0] > 0
    # What bad pixels show is their neighbours'.
    beam = np.where(bad, np.float32(np.median(beam)), beam)
    gain, read = references.gain_counts, references.read_counts
    counts = np.maximum(seen * beam, np.float32(STARVED_QUANTA * max(gain, 1e-9)))
    return np.asarray((gain * (counts + references.taken_counts) + read**2) / (counts * size) ** 2, np.float32)


def _binned(volume: NDArray[Any] | Slabs, size: int) -> Images:
    whole = volume if isinstance(volume, Slabs) else Slabs([volume])
    if size == 1:
        return np.asarray(whole.planes(0, whole.shape[0]), np.float32)

    def slab(place: slice) -> Images:
        planes = np.asarray(whole.planes(place.start * size, place.stop * size), np.float32)
        return smaller(planes, size, size).mean(axis=0, dtype=np.float32)[None]

    return np.concatenate(by_blocks(whole.shape[0] // size, 1, slab))
