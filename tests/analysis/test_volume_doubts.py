"""What lies below the threshold and may be powder, on volumes whose bodies are put there voxel by voxel."""

from __future__ import annotations

import numpy as np
import pytest

from xrm_control.analysis.field import find_field
from xrm_control.analysis.volume_doubts import LeftOut, bodies_left_out, left_out
from xrm_control.contracts.quality import QualityMetrics

CONTRAST, SMALLEST = 0.4, 200.0  # 1/um; voxels


def volume(ground: float, *cubes: tuple[int, int, float]) -> np.ndarray:
    """Cubes, each at its column with its side in voxels and its share of the contrast, on a ground of some noise."""
    grey = np.random.default_rng(1).normal(ground, 0.005 * CONTRAST, (40, 40, 80)).astype(np.float32)
    for column, side, share in cubes:
        low, high = 20 - side // 2, 20 - side // 2 + side
        grey[low:high, low:high, column - side // 2 : column - side // 2 + side] = ground + share * CONTRAST
    return grey


def looked_at(ground: float, *cubes: tuple[int, int, float]) -> LeftOut | None:
    """As of a volume with a particle of its own, in the lower corner."""
    grey = volume(ground, *cubes)
    grey[4:12, 4:12, 4:12] = ground + CONTRAST
    phases = np.zeros(grey.shape, np.uint8)
    phases[4:12, 4:12, 4:12] = 1
    quality = QualityMetrics(
        background_mode_per_um=ground, particle_mode_per_um=ground + CONTRAST, threshold_per_um=ground + CONTRAST / 2
    )
    return bodies_left_out(grey, phases, find_field(grey, "box"), quality, SMALLEST)


FAINT, BRIGHT_DOT = (40, 9, 0.15), (40, 3, 0.45)
# Bodies -> how many of 200 voxels at least lie there, and the contrast of the largest.
BODIES = [
    ("none", [], None),
    ("one of 729 voxels", [FAINT], (1, 0.15)),
    ("two", [FAINT, (65, 7, 0.3)], (2, 0.15)),
    ("one of 125 voxels", [(40, 5, 0.3)], None),
    ("what holds as much as 117 of its brightest voxels, over 343", [(40, 7, 0.15), BRIGHT_DOT], None),
    ("what is above the threshold in its means", [(40, 9, 0.7)], None),
    ("what the border cuts", [(4, 9, 0.15)], None),
]


@pytest.mark.parametrize("ground", [0.0, 0.3])
@pytest.mark.parametrize(("cubes", "found"), [case[1:] for case in BODIES], ids=[case[0] for case in BODIES])
def test_bodies_below_the_threshold_are_counted_on_any_ground(
    ground: float, cubes: list[tuple[int, int, float]], found: tuple[int, float] | None
) -> None:
    seen = looked_at(ground, *cubes)
    assert (seen and (seen.bodies, round(seen.largest, 2))) == found


@pytest.mark.parametrize(("whole", "doubted"), [(20, True), (30, True), (40, False), (200, False)])
def test_few_of_them_are_noted_and_many_beside_the_particles_doubted(whole: int, doubted: bool) -> None:
    doubts, notes = left_out(LeftOut(2, 0.3, 0.3), whole, SMALLEST)
    assert (len(doubts), len(notes)) == ((1, 0) if doubted else (0, 1))
    assert "2 bodies of at least 200 voxels" in (*doubts, *notes)[0]
