"""What one view shows of many layers, and what an oracle sees in it: `python -m benchmarks.layers [SEEDS [T ...]]`.

Spheres in any number of layers (`benchmarks.powders.anywhere`) on 130 x 160 um, seeds from 100, searched as ever; and
fitted by an oracle that begins with all true bodies at their places and drops what the picture does not bear out. An
oracle that keeps them says that neither noise nor overlap hides them: what is not found is the search's failure, and
not the picture's. Told are F1 and chi-squared for each pixel of both, whether the stated ends hold the true number, how
wide they are, and how many mosaics are doubted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks import finding
from benchmarks.mosaic_intervals import SIZE_UM, Seen, true_count
from benchmarks.powders import MU_PER_UM, TAPE, Scene, anywhere
from benchmarks.timing import Row
from xrm_control.core.clock import stopwatch
from xrm_control.roi.bodies import Bodies, settle, shadow, worths
from xrm_control.roi.particles2d import Particle2D, count_particles
from xrm_control.roi.resting import Resting
from xrm_control.roi.thickness import thickness_map

Floats = NDArray[np.float64]

_BLUR_PX, _EVIDENCE, _SHARE = 0.8, 40.0, 0.5
_TRANSMISSIONS = (0.9, 0.85, 0.75, 0.6, 0.3, 0.1)


@dataclass(frozen=True)
class Told:
    """Of one mosaic: how it was found, and by the oracle; chi-squared of both; the ends, the truth, the doubt."""

    found: finding.Score
    oracle: finding.Score
    left: tuple[float, float]
    ends: tuple[int, int] | None
    true: int
    doubted: bool


def told(transmission: float, seed: int) -> Told:
    """One mosaic."""
    finding.SIZE_UM = SIZE_UM
    scene = Scene(anywhere(np.random.default_rng(seed), SIZE_UM, transmission), SIZE_UM)
    mosaic = scene.mosaic(seed)
    pixel = mosaic.pixel_size_um
    passed_s = stopwatch()
    found, count = count_particles(mosaic, MU_PER_UM)
    seconds = passed_s()
    image = mosaic.image.astype(float)
    # The oracle knows the tape as well.
    chords = (-np.log(np.clip(image, 1e-3, None)) - TAPE) / MU_PER_UM / pixel
    weight = 1 / (thickness_map(image, pixel, MU_PER_UM).variance_um2 / pixel**2 + 0.25)

    def at(some: Sequence[tuple[float, float, float]]) -> Bodies:
        x, y, d = np.array(some).reshape(-1, 3).T
        return Bodies.spheres((x - mosaic.x0_um) / pixel, (y - mosaic.y0_um) / pixel, d / 2 / pixel)

    def left(bodies: Bodies) -> Floats:
        return chords - shadow(bodies, chords.shape, _BLUR_PX)

    own = at([(p.x_um, p.y_um, p.equivalent_diameter_um) for p in found])
    true = at([(b.x_um, b.y_um, b.diameter_um) for b in scene.bodies])
    residual, resting = left(true), Resting(chords.shape)
    for _ in range(3):
        true = settle(residual, weight, true, _BLUR_PX, rounds=2, resting=resting)
    fall, squares = worths(residual, weight, true, _BLUR_PX)
    kept = true.where((fall > _EVIDENCE) & (fall > _SHARE * squares))
    known = tuple(
        Particle2D(mosaic.x0_um + p[0] * pixel, mosaic.y0_um + p[1] * pixel, d * pixel, d * pixel, touches_edge=False)
        for p, d in zip(kept.table, kept.diameter.tolist(), strict=True)
    )
    chi = tuple(float((weight * left(some) ** 2).mean()) for some in (own, kept))
    return Told(
        finding.score(found, scene, seconds),
        finding.score(known, scene, 0.0),
        (chi[0], chi[1]),
        count.between,
        true_count(Seen(scene.bodies, found, (), count, SIZE_UM, 0.0)),
        bool(count.doubt),
    )


def row(transmission: float, seeds: Sequence[int]) -> Row:
    """One line of the table."""
    done = [told(transmission, seed) for seed in seeds]
    stated = [(one.ends, one.true) for one in done if one.ends is not None]
    wide = [(ends[1] - ends[0]) / true for ends, true in stated]
    figures = {
        "true": f"{np.mean([one.true for one in done]):.0f}",
        "F1": f"{np.mean([one.found.f1 for one in done]):.3f} ({min(one.found.f1 for one in done):.3f})",
        "precision": f"{np.mean([one.found.precision for one in done]):.3f}",
        "recall": f"{np.mean([one.found.recall for one in done]):.3f}",
        "D50 %": f"{100 * (np.mean([one.found.d50 for one in done]) - 1):+.1f}",
        "left": f"{np.mean([one.left[0] for one in done]):.1f}",
        "oracle F1": f"{np.mean([one.oracle.f1 for one in done]):.3f}",
        "its left": f"{np.mean([one.left[1] for one in done]):.2f}",
        "number": f"{sum(ends[0] <= true <= ends[1] for ends, true in stated)} of {len(stated)} stated",
        "width %": f"{100 * np.mean(wide):.0f}" if wide else "-",
        "doubted": f"{sum(one.doubted for one in done)}",
    }
    return Row(
        f"T {transmission:g}",
        f"{len(done)} seeds",
        np.mean([one.found.seconds for one in done]).item(),
        figures=figures,
    )


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    for transmission in [float(one) for one in sys.argv[2:]] or _TRANSMISSIONS:
        one = row(transmission, range(100, 100 + count))
        print(f"{one.what:7s} {one.seconds or 0:5.1f} s  {one.told}", flush=True)
