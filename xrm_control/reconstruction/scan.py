"""What a reconstruction starts from: the frames of one scan, with measured angles and times, and its references."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.core.origins import NOT_SAID, Origins
from xrm_control.reconstruction.stray_light import StrayLight

_LEAST_SPAN_DEG = 20.0


class Frames(Protocol):
    """Frames (n, rows, columns) in memory or on a disk: an array will do, and what is read when it is indexed.

    Indexed by views (a slice or numbers) and, after them, a slice of rows; the answer is an array in memory.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype: ...
    def __len__(self) -> int: ...
    def __getitem__(self, key: Any, /) -> Any: ...


class RecordedScan(Protocol):
    """What a file holds of a scan; any reader's result will do. Absent references have zero frames."""

    @property
    def source(self) -> str: ...
    @property
    def projections(self) -> Frames: ...
    @property
    def theta_deg(self) -> NDArray[Any]: ...
    @property
    def time_s(self) -> NDArray[Any]: ...
    @property
    def flats(self) -> NDArray[Any]: ...
    @property
    def flat_time_s(self) -> NDArray[Any]: ...
    @property
    def darks(self) -> NDArray[Any]: ...
    @property
    def pixel_size_um(self) -> float | None: ...
    @property
    def shifts_px(self) -> NDArray[Any] | None: ...
    @property
    def normalised(self) -> bool: ...
    @property
    def light(self) -> NDArray[Any] | None: ...
    @property
    def flat_light(self) -> NDArray[Any] | None: ...
    @property
    def origins(self) -> Origins: ...


@dataclass(frozen=True)
class RepeatedViews:
    """Views that were taken once more when the scan was over, and are no part of it.

    frames (r, rows, columns): counts; theta_deg (r,), time_s (r,): as of the projections.
    """

    frames: NDArray[Any]
    theta_deg: NDArray[Any]
    time_s: NDArray[Any]


@dataclass(frozen=True)
class ScanData:
    """One scan.

    projections (n, rows, columns), flats (f, rows, columns), darks (d, rows, columns): counts, any real dtype; the
    projections may be on a disk.
    theta_deg (n,): measured angles. time_s (n,) and flat_time_s (f,): when each frame was exposed.
    pixel_size_um: at the sample. shifts_px (n, 2): how far each view is to be moved (columns to the right, rows
    downwards) before use, or None. normalised: the projections are transmissions already and need no references.
    light (n,), flat_light (f,): exposure of each frame in one unit, whichever; None: the same for all, or not known.
    full_counts: of a saturated pixel, where the frames' type does not tell. stray: light that was taken off all frames,
    None where none was.
    origins: where scale and angles are from, and what was done to the data. repeated: None where no view was taken
    again.
    """

    projections: Frames
    theta_deg: NDArray[Any]
    time_s: NDArray[Any]
    flats: NDArray[Any]
    flat_time_s: NDArray[Any]
    darks: NDArray[Any]
    pixel_size_um: float
    shifts_px: NDArray[Any] | None = None
    normalised: bool = False
    light: NDArray[Any] | None = None
    flat_light: NDArray[Any] | None = None
    origins: Origins = NOT_SAID
    full_counts: float | None = None
    stray: StrayLight | None = None
    repeated: RepeatedViews | None = None

    @classmethod
    def of(
        cls,
        recorded: RecordedScan,
        *,
        pixel_size_um: float | None = None,
        flats: NDArray[Any] | None = None,
        darks: NDArray[Any] | None = None,
        assume_normalised: bool = False,
    ) -> ScanData:
        """Complete what a file holds with what the user knows.

        Raises DataError where the pixel size or the references are in neither.
        """
        pixel = pixel_size_um if pixel_size_um is not None else recorded.pixel_size_um
        if pixel is None:
            raise DataError(
                "the file does not say how large a pixel is", where=recorded.source, remedy="give the pixel size in um"
            )
        normalised = assume_normalised or recorded.normalised
        white = recorded.flats if flats is None else np.asarray(flats)
        if len(white) == 0 and not normalised:
            raise DataError(
                "no reference images (flats), so counts cannot become transmission",
                where=recorded.source,
                remedy="give a file with reference images, or say that the projections are normalised already",
            )
        known = recorded.light is not None and recorded.flat_light is not None and flats is None
        supplied = flats is not None or len(recorded.flat_time_s) != len(white)
        return cls(
            projections=recorded.projections,
            theta_deg=recorded.theta_deg,
            time_s=recorded.time_s,
            flats=white,
            flat_time_s=np.zeros(len(white)) if supplied else recorded.flat_time_s,
            darks=recorded.darks if darks is None else np.asarray(darks),
            pixel_size_um=float(pixel),
            shifts_px=recorded.shifts_px,
            normalised=normalised,
            light=recorded.light if known else None,
            flat_light=recorded.flat_light if known else None,
            origins=recorded.origins,
        )

    def without(
        self, views: Sequence[int] = (), flats: Sequence[int] = (), darks: Sequence[int] = (), notes: Sequence[str] = ()
    ) -> ScanData:
        """The same scan without some frames, by their numbers; notes: why."""
        origins = self.origins.noting(*notes)
        if not (len(views) or len(flats) or len(darks)):
            return replace(self, origins=origins)
        kept, white, black = (
            np.delete(np.arange(len(frames)), list(out)) if len(out) else np.arange(len(frames))
            for frames, out in ((self.projections, views), (self.flats, flats), (self.darks, darks))
        )
        return replace(
            self,
            projections=ChosenFrames(self.projections, kept) if len(views) else self.projections,
            theta_deg=np.asarray(self.theta_deg)[kept],
            time_s=np.asarray(self.time_s)[kept],
            shifts_px=None if self.shifts_px is None else np.asarray(self.shifts_px)[kept],
            light=None if self.light is None else np.asarray(self.light)[kept],
            flats=self.flats[white],
            flat_time_s=np.asarray(self.flat_time_s)[white],
            flat_light=None if self.flat_light is None else np.asarray(self.flat_light)[white],
            darks=self.darks[black],
            origins=origins,
        )


@dataclass(frozen=True)
class ChosenFrames:
    """Some of the frames (n, rows, columns), by their numbers, indexed as all of them are."""

    frames: Frames
    numbers: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, ...]:
        """(chosen, rows, columns)."""
        return (len(self.numbers), *self.frames.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """Of the frames."""
        return self.frames.dtype

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, key: Any) -> Any:
        views, *rest = key if isinstance(key, tuple) else (key,)
        return self.frames[(self.numbers[views], *rest)]


def _another_order(given: tuple[int, ...], shape: tuple[int, ...]) -> str | None:
    """What to do where another axis of the projections has as many as there are values."""
    if len(given) == 1 and given[0] in shape[1:]:
        axis = shape.index(given[0], 1)
        kind = "sinograms" if axis == 1 else "columns first"
        return f"axis {axis} of the projections has {given[0]}: give {kind} as (views, rows, columns)"
    return None


def check_scan(scan: ScanData) -> None:
    """Refuse a scan that cannot be reconstructed, naming the first fault. Raises DataError."""
    shape = tuple(scan.projections.shape)
    if len(shape) != 3 or 0 in shape:
        raise DataError("projections must be (views, rows, columns)", where="projections", value=shape)
    views = shape[0]
    for name, values in (("theta_deg", scan.theta_deg), ("time_s", scan.time_s)):
        if np.shape(values) != (views,):
            raise DataError(
                "one value per view is needed",
                where=name,
                value=np.shape(values),
                limit=f"({views},)",
                remedy=_another_order(np.shape(values), shape),
            )
        _refuse_not_finite(values, name)
    if np.unique(np.round(np.asarray(scan.theta_deg, float), 6)).size < 2:
        raise DataError("a reconstruction needs views at two angles or more", where="theta_deg", value=views)
    _refuse_narrow_range(np.asarray(scan.theta_deg, float))
    if not (np.isfinite(scan.pixel_size_um) and scan.pixel_size_um > 0):
        raise DataError("the pixel size must be positive", where="pixel_size_um", value=scan.pixel_size_um)
    for name, frames in (("flats", scan.flats), ("darks", scan.darks)):
        if np.ndim(frames) != 3 or (len(frames) and np.shape(frames)[1:] != shape[1:]):
            raise DataError(
                "reference frames must have the shape of the projections",
                where=name,
                value=np.shape(frames),
                limit=f"(any, {shape[1]}, {shape[2]})",
            )
        refuse_bad_frames(frames, name)
    if len(scan.flats) == 0 and not scan.normalised:
        raise DataError(
            "no reference images (flats), so counts cannot become transmission",
            where="flats",
            remedy="take flats, or say that the projections are normalised already",
        )
    if np.shape(scan.flat_time_s) != (len(scan.flats),):
        raise DataError(
            "one time per flat is needed", where="flat_time_s", value=np.shape(scan.flat_time_s), limit=len(scan.flats)
        )
    _refuse_not_finite(scan.flat_time_s, "flat_time_s")
    for name, light, count in (("light", scan.light, views), ("flat_light", scan.flat_light, len(scan.flats))):
        if light is not None and (np.shape(light) != (count,) or not np.all(np.asarray(light, float) > 0)):
            raise DataError("light above zero, one value per frame, is needed", where=name, value=np.shape(light))
    if scan.shifts_px is not None and (
        np.shape(scan.shifts_px) != (views, 2) or not np.all(np.isfinite(scan.shifts_px))
    ):
        raise DataError("shifts must be finite, (views, 2)", where="shifts_px", value=np.shape(scan.shifts_px))


def _refuse_narrow_range(theta_deg: NDArray[np.floating]) -> None:
    """So few degrees are no tomography; in another unit they may well be."""
    span = float(np.ptp(theta_deg))
    if span >= _LEAST_SPAN_DEG:
        return
    radians = np.degrees(span)
    like = (
        f"the angles look like radians, of {radians:.4g} degrees"
        if 60 <= radians <= 1000
        else "the angles hardly differ"
    )
    raise DataError(
        like,
        where="theta_deg",
        value=f"{len(theta_deg)} views within {span:.4g} degrees",
        limit=f"at least {_LEAST_SPAN_DEG:g} degrees",
        remedy="give them in degrees, or state the unit (--angle-unit rad, or units: radians in the file)",
    )


def refuse_bad_frames(frames: NDArray[Any], name: str, numbers: NDArray[np.int64] | None = None) -> None:
    """Raise DataError for the first frame with NaN or infinity; one such pixel would ruin a slice.

    numbers: the frames' places in the scan, where they are not 0, 1, 2 ...
    """
    if not np.issubdtype(frames.dtype, np.floating):
        return
    for index, frame in enumerate(frames):
        bad = int(frame.size - np.count_nonzero(np.isfinite(frame)))
        if bad:
            number = index if numbers is None else int(numbers[index])
            raise DataError(
                f"{bad} pixels are NaN or infinite",
                where=f"{name}, view {number}",
                remedy="retake the frame or leave it out of the scan",
            )


def _refuse_not_finite(values: NDArray[Any], name: str) -> None:
    bad = np.flatnonzero(~np.isfinite(np.asarray(values, float)))
    if bad.size:
        raise DataError("a value is not a finite number", where=f"{name}, index {bad[0]}")
