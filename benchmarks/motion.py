"""Views that lie beside where they should: how well they are put right, and whether the axis is where it is said to be.

`python -m benchmarks.motion [SEEDS]`: beds of spheres in closed form, on a strip that reaches beyond the field, whose
views are drawn with jitter, drift and a tilted camera; nothing is interpolated. For each kind of motion: root mean
square of what views lie off before and after, of those within 50 degrees of the face and of all, over what is stated;
error of the axis, and how often it lies within its stated 95 %.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PIXEL_UM, COLUMNS, ROWS, VIEWS, AXIS_PX = 0.512, 128, 96, 141, 66.3
MU_PER_UM, TAPE_DEPTH, PHOTONS = 0.0458, 0.06, 1000.0
THETA = np.linspace(-90.0, 90.0, VIEWS)
FACE = np.abs(THETA) < 50
_FINE = 2


@dataclass(frozen=True)
class Kind:
    """Jitter (root mean square, both ways) and steady drift over the scan, in pixels; tilt of the camera."""

    name: str
    jitter_px: float = 0.0
    drift_px: float = 0.0
    tilt_deg: float = 0.0


KINDS = (
    Kind("still"),
    Kind("jitter 0.05 px", 0.05),
    Kind("jitter 0.3 px", 0.3),
    Kind("jitter 0.5 px", 0.5),
    Kind("drift 3 px", 0.0, 3.0),
    Kind("jitter 0.3 px, drift 2 px", 0.3, 2.0),
    Kind("jitter 0.2 px, tilt 1 degree", 0.2, 0.0, 1.0),
)


@dataclass(frozen=True)
class Outcome:
    """One scan, in pixels: off and left in views near the face, left in all, stated; axis: error and stated sigma."""

    applied: bool
    off_px: float
    face_px: float
    left_px: float
    stated_px: float
    axis_px: float
    u_axis_px: float


def spheres(seed: int) -> NDArray[np.float64]:
    """(n, 4): x across and y along the beam at 0 degrees, z along the axis, radius, in um; none overlaps another."""
    random = np.random.default_rng(seed)
    found: list[NDArray[np.float64]] = []
    for _ in range(20_000):
        if len(found) == 90:
            break
        radius = float(np.clip(random.lognormal(np.log(4.5), 0.35), 2.0, 9.0))
        one = np.array([random.uniform(-130, 130), random.uniform(-3, 3) + radius, random.uniform(-24, 24), radius])
        if all(np.linalg.norm(one[:3] - other[:3]) > one[3] + other[3] + 0.3 for other in found):
            found.append(one)
    return np.array(found)


def scan(kind: Kind, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Transmissions (n, rows, columns), and by how much each view lies to the right and down (n, 2), in pixels."""
    random = np.random.default_rng([seed, 7])
    moved = kind.jitter_px * random.standard_normal((VIEWS, 2))
    moved += kind.drift_px * random.choice([-1.0, 1.0], 2) * np.linspace(-0.5, 0.5, VIEWS)[:, None]
    bed, lean = spheres(seed), np.radians(kind.tilt_deg)
    fine = (np.arange(COLUMNS * _FINE) + 0.5) / _FINE - 0.5
    column, row = np.meshgrid(fine, np.arange(ROWS, dtype=float))
    views = np.empty((VIEWS, ROWS, COLUMNS), np.float32)
    for view, theta in enumerate(np.radians(THETA)):
        # The camera is turned about its middle: a pixel sees what lies there in the upright frame.
        x, y = column - (COLUMNS - 1) / 2, row - (ROWS - 1) / 2
        u = x * np.cos(lean) - y * np.sin(lean) + (COLUMNS - 1) / 2 - AXIS_PX - moved[view, 0]
        v = x * np.sin(lean) + y * np.cos(lean) - moved[view, 1]
        depth = np.full(u.shape, TAPE_DEPTH)
        across = bed[:, 0] * np.cos(theta) - bed[:, 1] * np.sin(theta)
        for place, height, radius in zip(across / PIXEL_UM, bed[:, 2] / PIXEL_UM, bed[:, 3] / PIXEL_UM, strict=True):
            squared = radius**2 - (u - place) ** 2 - (v - height) ** 2
            inside = squared > 0
            depth[inside] += 2 * MU_PER_UM * PIXEL_UM * np.sqrt(squared[inside])
        seen = np.exp(-depth).reshape(ROWS, COLUMNS, _FINE).mean(axis=2)
        views[view] = random.poisson(seen * PHOTONS) / PHOTONS
    return views, moved


def run(kind: Kind, seed: int) -> Outcome:
    """One scan of one bed."""
    from xrm_control.reconstruction.pipeline import prepare
    from xrm_control.reconstruction.scan import ScanData
    from xrm_control.reconstruction.spec import ReconstructionSpec

    views, moved = scan(kind, seed)
    nothing = np.empty((0, ROWS, COLUMNS), np.float32)
    times = np.arange(VIEWS, dtype=float)
    data = ScanData(views, THETA, times, nothing, np.empty(0), nothing, PIXEL_UM, normalised=True)
    made = prepare(data, ReconstructionSpec())
    found = made.motion
    if found is None:
        raise RuntimeError(f"{kind.name}, seed {seed}: nobody looked for motion")
    error = moved - (found.shifts_px if found.applied else 0.0)
    off, left = (_without_place(one) for one in (moved, error))
    return Outcome(
        found.applied,
        _rms(off[FACE]),
        _rms(left[FACE]),
        _rms(left),
        found.left_px,
        made.axis.column_px - AXIS_PX,
        made.axis.uncertainty_px,
    )


def _without_place(moved: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without what is no motion: the axis, and where the sample stands."""
    angle = np.radians(THETA)
    circle = np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle)], axis=1)
    right = moved[:, 0] - circle @ np.linalg.lstsq(circle[FACE], moved[FACE, 0], rcond=None)[0]
    return np.stack([right, moved[:, 1] - moved[FACE, 1].mean()], axis=1)


def _rms(moved: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(np.sum(moved**2, axis=1))))


def main(arguments: Sequence[str]) -> None:
    """Print a line for each kind."""
    seeds = int(arguments[0]) if arguments else 3
    print("motion | put right | off, face px | left, face px | left, all px | stated px | axis px | within 95 %")
    for kind in KINDS:
        found = [run(kind, seed) for seed in range(seeds)]
        shown = ("off_px", "face_px", "left_px", "stated_px")
        means = [np.mean([getattr(one, name) for one in found]) for name in shown]
        axis = float(np.sqrt(np.mean([one.axis_px**2 for one in found])))
        within = sum(abs(one.axis_px) <= 1.96 * one.u_axis_px for one in found)
        figures = (f"{sum(one.applied for one in found)}", *(f"{mean:.3f}" for mean in means), f"{axis:.3f}")
        print(" | ".join((kind.name, *figures, f"{within} of {seeds}")), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
