"""Measured against true: particles of a simulated run matched one to one with the specimen's own list."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from xrm_control.core.geometry import Pose, stage_to_volume

MIN_DIAMETER_UM = 6.0
# A match lies within a quarter of the true diameter, and its diameter within a quarter of the true one.
MAX_OFFSET = 0.25
MAX_SIZE_RATIO = 1.25
BORDER_VOXELS = 2.0
VOID_CLASSES_UM = (0.0, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, np.inf)
FAR = 1e6


@dataclass(frozen=True)
class Field:
    """The measured region of one ROI: stage position of its middle, volume shape (z, y, x), voxel size."""

    roi: str
    centre: Pose
    shape: tuple[int, int, int]
    voxel_um: float

    def holds(self, points_um: NDArray[np.float64], radii_um: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which spheres (volume frame, x, y, z in um) lie in the inscribed cylinder, two voxels from its border."""
        border = BORDER_VOXELS * self.voxel_um
        half_width = min(self.shape[1:]) / 2 * self.voxel_um - border
        half_height = self.shape[0] / 2 * self.voxel_um - border
        side = np.hypot(points_um[:, 0], points_um[:, 1]) + radii_um <= half_width
        return side & (np.abs(points_um[:, 2]) + radii_um <= half_height)


def match_truth(
    particles: Sequence[Mapping[str, Any]],
    voids: Sequence[Mapping[str, Any]],
    truth: Mapping[str, Any],
    fields: Sequence[Field],
    *,
    min_diameter_um: float = MIN_DIAMETER_UM,
) -> dict[str, Any]:
    """The `truth` entry of results.json for all ROIs: rows of particles.csv and voids.csv against truth.json.

    True particles of at least `min_diameter_um` that lie wholly in a ROI's cylinder are paired one to one with measured
    ones by position (Hungarian), within a quarter of the diameter in place and size; errors: (measured - true) / true.
    """
    pairs: list[dict[str, Any]] = []
    missed: list[dict[str, Any]] = []
    void_rows: list[tuple[float, bool, float]] = []
    for field in fields:
        rows = [row for row in particles if row["roi"] == field.roi]
        true, inside = _true_inside(truth["particles"], field)
        matched = _pairs(rows, true, inside)
        for index in np.flatnonzero(inside):
            item = true[index]
            if item["diameter_um"] < min_diameter_um:
                continue
            row = matched.get(int(index))
            if row is None:
                missed.append({"roi": field.roi, "true_id": item["id"], "true_diameter_um": item["diameter_um"]})
            else:
                pairs.append(_pair(field.roi, row, item))
        held = {true[index]["id"] for index in np.flatnonzero(inside)}
        void_rows += _void_rows([v for v in voids if v["roi"] == field.roi], truth.get("voids", []), held, field)
    count = len(pairs) + len(missed)
    return {
        "min_diameter_um": min_diameter_um,
        "n_true": count,
        "n_matched": len(pairs),
        "matched_fraction": len(pairs) / count if count else None,
        **_errors("diameter", pairs, "diameter_um"),
        **_errors("volume", pairs, "volume_um3"),
        **_errors("surface", [p for p in pairs if _has_surfaces(p)], "surface_area_um2"),
        "position_error_um_median": _median([p["offset_um"] for p in pairs]),
        "pairs": pairs,
        "missed": missed,
        "voids": _void_classes(void_rows),
    }


def rotation_axis_error_px(found_px: float, columns: int, true_offset_um: float, pixel_um: float) -> float:
    """Error of a found rotation axis (column of `columns`); the true one lies `true_offset_um` off the middle."""
    return found_px - ((columns - 1) / 2 + true_offset_um / pixel_um)


def _true_inside(items: Sequence[Mapping[str, Any]], field: Field) -> tuple[list[dict[str, Any]], NDArray[np.bool_]]:
    """All true particles near the field, in the volume frame, and which of them lie wholly in it."""
    stage = np.array([(p["x_um"], p["y_um"], p["z_um"]) for p in items], float).reshape(-1, 3)
    points = stage_to_volume(stage, field.centre)
    radii = np.array([p.get("radius_max_um", p["equivalent_diameter_um"] / 2) for p in items], float)
    reach = max(field.shape) * field.voxel_um
    near = [i for i in range(len(items)) if float(np.abs(points[i]).max()) < reach]
    true = [
        {
            "id": items[i]["id"],
            "place": points[i],
            "volume_um3": float(items[i]["volume_um3"]),
            "surface_area_um2": items[i].get("surface_area_um2"),
            "diameter_um": float((6 * items[i]["volume_um3"] / np.pi) ** (1 / 3)),
        }
        for i in near
    ]
    return true, field.holds(points[near], radii[near])


def _pairs(
    rows: Sequence[Mapping[str, Any]], true: Sequence[Mapping[str, Any]], inside: NDArray[np.bool_]
) -> dict[int, Mapping[str, Any]]:
    """Index of the true particle -> measured row. Particles cut by the border compete, so that none is taken twice."""
    if not rows or not true:
        return {}
    places = np.array([(float(r["x_um"]), float(r["y_um"]), float(r["z_um"])) for r in rows])
    found = np.array([float(r["equivalent_diameter_um"]) for r in rows])
    distance = np.linalg.norm(np.array([t["place"] for t in true])[:, None] - places, axis=2)
    diameter = np.array([t["diameter_um"] for t in true])
    ratio = found / diameter[:, None]
    fits = (ratio <= MAX_SIZE_RATIO) & (ratio >= 1 / MAX_SIZE_RATIO) | ~inside[:, None]
    cost = np.where((distance <= MAX_OFFSET * diameter[:, None]) & fits, distance / diameter[:, None], FAR)
    first, second = linear_sum_assignment(cost)
    return {int(i): rows[j] for i, j in zip(first, second, strict=True) if cost[i, j] < FAR and inside[i]}


def _pair(roi: str, row: Mapping[str, Any], true: Mapping[str, Any]) -> dict[str, Any]:
    place = np.array([float(row["x_um"]), float(row["y_um"]), float(row["z_um"])])
    return {
        "roi": roi,
        "particle_id": int(row["particle_id"]),
        "true_id": true["id"],
        "offset_um": float(np.linalg.norm(place - true["place"])),
        "diameter_um": float(row["equivalent_diameter_um"]),
        "true_diameter_um": true["diameter_um"],
        "volume_um3": float(row["volume_um3"]),
        "true_volume_um3": true["volume_um3"],
        "surface_area_um2": float(row.get("surface_area_um2", np.nan)),
        "true_surface_area_um2": true["surface_area_um2"],
    }


def _has_surfaces(pair: Mapping[str, Any]) -> bool:
    return bool(pair["true_surface_area_um2"]) and bool(np.isfinite(pair["surface_area_um2"]))


def _errors(name: str, pairs: Sequence[Mapping[str, Any]], key: str) -> dict[str, float | None]:
    percent = [100 * (p[key] / p[f"true_{key}"] - 1) for p in pairs]
    return {
        f"{name}_error_percent_median": _median(percent),
        f"{name}_error_percent_median_absolute": _median(np.abs(percent).tolist()),
        f"{name}_error_percent_p95_absolute": float(np.percentile(np.abs(percent), 95)) if percent else None,
    }


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if len(values) else None


def _void_rows(
    rows: Sequence[Mapping[str, Any]], true: Sequence[Mapping[str, Any]], held: set[Any], field: Field
) -> list[tuple[float, bool, float]]:
    """(true diameter, detected, measured / true volume) of the true voids in particles wholly in the field."""
    wanted = [v for v in true if v["particle_id"] in held]
    if not wanted:
        return []
    stage = np.array([(v["x_um"], v["y_um"], v["z_um"]) for v in wanted], float)
    points = stage_to_volume(stage, field.centre)
    diameters = np.array([float(v["equivalent_diameter_um"]) for v in wanted])
    found: list[tuple[float, bool, float]] = [(float(d), False, np.nan) for d in diameters]
    if not rows:
        return found
    places = np.array([(float(r["x_um"]), float(r["y_um"]), float(r["z_um"])) for r in rows])
    distance = np.linalg.norm(points[:, None] - places, axis=2)
    cost = np.where(distance <= np.maximum(0.5 * diameters, 2 * field.voxel_um)[:, None], distance, FAR)
    for i, j in zip(*linear_sum_assignment(cost), strict=True):
        if cost[i, j] < FAR:
            ratio = float(rows[j]["volume_um3"]) / float(wanted[i]["volume_um3"])
            found[i] = (float(diameters[i]), True, ratio)
    return found


def _void_classes(rows: Sequence[tuple[float, bool, float]]) -> list[dict[str, Any]]:
    classes = []
    for low, high in itertools.pairwise(VOID_CLASSES_UM):
        here = [row for row in rows if low <= row[0] < high]
        if here:
            classes.append(
                {
                    "diameter_um": [low, None if np.isinf(high) else high],
                    "n_true": len(here),
                    "detected_fraction": sum(row[1] for row in here) / len(here),
                    "volume_ratio_median": _median([row[2] for row in here if row[1]]),
                }
            )
    return classes
