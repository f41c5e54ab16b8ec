"""From counts to line integrals: references, dead pixels, zingers, drift of the beam, opaque pixels, rings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from threading import Lock
from typing import Annotated, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xrm_control.core.diagnostics import Diagnostic
from xrm_control.core.errors import DataError
from xrm_control.core.model import Spec
from xrm_control.reconstruction.averaging import REACH_PX, WANTED, CountNoise, average_few
from xrm_control.reconstruction.blocks import by_blocks
from xrm_control.reconstruction.references import References, make_references
from xrm_control.reconstruction.scan import ScanData, check_scan, refuse_bad_frames

Found = TypeVar("Found")

_NORMALISED_FLOOR = 1e-4  # where no counts are known
_ZINGER_EXCESS = 0.1  # of the beam: what is fainter does no harm
_BLOCK = 64  # views at a time
HALO_ROWS = 1 + REACH_PX
"""Rows beyond others that have a say in them: of zingers, and where few quanta are averaged."""
_FEW = 2**22  # pixels of views at a time: of so few the memory is used again


class PreprocessSpec(Spec):
    """How counts become line integrals."""

    zinger_sigmas: Annotated[float, Field(ge=3, le=1000)] | None = Field(
        default=8.0, description="A pixel brighter than all its neighbours by this many sigmas is replaced; null: off."
    )
    faint_quanta: Annotated[float, Field(ge=0, le=1_000_000)] = Field(
        default=8.0,
        description="Where few photons pass, pixels are averaged with their neighbours in the view, before the "
        "logarithm, so far that each ray stands on at least so many quanta; 0: off.",
    )
    air_margin_px: Annotated[int, Field(ge=0, le=100_000)] = Field(
        default=0, description="Outer columns on both sides that see air in every view, to follow the beam; 0: none."
    )
    apply_shifts: bool = Field(default=False, description="Move each view by the shifts stored with the scan, if any.")
    ring_window_px: Annotated[int, Field(ge=0, le=100_000)] = Field(
        default=0, description="Columns of the median filter that removes ring artefacts, 21 for instance; 0: off."
    )

    def diagnose(self, columns: int) -> Iterator[Diagnostic]:
        """Of frames with so many columns: the margins leave some of them, and so does the filter."""
        for name, width, most in (
            ("air_margin_px", self.air_margin_px, (columns - 1) // 2),
            ("ring_window_px", self.ring_window_px, columns // 2),
        ):
            if width > most:
                yield Diagnostic(
                    (f"reconstruction.preprocess.{name}",),
                    "is wider than half the frame: nothing of the sample would be left",
                    f"{width} pixels",
                    f"at most {most} of {columns} columns",
                    "0 switches it off",
                )


@dataclass(frozen=True)
class Transmission:
    """values (n, rows, columns) float32, zero or negative where noise is; floor (rows, columns): below is opaque.

    gain_counts, read_counts: of the camera, 0 for normalised data. zingers: how many pixels were replaced. dark_counts:
    noise of a pixel without beam: light that was taken off leaves some.
    """

    values: NDArray[np.float32]
    floor: NDArray[np.float32]
    gain_counts: float
    read_counts: float
    bad_pixels: int
    zingers: int
    saturated: int
    dark_counts: float = 0.0


def transmission(
    scan: ScanData,
    spec: PreprocessSpec | None = None,
    *,
    rows: slice = slice(None),
    views: NDArray[np.int64] | None = None,
    references: References | None = None,
    sideways: bool = True,
) -> Transmission:
    """Transmission of the chosen rows and views (default: all). Raises DataError, naming the view, for NaN.

    references: those of the whole detector, if they are made already (`references_of`). sideways: False leaves shifts
    along the rows to the reconstruction, which does without interpolation.
    """
    spec = spec or PreprocessSpec()
    check_scan(scan)
    views_all, rows_all, columns = scan.projections.shape
    chosen: NDArray[np.int64] = np.arange(views_all) if views is None else np.asarray(views)
    shape = (len(range(rows_all)[rows]), columns)
    if 0 in shape:
        raise DataError("no rows are left", where="rows", value=f"{rows.start} to {rows.stop}")
    references = references or references_of(scan)
    if references is not None:
        references = references.of_rows(rows)
    values = np.empty((len(chosen), *shape), np.float32)
    seen = _Seen(scan, spec, references, rows, sideways, Lock())

    def of_block(place: slice) -> tuple[int, int]:
        found = seen(chosen[place])
        values[place] = found.values
        return found.zingers, found.saturated

    counted = by_blocks(len(chosen), _BLOCK, of_block)
    zingers, saturated = sum(one for one, _ in counted), sum(one for _, one in counted)
    return _described(values, references, zingers, saturated)


def from_views(
    scan: ScanData,
    spec: PreprocessSpec,
    references: References | None,
    views: NDArray[np.int64],
    work: Callable[[Transmission], Found],
) -> list[Found]:
    """What `work` makes of the transmission of a few of the views at a time, in their order, shared out among the CPUs.

    references: those of the whole detector. For what is to be seen of views that would fill the memory together.
    """
    seen = _Seen(scan, spec, references, slice(None), sideways=True, reading=Lock())
    _, rows, columns = scan.projections.shape
    return by_blocks(len(views), min(_BLOCK, max(1, _FEW // (rows * columns))), lambda place: work(seen(views[place])))


@dataclass(frozen=True)
class _Seen:
    """Transmission of some views of a scan; references: of the same rows. See `transmission`."""

    scan: ScanData
    spec: PreprocessSpec
    references: References | None
    rows: slice
    sideways: bool
    reading: AbstractContextManager[Any]

    def __call__(self, views: NDArray[np.int64]) -> Transmission:
        scan, spec = self.scan, self.spec
        # Files are read by one thread at a time.
        with self.reading:
            counts = np.asarray(scan.projections[views, self.rows])
        light = None if scan.light is None or scan.flat_light is None else scan.light[views] / np.mean(scan.flat_light)
        found = transmission_of(
            counts, self.references, scan.time_s[views], spec, numbers=views, light=light, full_counts=scan.full_counts
        )
        if spec.apply_shifts and scan.shifts_px is not None:
            from scipy.ndimage import shift

            values = found.values
            for index, (right, down) in enumerate(np.asarray(scan.shifts_px)[views]):
                moved = (down if values.shape[1] > 3 else 0.0, right if self.sideways else 0.0)
                if any(moved):
                    values[index] = shift(values[index], moved, order=3, mode="nearest")
        return found


def transmission_of(
    counts: NDArray[Any],
    references: References | None,
    time_s: NDArray[np.floating],
    spec: PreprocessSpec,
    *,
    numbers: NDArray[np.int64] | None = None,
    light: NDArray[np.floating] | None = None,
    full_counts: float | None = None,
) -> Transmission:
    """Of some frames (n, rows, columns), exposed at time_s (n,); shifts are not applied.

    references: over the same rows, None for frames that are transmissions already. numbers: the frames' places in the
    scan, to name them. light (n,): exposure of each in that of the flats; None: the same. full_counts: of a saturated
    pixel; None: as the type tells. Raises DataError for NaN and
    infinity, and for margins that do not see air.
    """
    refuse_bad_frames(counts, "projections", numbers)
    saturated = 0
    if full_counts is None and np.issubdtype(counts.dtype, np.unsignedinteger):
        full_counts = float(np.iinfo(counts.dtype).max)
    if full_counts is not None:
        saturated = int(np.count_nonzero(counts == full_counts))
    values = counts.astype(np.float32)
    if references is not None:
        _normalise(values, references, time_s)
        if light is not None:
            values /= np.asarray(light, np.float32)[:, None, None]
    zingers = 0 if spec.zinger_sigmas is None else _remove_zingers(values, spec.zinger_sigmas, references)
    if spec.air_margin_px:
        _follow_air(values, spec.air_margin_px)
    return _described(values, references, zingers, saturated)


def _described(
    values: NDArray[np.float32], references: References | None, zingers: int, saturated: int
) -> Transmission:
    return Transmission(
        values=values,
        floor=_floor(references, values.shape[1:]),
        gain_counts=references.gain_counts if references else 0.0,
        read_counts=references.read_counts if references else 0.0,
        bad_pixels=int(references.bad.sum()) if references else 0,
        zingers=zingers,
        saturated=saturated,
        dark_counts=_dark_counts(references) if references else 0.0,
    )


def references_of(scan: ScanData) -> References | None:
    """Of the whole detector; None for projections that are transmissions already."""
    if scan.normalised:
        return None
    light = scan.flat_light if scan.light is not None else None
    made = make_references(scan.flats, scan.flat_time_s, scan.darks, scan.time_s, light)
    if scan.stray is None:
        return made
    # The light that was taken off has left its noise, where no beam came as well.
    return replace(made, taken_counts=scan.stray.taken_counts)


@dataclass(frozen=True)
class LineIntegrals:
    """sinograms (rows, n, columns) float32. averaged (n, rows, 2): how many pixels of each row were averaged, because
    few photons passed, and the sum of their windows' full widths at half maximum, in pixels.
    """

    sinograms: NDArray[np.float32]
    averaged: NDArray[np.float64]


def line_integrals(transmitted: Transmission, spec: PreprocessSpec | None = None) -> LineIntegrals:
    """-ln of transmissions; opaque pixels take the floor, and pixels of few quanta are averaged (`averaging`)."""
    spec = spec or PreprocessSpec()
    values, floor = transmitted.values, transmitted.floor
    sinograms = np.empty((values.shape[1], len(values), values.shape[2]), np.float32)
    averaged = np.zeros((*values.shape[:2], 2))
    noise = CountNoise.of(transmitted.gain_counts, transmitted.dark_counts)
    # Of transmissions nobody knows of how many quanta they are.
    counted = bool(spec.faint_quanta) and _quantum(transmitted) > 0
    wanted = WANTED * spec.faint_quanta
    # The floor is half a quantum.
    beam = np.float32(0.5 * _quantum(transmitted)) / floor

    def of_block(block: slice) -> None:
        own = sinograms[:, block]
        if counted:
            average_few(values[block], beam, floor, noise, wanted, own, averaged[block])
        else:
            np.maximum(values[block].transpose(1, 0, 2), floor[:, None], out=own)
        np.log(own, out=own)
        np.negative(own, out=own)

    by_blocks(len(values), _BLOCK, of_block)
    if spec.ring_window_px:
        for sinogram in sinograms:
            remove_rings(sinogram, spec.ring_window_px)
    return LineIntegrals(sinograms, averaged)


def remove_rings(sinogram: NDArray[np.float32], window_px: int) -> None:
    """Remove stripes from one sinogram (n, columns) in place, and so rings from the slice.

    Each column's values are sorted; a stripe offsets a whole column's distribution against its neighbours', which
    a median across columns takes out; the order is restored. After Vo et al. 2018, doi 10.1364/OE.26.028396.
    """
    from scipy.ndimage import median_filter

    order = np.argsort(sinogram, axis=0, kind="stable")
    ranked = median_filter(np.take_along_axis(sinogram, order, axis=0), size=(1, window_px), mode="reflect")
    np.put_along_axis(sinogram, order, ranked, axis=0)


def _normalise(counts: NDArray[np.float32], references: References, time_s: NDArray[np.floating]) -> None:
    counts -= references.dark
    for frame, moment in zip(counts, time_s, strict=True):
        frame /= references.beam_at(float(moment))
    _bridge(counts, references.bad)


def _bridge(frames: NDArray[np.float32], bad: NDArray[np.bool_]) -> None:
    """Fill bad pixels (rows, columns) of all frames linearly from the nearest sound ones of their row."""
    for row in np.flatnonzero(bad.any(axis=1)):
        sound = np.flatnonzero(~bad[row])
        if not sound.size:
            raise DataError("a whole detector row is dead", where=f"row {int(row)}", remedy="leave the row out")
        holes = np.flatnonzero(bad[row])
        right = np.clip(np.searchsorted(sound, holes), 0, len(sound) - 1)
        left = np.clip(right - 1, 0, None)
        left = np.where(sound[right] < holes, right, left)
        span = np.maximum(sound[right] - sound[left], 1)
        share = np.clip((holes - sound[left]) / span, 0, 1).astype(np.float32)
        frames[:, row, holes] = frames[:, row, sound[left]] * (1 - share) + frames[:, row, sound[right]] * share


def _remove_zingers(frames: NDArray[np.float32], sigmas: float, references: References | None) -> int:
    """Replace pixels far brighter than all eight neighbours by the neighbours' median; returns how many.

    Edges, and bright gaps between particles, have bright neighbours and stay as they are.
    """
    from scipy.ndimage import median_filter

    from xrm_control.reconstruction.preprocess_kernels import stands_out

    if min(frames.shape[1:]) < 2:
        return 0
    beam, gain, dark = np.ones(frames.shape[1:], np.float32), 0.0, 0.0
    if references is not None:
        beam, gain = references.mean_beam, references.gain_counts
        dark = references.read_counts**2 + gain * references.taken_counts
    found = np.zeros(frames.shape, bool)
    noise = (np.float32(gain), np.float32(dark))
    count = stands_out(frames, beam, noise, np.float32(sigmas), np.float32(_ZINGER_EXCESS), found)
    if count:
        ring = np.ones((3, 3), bool)
        ring[1, 1] = False
        for view in np.flatnonzero(found.any(axis=(1, 2))):
            smooth = median_filter(frames[view], footprint=ring, mode="mirror")
            frames[view][found[view]] = smooth[found[view]]
    return int(count)


def _follow_air(values: NDArray[np.float32], margin_px: int) -> None:
    """Scale each view so that the air on both sides transmits 1, linearly across."""
    columns = values.shape[2]
    if 2 * margin_px >= columns:
        raise DataError("the air margins leave no sample", where="air_margin_px", value=margin_px, limit=columns // 2)
    left = np.median(values[:, :, :margin_px], axis=(1, 2))
    right = np.median(values[:, :, -margin_px:], axis=(1, 2))
    dark = np.flatnonzero(np.minimum(left, right) < 0.5)
    if dark.size:
        raise DataError(
            "the margins do not see air", where=f"air_margin_px, view {int(dark[0])}", remedy="set air_margin_px to 0"
        )
    place = (np.arange(columns) - (margin_px - 1) / 2) / (columns - margin_px)
    values /= (left[:, None] + (right - left)[:, None] * place).astype(np.float32)[:, None, :]


def _floor(references: References | None, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Half a quantum of beam (of read noise, if that is more): what the logarithm of no count stands for."""
    if references is None or _quantum(references) <= 0:
        return np.full(shape, _NORMALISED_FLOOR, np.float32)
    return (0.5 * _quantum(references) / references.mean_beam).astype(np.float32)


def _quantum(camera: References | Transmission) -> float:
    return max(camera.read_counts, camera.gain_counts)


def _dark_counts(references: References) -> float:
    return float(np.hypot(references.read_counts, np.sqrt(references.gain_counts * references.taken_counts)))
