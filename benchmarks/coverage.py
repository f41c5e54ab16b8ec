"""How often the stated 95 % intervals hold the truth: `python -m benchmarks.coverage [SEEDS]`, 20 by default.

Volumes of `benchmarks.star_bodies`, whose every number is known, are measured; told are the error, its spread, the
stated standard uncertainty, and the share of the values whose truth lies within 1.96 of it. The roughness is held
against the surface as the blur leaves it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.star_bodies import MU_PER_UM, VOXEL_UM, Scene, Truth, blurred_radii, draw, radii_of, truth_of
from benchmarks.timing import Row
from xrm_control.analysis.core import Analysis, analyze_volume
from xrm_control.analysis.rays import DIRECTIONS_ZYX
from xrm_control.analysis.spec import AnalysisSpec
from xrm_control.contracts.tables import PLANES

NEAR_UM = 1.0
_RAYS = DIRECTIONS_ZYX[..., ::-1].astype(float)


@dataclass(frozen=True)
class Case:
    """What is drawn, by name of `draw`'s settings."""

    rough_um: float = 0.0
    elongation: float = 0.06
    snr: float = 10.0
    fwhm_voxels: float = 2.0

    def scene(self, seed: int) -> Scene:
        """One volume."""
        return draw(
            seed,
            rough_um=self.rough_um,
            elongation=self.elongation,
            snr=self.snr,
            fwhm_voxels=self.fwhm_voxels,
        )


CASES = {
    "spheres": Case(elongation=0.0),
    "ellipsoids": Case(),
    "rough": Case(rough_um=0.25),
    "SNR 5": Case(snr=5.0),
    "blur of 3 voxels": Case(fwhm_voxels=3.0),
}


@dataclass(frozen=True)
class Told:
    """One number against its truth: what, error and stated standard uncertainty."""

    what: str
    error: float
    u: float

    @property
    def held(self) -> bool:
        """Whether the 95 % interval holds the truth."""
        return abs(self.error) <= 1.96 * self.u


def told(scene: Scene) -> Iterator[Told]:
    """Every number with an uncertainty of the particles and voids that were found, and their voids as many as there
    are."""
    found = analyze_volume(scene.grey, VOXEL_UM, AnalysisSpec(voxel_relative_u=0.0))
    yield from _particles(scene, found)
    for void in scene.voids:
        truth = truth_of(void)
        row = _nearest(found.voids, truth)
        if row is not None:
            yield from _compared("void", row, _of(truth))


def _particles(scene: Scene, found: Analysis) -> Iterator[Told]:
    for number, body in enumerate(scene.bodies):
        truth = truth_of(body)
        row = _nearest(found.particles, truth)
        if row is None or row["touches_boundary"]:
            continue
        radii = radii_of(body, truth.centroid_um, _RAYS)
        seen = blurred_radii(scene.clean, truth.centroid_um, radii, _RAYS)
        wanted = {**_of(truth), "radius_mean_um": float(radii.mean()), "mean_attenuation_per_um": MU_PER_UM}
        for k, plane in enumerate(PLANES):
            wanted[f"radius_{plane}_um"] = float(radii[k].mean())
            wanted[f"roughness_{plane}_um"] = float(np.ptp(seen[k]))
        held = [truth_of(v).volume_um3 for v, host in zip(scene.voids, scene.hosts, strict=True) if host == number]
        if row["void_count"] == len(held):
            wanted["void_volume_um3"] = sum(held)
            wanted["dead_volume_percent"] = 100 * sum(held) / truth.volume_um3
        yield from _compared("particle", row, wanted)


def _of(truth: Truth) -> dict[str, float]:
    x, y, z = (float(one) for one in truth.centroid_um)
    return {
        "x_um": x,
        "y_um": y,
        "z_um": z,
        "volume_um3": truth.volume_um3,
        "surface_area_um2": truth.surface_area_um2,
        "sphericity": truth.sphericity,
        "surface_to_volume_per_um": truth.surface_area_um2 / truth.volume_um3,
        "equivalent_diameter_um": truth.diameter_um,
    }


def _compared(kind: str, row: Mapping[str, float], wanted: Mapping[str, float]) -> Iterator[Told]:
    for name, value in wanted.items():
        yield Told(f"{kind} {name}", float(row[name]) - value, float(row[f"{name}_u"]))


def _nearest(rows: list[dict[str, float]], truth: Truth) -> dict[str, float] | None:
    far = [float(np.linalg.norm([row[f"{axis}_um"] for axis in "xyz"] - truth.centroid_um)) for row in rows]
    return rows[int(np.argmin(far))] if far and min(far) < NEAR_UM else None


def rows(seeds: int = 20) -> list[Row]:
    """Every case and number."""
    return [row for case in CASES for row in of_case(case, seeds)]


def of_case(name: str, seeds: int) -> list[Row]:
    """A line for each number."""
    found = [one for seed in range(seeds) for one in told(CASES[name].scene(seed))]
    lines: list[Row] = []
    for what in dict.fromkeys(one.what for one in found):
        errors, us = (np.array([getattr(one, key) for one in found if one.what == what]) for key in ("error", "u"))
        held = 100 * np.mean([one.held for one in found if one.what == what])
        lines.append(
            Row(
                name,
                what,
                figures={
                    "n": f"{len(errors)}",
                    "error": f"{errors.mean():+.3g}",
                    "spread": f"{errors.std():.3g}",
                    "stated": f"{np.sqrt((us**2).mean()):.3g}",
                    "held": f"{held:.0f} %",
                },
            )
        )
    return lines


if __name__ == "__main__":
    for case in CASES:
        for line in of_case(case, int(sys.argv[1]) if len(sys.argv) > 1 else 20):
            print(f"{case:16s} {line.who:34s} {line.told}", flush=True)
