"""Statistics over the whole particles of all ROIs of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.statistics import (
    effective_count,
    interval,
    resample_counts,
    weighted_mean,
    weighted_quantile,
    wilson,
)
from xrm_control.analysis.table1 import table1, voided_of
from xrm_control.analysis.tables import finite

QUANTITIES = (
    "equivalent_diameter_um",
    "volume_um3",
    "surface_area_um2",
    "sphericity",
    "surface_to_volume_per_um",
    "radius_mean_um",
    "roughness_xy_um",
    "roughness_xz_um",
    "roughness_yz_um",
    "dead_volume_percent",
    "mean_attenuation_per_um",
)
INTERNAL = ("closed", "ambiguous")
DRAWS = 500


def pool(
    particles: Sequence[Mapping[str, Any]], voids: Sequence[Mapping[str, Any]] | None, *, seed: int = 1
) -> dict[str, Any]:
    """{"table1", "population"} of rows of particles.csv and voids.csv, of one or more ROIs.

    Only whole particles count, each by its weight. Intervals are 95 %: bootstrap (by ROI, then by particle) for means
    and quantiles, Wilson's with the effective number for the voided fraction. dead_volume_percent: voided ones only.
    `voids` is None where nobody looked for them. What cannot be computed (a mean of no voids, of a quantity that a core
    does not measure) is None.
    """
    whole = [row for row in particles if not int(row["touches_boundary"]) and float(row["weight"]) > 0]
    known = {(row["roi"], int(row["particle_id"])) for row in whole}
    internal = None
    if voids is not None:
        internal = [row for row in voids if row["kind"] in INTERNAL and (row["roi"], int(row["particle_id"])) in known]
    population: dict[str, Any] = {
        "n_particles": len(particles),
        "n_whole": len(whole),
        "n_voids": None if internal is None else len(internal),
    }
    if whole:
        weights = np.array([float(row["weight"]) for row in whole])
        counts = resample_counts([str(row["roi"]) for row in whole], DRAWS, seed)
        voided = voided_of(whole)
        population |= {
            name: _distribution(
                np.array([float(row[name]) for row in whole]),
                weights,
                counts,
                voided if name == "dead_volume_percent" and voided is not None else np.ones(len(whole), bool),
            )
            for name in QUANTITIES
            if all(name in row for row in whole) and (name != "dead_volume_percent" or voided is not None)
        }
        if voided is not None:
            population["voided_fraction"] = _fraction(voided, weights)
        population["volume_weighted_diameter_um"] = _volume_weighted(whole, weights, counts)
    return finite({"table1": table1(whole, internal), "population": population})


def _distribution(
    values: NDArray[np.float64], weights: NDArray[np.float64], counts: NDArray[np.float64], chosen: NDArray[np.bool_]
) -> dict[str, Any]:
    use = chosen & np.isfinite(values)
    values, weights, counts = values[use], weights[use], counts[:, use]
    if not len(values):
        return {"n": 0}
    redrawn = counts * weights
    mean = float(weighted_mean(values, weights))
    d10, d50, d90 = (float(weighted_quantile(values, weights, q)) for q in (0.1, 0.5, 0.9))
    found = {
        "n": len(values),
        "mean": mean,
        "mean_interval": interval(weighted_mean(values, redrawn)),
        "standard_deviation": float(np.sqrt(weighted_mean((values - mean) ** 2, weights))),
        "median": d50,
        "median_interval": interval(weighted_quantile(values, redrawn, 0.5)),
        "d10": d10,
        "d50": d50,
        "d90": d90,
    }
    if np.all(values > 0):
        logs = np.log(values)
        found["sigma_ln"] = float(np.sqrt(weighted_mean((logs - weighted_mean(logs, weights)) ** 2, weights)))
    return found


def _fraction(voided: NDArray[np.bool_], weights: NDArray[np.float64]) -> dict[str, Any]:
    share = float(weighted_mean(voided.astype(float), weights))
    return {"value": share, "interval": wilson(share, effective_count(weights)), "n": len(voided)}


def _volume_weighted(
    whole: Sequence[Mapping[str, Any]], weights: NDArray[np.float64], counts: NDArray[np.float64]
) -> dict[str, Any]:
    """Dv10, Dv50, Dv90 (ISO 9276-2): diameters below which 10, 50, 90 % of the particles' volume lies."""
    diameters = np.array([float(row["equivalent_diameter_um"]) for row in whole])
    share = weights * np.array([float(row["volume_um3"]) for row in whole])
    found: dict[str, Any] = {"n": len(whole)}
    for name, q in (("d10", 0.1), ("d50", 0.5), ("d90", 0.9)):
        found[name] = float(weighted_quantile(diameters, share, q))
    found["d50_interval"] = interval(weighted_quantile(diameters, counts * share, 0.5))
    return found
