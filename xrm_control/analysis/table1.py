"""The paper's Table 1 (Heenan et al. 2020), in its own convention and in the unbiased one.

paper: every whole particle counts once; voxel counts and voxel faces; means of V, SA and d_e; sphericity from mean V
and mean SA; SA:V a mean of ratios; dead volume is mean void volume over mean particle volume (a ratio of means).
unbiased: weights against the loss of large particles at the border; grey-level volumes, Crofton areas; means of every
particle's own sphericity and ratio; dead volume is the void volume over the volume of the particles that hold voids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Cells = dict[str, float]

_NOT_MEASURED = float("nan")

PAPER_VALUES: Mapping[str, Any] = {
    "particle": {
        "volume_um3": 238.0,
        "surface_area_um2": 234.0,
        "sphericity": 0.8,
        "surface_to_volume_per_um": 1.7,
        "equivalent_diameter_um": 6.4,
    },
    "void": {
        "volume_um3": 9.0,
        "surface_area_um2": 30.0,
        "sphericity": 0.7,
        "surface_to_volume_per_um": 4.1,
        "equivalent_diameter_um": 2.4,
    },
    "dead_volume_percent": 3.8,
    "voided_particles_percent": 55.0,
    "n_particles": None,
    "n_voids": None,
}


def table1(
    particles: Sequence[Mapping[str, Any]], voids: Sequence[Mapping[str, Any]] | None
) -> dict[str, dict[str, Any]]:
    """{"unbiased", "paper", "paper_values"} from rows of whole particles and of their internal voids.

    Not a number where a core did not measure what it takes; `voids` is None where it did not look for them.
    """
    internal = voids or ()
    weight_of = {(row["roi"], int(row["particle_id"])): float(row["weight"]) for row in particles}
    weights = np.array([float(row["weight"]) for row in particles])
    void_weights = np.array([weight_of[row["roi"], int(row["particle_id"])] for row in internal])
    voided = voided_of(particles)
    counts = {"n_particles": len(particles), "n_voids": None if voids is None else len(voids)}
    particle, void = _paper(particles), _paper(internal)
    dead = _NOT_MEASURED if voids is None else 0.0
    if len(internal) and len(particles):
        dead = 100 * _ratio(void["volume_um3"], particle["volume_um3"])
    unbiased = {
        "particle": _unbiased(particles, weights),
        "void": _unbiased(internal, void_weights),
        "dead_volume_percent": _dead_volume(particles, weights, voided),
        "voided_particles_percent": _share(voided, weights),
        **counts,
    }
    paper = {
        "particle": particle,
        "void": void,
        "dead_volume_percent": dead,
        "voided_particles_percent": _share(voided, np.ones(len(particles))),
        **counts,
    }
    return {"unbiased": unbiased, "paper": paper, "paper_values": dict(PAPER_VALUES)}


def voided_of(particles: Sequence[Mapping[str, Any]]) -> NDArray[np.bool_] | None:
    """Which particles hold voids (n,); None where that was not counted in each of them."""
    counted = _column(particles, "void_count")
    return counted > 0 if np.isfinite(counted).all() else None


def _dead_volume(
    particles: Sequence[Mapping[str, Any]], weights: NDArray[np.float64], voided: NDArray[np.bool_] | None
) -> float:
    if voided is None:
        return _NOT_MEASURED
    held = float((weights * _column(particles, "volume_um3"))[voided].sum())
    return 100 * float((weights * _column(particles, "void_volume_um3"))[voided].sum()) / held if held else 0.0


def _share(voided: NDArray[np.bool_] | None, weights: NDArray[np.float64]) -> float:
    return _NOT_MEASURED if voided is None else 100 * _mean(voided.astype(float), weights)


def _unbiased(rows: Sequence[Mapping[str, Any]], weights: NDArray[np.float64]) -> Cells:
    return {name: _mean(_column(rows, name), weights) for name in PAPER_VALUES["particle"]}


def _paper(rows: Sequence[Mapping[str, Any]]) -> Cells:
    volumes, areas = _column(rows, "volume_voxels_um3"), _column(rows, "surface_faces_um2")
    ones = np.ones(len(rows))
    volume, area = _mean(volumes, ones), _mean(areas, ones)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = areas / volumes
    return {
        "volume_um3": volume,
        "surface_area_um2": area,
        "sphericity": _ratio(float(np.pi ** (1 / 3) * np.cbrt(6 * volume) ** 2), area),
        "surface_to_volume_per_um": _mean(ratios, ones),
        "equivalent_diameter_um": _mean(np.cbrt(6 * volumes / np.pi), ones),
    }


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> NDArray[np.float64]:
    return np.array([float(row.get(name, _NOT_MEASURED)) for row in rows])


def _ratio(value: float, by: float) -> float:
    return value / by if by else _NOT_MEASURED


def _mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    total = float(weights.sum())
    return float((values * weights).sum()) / total if total else _NOT_MEASURED
