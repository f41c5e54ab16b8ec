"""Half acquisition: how far the rotation axis may be kept off the middle of the field, and what goes with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xrm_control.acquisition.tomography import TomographySpec
from xrm_control.core.diagnostics import Diagnostic
from xrm_control.devices.protocols import CameraDescription

_FIELDS = ("scan.axis_offset_um",)
# Two opposite views are joined, and the axis is found, where both see the same: so many columns of it.
_LEAST_COMMON_PX = 24
# How far an axis may be imaged beside where it should, as instruments are aligned.
_ALIGNED_UM = 3.0
# Below, opposite views see much the same, and are taken for a plain full turn.
_LEAST_SHARE = 0.2


def most_offset_um(camera: CameraDescription, binning: int) -> float:
    """The farthest at which opposite views still have 24 columns in common, the axis being aligned within 3 um."""
    common_um = _LEAST_COMMON_PX * camera.binned_pixel_um(binning)
    return (camera.field_of_view_um - common_um) / 2 - _ALIGNED_UM


def diagnose_offset(scan: TomographySpec, camera: CameraDescription) -> Iterator[Diagnostic]:
    """Of an axis that is kept off the middle: a full turn, and opposite views that overlap."""
    offset_um = scan.axis_offset_um
    if not offset_um:
        return
    least, most = _LEAST_SHARE * camera.field_of_view_um, most_offset_um(camera, scan.binning)
    if not least <= abs(offset_um) <= most:
        too_far = abs(offset_um) > most
        yield Diagnostic(
            _FIELDS,
            "opposite views would hardly overlap: they could not be joined" if too_far else
            "opposite views would see much the same: a plain full turn, which costs twice the time",
            f"{offset_um:g} um",
            f"{least:.3g} to {most:.3g} um to either side, at binning {scan.binning}",
            f"{most:.3g} um makes a field of {camera.field_of_view_um + 2 * most:.4g} um; 0 for a plain scan",
        )  # fmt: skip
    covered = scan.end_deg - scan.start_deg
    step = covered / max(scan.projection_count(camera) - 1, 1)
    if covered + 1.5 * step < 360 or covered > 360 + step:
        yield Diagnostic(
            ("scan.end_deg", "scan.start_deg", "scan.axis_offset_um"),
            "half acquisition needs a full turn: the other half of the field is seen from the other side",
            f"{scan.start_deg:g} to {scan.end_deg:g} degrees, {covered:g} in all",
            "360 degrees",
            "start_deg: 0, end_deg: 360 where the rotation goes so far, or axis_offset_um: 0",
        )


def diagnose_apart(
    scan: TomographySpec, places: int | Sequence[tuple[float, float, float]], camera: CameraDescription
) -> Iterator[Diagnostic]:
    """Of regions whose volumes are wider than their windows: none is measured twice."""
    if not scan.axis_offset_um:
        return
    wide_um, high_um = scan.width_um(camera), camera.field_of_view_um
    if isinstance(places, int):
        if places > 1:
            yield Diagnostic(
                ("roi.count", "roi", "scan.axis_offset_um"),
                "the volumes are wider than the windows: regions side by side would hold the same particles twice",
                f"{places} regions of {wide_um:.4g} um",
                "one region, or places that are named",
                f"count: 1, or roi.kind: manual with places {wide_um:.4g} um apart in x or {high_um:.4g} in y",
            )
        return
    for number, one in enumerate(places):
        for other in places[:number]:
            apart_x, apart_y = abs(one[0] - other[0]), abs(one[1] - other[1])
            if apart_x < wide_um * (1 - 1e-9) and apart_y < high_um * (1 - 1e-9):
                yield Diagnostic(
                    ("roi", "scan.axis_offset_um"),
                    "two volumes overlap: particles would be counted twice",
                    f"{apart_x:g} um apart in x, {apart_y:g} in y",
                    f"{wide_um:.4g} um in x or {high_um:.4g} um in y",
                    "move one of them, or leave it out",
                )
                return
