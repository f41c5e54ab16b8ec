"""How a scan is reconstructed: the recipe's section, what it costs and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from xrm_control.core.cost import Cost
from xrm_control.core.diagnostics import Diagnostic, collected
from xrm_control.core.errors import DataError, RecipeError
from xrm_control.core.model import Spec
from xrm_control.core.states import Level
from xrm_control.reconstruction.gridding_layout import ROWS
from xrm_control.reconstruction.methods.fourier import FourierReconstruction
from xrm_control.reconstruction.preprocess import HALO_ROWS, PreprocessSpec
from xrm_control.reconstruction.reconstructor import RECONSTRUCTORS, Reconstructor

# What an allocator holds beyond what is asked of it.
_ALLOCATED = 1.6
# Memory for each pixel of line integrals of what is read at once: a file of packed frames is unpacked whole for each
# part. By whatever method, so that parts stay the same.
_PART_BYTES_PER_PIXEL = 80
_PART_SHARE = 4
# How far beside the middle an instrument may image its axis.
_ALIGNED_SHARE = 0.1


class ReconstructionSpec(Spec):
    """How a scan is reconstructed; the recipe's `reconstruction` section."""

    method: Annotated[Reconstructor, RECONSTRUCTORS] = Field(default_factory=FourierReconstruction)
    rotation_axis: Literal["auto"] | float = Field(
        default="auto", description="auto, or the detector column of the axis (pixel centres at whole numbers)."
    )
    rows: tuple[int, int] | None = Field(
        default=None, description="First and one past the last detector row to reconstruct; null: all."
    )
    half_acquisition: Literal["auto"] | bool = Field(
        default="auto",
        description="A full turn with the axis near an edge, put together to views of twice the width; auto: where the "
        "axis of a full turn lies far off the middle.",
    )
    detector_tilt_deg: Literal["auto"] | Annotated[float, Field(ge=-15, le=15)] = Field(
        default="auto",
        description="How far the detector is turned about the beam against the rotation axis, from rows to columns; "
        "auto: found from opposite views, and put right where it is sure and matters.",
    )
    known_tilt_deg: Annotated[float, Field(ge=-15, le=15)] | None = Field(
        default=None,
        description="The same as it was measured beforehand (`xrm calibrate`): taken where opposite views of a scan do "
        "not tell, and held against them where they do.",
    )
    motion: Literal["auto", "off"] = Field(
        default="auto",
        description="Views that lie beside where they should, as after run-out and drift; auto: found from the views, "
        "and put right where it is sure, matters, and lets views foretell others better.",
    )
    preprocess: PreprocessSpec = PreprocessSpec()
    memory_gb: float = Field(
        default=2.0, gt=0, le=1000, description="About what one worker may take; a large scan is made in parts."
    )

    @model_serializer(mode="wrap")
    def _as_before(self, said: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what is as it always was: recipes from before there was such a setting keep their hash."""
        content: dict[str, Any] = said(self)
        later = ("half_acquisition", "detector_tilt_deg", "motion")
        if self.known_tilt_deg is None:
            content.pop("known_tilt_deg", None)
        return {name: value for name, value in content.items() if name not in later or value != "auto"}

    def cost(self, shape: tuple[int, int, int], *, side: int | None = None, sixteen_bit: bool = False) -> Cost:
        """Of a scan of shape (views, rows, columns): the volume, float32, its parts meanwhile, and one worker's memory.

        side: columns of a slice, where they are more than the detector's.
        Raises as `parts_of`.
        """
        views, _, columns = shape
        parts = parts_of(self, shape)
        slice_bytes = 4 * max(columns, side or 0) ** 2
        rows = parts[-1][1] - parts[0][0]
        most = max(end - first for first, end in parts)
        slab = min(most, slab_rows(self, shape))
        working = self.method.working_bytes(slab, max(columns, side or 0))
        # Counts of a part with its halo are read at once, as 16 bit and float32; a slab of it is worked on.
        band = 6 * views * (most + 2 * HALO_ROWS) * columns
        return Cost(
            disk_bytes=rows * slice_bytes + sixteen_bit * rows * slice_bytes // 2,
            memory_bytes=int(
                _ALLOCATED
                * (self.method.bytes_per_pixel * views * slab * columns + working + band + most * slice_bytes)
            ),
        )

    def diagnose(
        self, shape: tuple[int, int], pixel_size_um: float, useful_diameter_um: float, axis_offset_um: float = 0.0
    ) -> Iterator[Diagnostic]:
        """Of frames of `shape` (rows, columns): slab and rotation axis must lie on the detector.

        axis_offset_um: how far right of the middle the axis is meant to be.
        """
        rows, columns = shape
        found: list[Diagnostic] = []
        with collected(found):
            self.rows_of(rows)
        yield from found
        yield from self.preprocess.diagnose(columns)
        if axis_offset_um and self.half_acquisition is False:
            yield Diagnostic(
                ("reconstruction.half_acquisition", "scan.axis_offset_um"),
                "each view shows one side of the region alone, and its opposite is not to be used",
                f"axis {axis_offset_um:g} um off the middle",
                "auto",
                "leave half_acquisition out, or scan with axis_offset_um: 0",
            )
        if self.rotation_axis == "auto":
            return
        if axis_offset_um:
            wanted = (columns - 1) / 2 + axis_offset_um / pixel_size_um
            if abs(self.rotation_axis - wanted) > _ALIGNED_SHARE * columns:
                yield Diagnostic(
                    ("reconstruction.rotation_axis", "scan.axis_offset_um"),
                    "the rotation axis is not where the scan keeps it",
                    f"column {self.rotation_axis:g} of {columns}",
                    f"about {wanted:.1f}, {axis_offset_um:g} um off the middle",
                    "columns count from 0 at the scan's binning; auto finds the axis",
                )
            return
        # The axis is in the field, and so is half the useful diameter at least on its shorter side.
        room_um = (min(self.rotation_axis, columns - 1 - self.rotation_axis) + 0.5) * pixel_size_um
        if not 0 <= self.rotation_axis <= columns - 1:
            yield Diagnostic.of(axis_off(self.rotation_axis, columns))
        elif room_um < useful_diameter_um / 2:
            hardly = room_um < useful_diameter_um / 4
            yield Diagnostic(
                ("reconstruction.rotation_axis", "scan.useful_diameter_um"),
                f"the rotation axis lies so near an edge that a disc of {2 * room_um:.3g} um is seen whole",
                f"column {self.rotation_axis:g} of {columns}",
                f"useful diameter {useful_diameter_um:g} um, the middle is column {(columns - 1) / 2:g}",
                "columns count from 0 at the scan's binning; auto finds the axis",
                Level.ERROR if hardly else Level.WARNING,
            )

    def rows_of(self, count: int) -> tuple[int, int]:
        """First and end row on a detector of `count` rows. Raises RecipeError for rows it does not have."""
        first, end = self.rows or (0, count)
        if not 0 <= first < end <= count:
            raise RecipeError(
                "the rows to reconstruct are not on the detector",
                where="reconstruction.rows",
                value=f"{first} to {end}",
                limit=f"0 to {count}",
                remedy="give the first row and one past the last, counted from 0 at the scan's binning"
                + (f"; [{end}, {first}] perhaps" if 0 <= end < first <= count else ""),
            )
        return first, end


def parts_of(spec: ReconstructionSpec, shape: tuple[int, int, int]) -> tuple[tuple[int, int], ...]:
    """The rows of a scan of shape (views, rows, columns) in parts: the same whoever works on them, so that the numbers
    are the same too. Raises DataError for an empty scan, RecipeError for rows that the detector does not have.
    """
    if 0 in shape:
        raise DataError("the scan is empty: (views, rows, columns)", where="projections", value=shape)
    rows = _PART_SHARE * _rows_within(spec, shape, _PART_BYTES_PER_PIXEL)
    return split_rows(spec.rows_of(shape[1]), _in_blocks(rows))


def axis_off(column: float, columns: int) -> RecipeError:
    return RecipeError(
        "the rotation axis is not on the detector",
        where="reconstruction.rotation_axis",
        value=column,
        limit=f"0 to {columns - 1}",
        remedy="columns count from 0 at the scan's binning; auto finds the axis",
    )


def slab_rows(spec: ReconstructionSpec, shape: tuple[int, int, int]) -> int:
    """How many rows of a scan of shape (views, rows, columns) are worked on at once."""
    return _in_blocks(_rows_within(spec, shape, spec.method.bytes_per_pixel))


def _rows_within(spec: ReconstructionSpec, shape: tuple[int, int, int], bytes_per_pixel: int) -> int:
    views, _, columns = shape
    return max(1, int(1e9 * spec.memory_gb / bytes_per_pixel) // (views * columns))


def _in_blocks(rows: int) -> int:
    """Slices are made `ROWS` together: what is left over costs as much as a whole block."""
    return rows if rows < ROWS else ROWS * round(rows / ROWS)


def split_rows(rows: tuple[int, int], size: int) -> tuple[tuple[int, int], ...]:
    return tuple((first, min(first + size, rows[1])) for first in range(rows[0], rows[1], size))
