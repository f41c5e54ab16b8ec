"""A scan becomes a volume: transmission, rotation axis, line integrals, reconstruction, and figures of quality.

`prepare` looks at the scan as a whole; `reconstruct_rows` makes a part of the volume, here or on another machine, in
any order; `reconstruct_scan` does all of it in memory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.core.origins import NOT_SAID, Origins
from xrm_control.reconstruction.half_acquisition import HalfAcquisition, half_acquisition, is_half_acquisition
from xrm_control.reconstruction.motion import Motion, motion_of
from xrm_control.reconstruction.preprocess import HALO_ROWS, PreprocessSpec, line_integrals, references_of, transmission
from xrm_control.reconstruction.quality import QualitySums
from xrm_control.reconstruction.reconstructor import AxisPx, angular_gaps
from xrm_control.reconstruction.references import References
from xrm_control.reconstruction.rotation_axis import (
    RotationAxis,
    find_rotation_axis,
    opposite_pairs,
    views_for_axis,
)
from xrm_control.reconstruction.scan import ScanData, check_scan
from xrm_control.reconstruction.spec import ReconstructionSpec, axis_off, parts_of, slab_rows, split_rows
from xrm_control.reconstruction.stray_light import StrayLight
from xrm_control.reconstruction.tilt import edge_rows, find_tilt, levelled, matters, reach_px
from xrm_control.reconstruction.warnings import collect_warnings, warn

_AS_CALIBRATED_DEG = 0.4
"""Beyond this, and three standard errors, the views say something else than the calibration."""


@dataclass(frozen=True)
class Prepared:
    """What every part needs to know of the whole. references: None for projections that are transmissions already;
    half: whether opposite views are put together. doubts: what was seen and could not be put right, in words. stray:
    light that was taken off. motion: of the views; None where nobody looked.
    """

    pixel_size_um: float
    axis: RotationAxis
    references: References | None
    half: bool = False
    doubts: tuple[str, ...] = ()
    stray: StrayLight | None = None
    motion: Motion | None = None

    @property
    def figures(self) -> dict[str, float]:
        """What of this belongs to the figures of quality, by name."""
        stray = {} if self.stray is None else self.stray.figures(self.pixel_size_um)
        return stray if self.motion is None else {**stray, **self.motion.figures}

    @property
    def shifts_px(self) -> tuple[tuple[float, float], ...]:
        """By how much each view was moved to the right and down, as found; empty where none was."""
        moved = None if self.motion is None else self.motion.to_apply_px
        return () if moved is None else tuple((float(right), float(down)) for right, down in moved)

    def as_arrays(self) -> dict[str, NDArray[Any]]:
        """For an .npz file; `from_arrays` leads back."""
        axis, references = self.axis, self.references
        content = {
            "pixel_size_um": np.array(self.pixel_size_um),
            "axis": np.array([axis.column_px, axis.uncertainty_px]),
            "tilt_deg": np.array(axis.tilt_deg),
            "doubts": np.array(self.doubts, np.str_),
            "pairs": np.array(axis.pairs, np.int64).reshape(-1, 2),
            "half": np.array(self.half),
        }
        content |= {} if self.stray is None else {"stray": self.stray.as_array()}
        content |= {} if self.motion is None else {f"motion_{n}": np.asarray(v) for n, v in vars(self.motion).items()}
        named = {field.name: getattr(references, field.name) for field in fields(References)} if references else {}
        return content | {name: np.asarray(value) for name, value in named.items()}

    @classmethod
    def from_arrays(cls, content: Mapping[str, NDArray[Any]]) -> Prepared:
        """What `as_arrays` gave. Raises KeyError for anything else."""
        pixel_um = float(content["pixel_size_um"])
        column_px, uncertainty_px = map(float, content["axis"])
        # Parts that were begun before there was such a thing are gone on with.
        half = "half" in content and bool(content["half"])
        tilt_deg = float(content["tilt_deg"]) if "tilt_deg" in content else 0.0
        doubts = tuple(str(one) for one in content.get("doubts", np.empty(0, np.str_)))
        pairs = tuple((int(one), int(other)) for one, other in content["pairs"])
        axis = RotationAxis(column_px, uncertainty_px, pairs, tilt_deg=tilt_deg)
        stray = StrayLight.from_array(content["stray"]) if "stray" in content else None
        motion = Motion.from_arrays(content) if "motion_shifts_px" in content else None
        if "dark" not in content:
            return cls(pixel_um, axis, None, half, doubts, stray, motion)
        return cls(
            pixel_um,
            axis,
            References(
                dark=content["dark"],
                beams=content["beams"],
                beam_time_s=content["beam_time_s"],
                bad=content["bad"],
                gain_counts=float(content["gain_counts"]),
                read_counts=float(content["read_counts"]),
                taken_counts=float(content["taken_counts"]) if "taken_counts" in content else 0.0,
            ),
            half,
            doubts,
            stray,
            motion,
        )


@dataclass(frozen=True)
class Reconstruction:
    """volume (rows, columns, columns) float32 in 1/um, [z, y, x], the rotation axis in the middle of y and x.

    rows: detector rows it covers. rotation_axis_px: absolute column. quality: figures by name. warnings: by the method.
    origins: where the scale and the angles are from, and what was left out. doubts: what the scan itself says against
    the volume, where that was looked at. shifts_px: by how much each view was moved to the right and down, as found;
    empty where none was.
    """

    volume: NDArray[np.float32]
    voxel_size_um: float
    rotation_axis_px: float
    rows: tuple[int, int]
    quality: dict[str, float]
    warnings: tuple[str, ...]
    origins: Origins = NOT_SAID
    doubts: tuple[str, ...] = ()
    shifts_px: tuple[tuple[float, float], ...] = ()


def prepare(scan: ScanData, spec: ReconstructionSpec) -> Prepared:
    """References and rotation axis. Raises DataError for data, RecipeError for what does not fit the detector."""
    check_scan(scan)
    _, count, columns = scan.projections.shape
    spec.rows_of(count)
    references, pixel_um = references_of(scan), float(scan.pixel_size_um)
    if spec.rotation_axis != "auto":
        if not 0 <= spec.rotation_axis <= columns - 1:
            raise axis_off(spec.rotation_axis, columns)
        tilt_deg, doubts = _tilt_beside_stated_axis(scan, spec, references)
        stated = RotationAxis(float(spec.rotation_axis), 0.0, (), tilt_deg=tilt_deg)
        prepared = Prepared(pixel_um, stated, references, _is_half(scan, spec, stated), doubts, scan.stray)
        return _with_motion(scan, spec, prepared)
    theta = np.asarray(scan.theta_deg, float)
    # All rows, whichever are wanted: a few say less about the axis than the whole detector does.
    views = views_for_axis(theta)
    seen = transmission(scan, spec.preprocess, views=views, references=references).values
    tilt_deg, doubts = _tilt(spec, seen, opposite_pairs(theta[views]))
    if tilt_deg:
        seen = levelled(seen, tilt_deg)
    axis = find_rotation_axis(seen, theta[views])
    if not axis.told:
        doubts = (
            *doubts,
            "rotation axis: opposite views show no more than noise; the middle of the detector is taken: state "
            "reconstruction.rotation_axis, or take a sample with more in it",
        )
    pairs = tuple((int(views[one]), int(views[other])) for one, other in axis.pairs)
    axis = replace(axis, pairs=pairs, tilt_deg=tilt_deg)
    prepared = Prepared(pixel_um, axis, references, _is_half(scan, spec, axis), doubts, scan.stray)
    return _with_motion(scan, spec, prepared)


def _with_motion(scan: ScanData, spec: ReconstructionSpec, prepared: Prepared) -> Prepared:
    """With the motion of the views, and the axis where it is when they are put right."""
    # About an axis that is stated wrong, views would be moved until they fit it.
    if spec.motion == "off" or spec.rotation_axis != "auto" or prepared.half or not prepared.axis.told:
        return prepared
    motion = motion_of(scan, spec.preprocess, prepared.references, prepared.axis)
    if motion is None:
        return prepared
    return replace(prepared, axis=motion.axis(prepared.axis), motion=motion)


def put_right(
    scan: ScanData, spec: PreprocessSpec, shifts_px: Sequence[tuple[float, float]]
) -> tuple[ScanData, PreprocessSpec]:
    """A scan whose views are moved by what was found as well as by what is stored with it, where that is wanted."""
    if not len(shifts_px):
        return scan, spec
    moved = np.array(shifts_px, float)
    if spec.apply_shifts and scan.shifts_px is not None:
        moved = moved + np.asarray(scan.shifts_px, float)
    return replace(scan, shifts_px=moved), spec.model_copy(update={"apply_shifts": True})


def _tilt(
    spec: ReconstructionSpec, seen: NDArray[np.float32], pairs: Sequence[tuple[int, int]]
) -> tuple[float, tuple[str, ...]]:
    """Degrees to be put right, and what is doubtful about them; seen: the transmissions that the pairs are among."""
    if spec.detector_tilt_deg != "auto":
        return float(spec.detector_tilt_deg), ()
    found, known = find_tilt(seen, pairs), spec.known_tilt_deg
    if known is not None and (found is None or not found.told):
        return (known if matters(known, seen.shape[1]) else 0.0), ()
    against = ()
    if known is not None and found is not None and abs(found.deg - known) > _AS_CALIBRATED_DEG + 3 * found.u_deg:
        against = (
            f"detector tilt: opposite views look turned by {found.text}, calibrated as {known:.2f} degrees; the views "
            "are believed: calibrate again, or look at who touched the camera",
        )
    if found is None or not found.matters:
        return 0.0, against
    if found.sure:
        return found.deg, against
    if not found.doubtful:
        return 0.0, against
    doubt = (
        f"detector tilt: opposite views look turned by {found.text}, which is not sure; nothing was put right: level "
        "the camera, or state reconstruction.detector_tilt_deg"
    )
    return 0.0, (*against, doubt)


def _tilt_beside_stated_axis(
    scan: ScanData, spec: ReconstructionSpec, references: References | None
) -> tuple[float, tuple[str, ...]]:
    theta = np.asarray(scan.theta_deg, float)
    try:
        pairs = opposite_pairs(theta)[:1]
    except DataError:
        pairs = []
    if spec.detector_tilt_deg != "auto" or not pairs:
        return _tilt(spec, np.empty((0, *scan.projections.shape[1:]), np.float32), ())
    views = np.array(pairs[0])
    seen = transmission(scan, spec.preprocess, views=views, references=references).values
    return _tilt(spec, seen, ((0, 1),))


def _is_half(scan: ScanData, spec: ReconstructionSpec, axis: RotationAxis) -> bool:
    """Whether opposite views are put together. Raises DataError where that was asked for and cannot be."""
    theta, columns = np.asarray(scan.theta_deg, float), scan.projections.shape[2]
    if spec.half_acquisition != "auto":
        if spec.half_acquisition:
            half_acquisition(theta, columns, axis.column_px)
        return spec.half_acquisition
    return is_half_acquisition(theta, columns, axis.column_px)


def side_of(scan: ScanData, prepared: Prepared) -> int:
    """Columns of a slice: those of the detector, or of the views that are put together."""
    columns = scan.projections.shape[2]
    if not prepared.half:
        return columns
    return half_acquisition(np.asarray(scan.theta_deg, float), columns, prepared.axis.column_px).width


def reconstruct_rows(
    scan: ScanData, spec: ReconstructionSpec, prepared: Prepared, rows: tuple[int, int]
) -> tuple[NDArray[np.float32], QualitySums]:
    """A part of the volume, (rows, columns, columns) in 1/um, and what its rows say; worked on in slabs.

    Raises DataError for settings that do not go with the scan, and for views that cannot be used.
    """
    scan, preprocess = put_right(scan, spec.preprocess, prepared.shifts_px)
    spec = spec.model_copy(update={"preprocess": preprocess})
    views, count, columns = scan.projections.shape
    theta_deg = np.asarray(scan.theta_deg, float)
    tilt_deg = prepared.axis.tilt_deg
    halo = _halo(spec, scan) + (reach_px(tilt_deg, count, columns) if tilt_deg else 0)
    axis_px: AxisPx = prepared.axis.column_px
    halves = half_acquisition(theta_deg, columns, prepared.axis.column_px) if prepared.half else None
    if spec.preprocess.apply_shifts and scan.shifts_px is not None:
        if halves is not None:
            raise DataError(
                "views of half acquisition cannot be shifted each for itself",
                where="preprocess.apply_shifts",
                remedy="set it to false",
            )
        # What is to be moved to the right has its axis further to the left.
        axis_px = axis_px if tilt_deg else axis_px - np.asarray(scan.shifts_px, float)[:, 0]
    read = max(0, rows[0] - halo), min(count, rows[1] + halo)
    band = _band(scan, read)
    references = prepared.references.of_rows(slice(*read)) if prepared.references else None
    side = columns if halves is None else halves.width
    volume = np.empty((rows[1] - rows[0], side, side), np.float32)
    metrics = []
    for first, end in split_rows(rows, slab_rows(spec, (views, count, columns))):
        low, high = max(read[0], first - halo), min(read[1], end + halo)
        outer = slice(low - read[0], high - read[0])
        transmitted = transmission(band, spec.preprocess, rows=outer, references=references, sideways=bool(tilt_deg))
        own = slice(first - low, end - low)
        found = QualitySums.of(transmitted, own)
        if tilt_deg:
            transmitted = replace(transmitted, values=levelled(transmitted.values, tilt_deg, first_row=low, rows=count))
        made = line_integrals(transmitted, spec.preprocess)
        found, sinograms = found.with_averaged(made.averaged[:, own]), made.sinograms
        del transmitted, made
        with collect_warnings() as said:
            _warn_of_geometry(theta_deg, halves)
            _warn_of_tilt(prepared, (count, columns))
            _warn_of_motion(prepared)
            if halves is None:
                sinograms, angles, axis = sinograms[own], theta_deg, axis_px
            else:
                sinograms, angles, axis = halves.widened(sinograms[own]), halves.theta_deg, (side - 1) / 2
            volume[first - rows[0] : end - rows[0]] = spec.method.reconstruct(
                sinograms, angles, axis, prepared.pixel_size_um
            )
        metrics.append(replace(found, warnings=tuple(said)))
    return volume, reduce(add, metrics)


def reconstruct_scan(scan: ScanData, spec: ReconstructionSpec | None = None) -> Reconstruction:
    """Reconstruct a scan, the volume in memory. Raises DataError for data, RecipeError for what does not fit."""
    spec = spec or ReconstructionSpec()
    prepared = prepare(scan, spec)
    views, count, columns = scan.projections.shape
    rows = spec.rows_of(count)
    side = side_of(scan, prepared)
    volume = np.empty((rows[1] - rows[0], side, side), np.float32)
    metrics = []
    for first, end in parts_of(spec, (views, count, columns)):
        part = slice(first - rows[0], end - rows[0])
        volume[part], found = reconstruct_rows(scan, spec, prepared, (first, end))
        metrics.append(found)
    whole = reduce(add, metrics)
    return Reconstruction(
        volume=volume,
        voxel_size_um=prepared.pixel_size_um,
        rotation_axis_px=prepared.axis.column_px,
        rows=rows,
        quality=whole.quality(prepared.axis, columns) | prepared.figures,
        warnings=whole.warnings,
        origins=scan.origins,
        shifts_px=prepared.shifts_px,
    )


def _warn_of_geometry(theta_deg: NDArray[np.float64], halves: HalfAcquisition | None) -> None:
    """Say what the angles cost, and that opposite views were put together."""
    if halves is not None:
        warn(
            f"half acquisition: {len(theta_deg)} views of {halves.columns} columns became {len(halves.first)} of "
            f"{halves.width}, {halves.overlap_px:.0f} columns seen twice"
        )
    gaps = angular_gaps(theta_deg if halves is None else halves.theta_deg)
    missing = sum(gap.missing_deg for gap in gaps)
    if missing:
        warn(
            f"limited angle: {missing:.0f} of 180 degrees have no view ({', '.join(gap.text for gap in gaps[:3])}); "
            "edges and voids along these directions are lost, and mu may be some percent off (least with cgls and tv)"
        )


def _warn_of_tilt(prepared: Prepared, shape: tuple[int, int]) -> None:
    """Say what was put right, and what could not be; shape: (rows, columns) of the detector."""
    for doubt in prepared.doubts:
        warn(doubt)
    tilt_deg = prepared.axis.tilt_deg
    if tilt_deg:
        cut = min(edge_rows(tilt_deg, shape[1]), shape[0] // 2)
        warn(
            f"detector tilt: turned back by {tilt_deg:.2f} degrees; of the {cut} uppermost and lowest rows of the "
            "detector a part was never seen, and what lies there is continued from the edge"
        )


def _warn_of_motion(prepared: Prepared) -> None:
    """Say that views were moved, and what is left."""
    motion = prepared.motion
    if motion is not None and motion.applied:
        warn(
            f"motion: views lay {motion.rms_px:.2f} px from where they should, root mean square, and were put right to "
            f"{motion.left_px:.2f} px"
        )


def _band(scan: ScanData, rows: tuple[int, int]) -> ScanData:
    """The scan over some rows, in memory."""
    part = slice(*rows)
    return replace(scan, projections=scan.projections[:, part], flats=scan.flats[:, part], darks=scan.darks[:, part])


def _halo(spec: ReconstructionSpec, scan: ScanData) -> int:
    """Rows beyond a slab that have a say in it: those of every view, and of vertical shifts their length."""
    if not spec.preprocess.apply_shifts or scan.shifts_px is None:
        return HALO_ROWS
    return 3 + HALO_ROWS + math.ceil(float(np.abs(np.asarray(scan.shifts_px)[:, 1]).max()))
