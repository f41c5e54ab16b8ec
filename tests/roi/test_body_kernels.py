"""What is left around a body, against patterns whose mean over eighths of the ring is known without adding up."""

from __future__ import annotations

import numpy as np
import pytest

from xrm_control.roi.bodies import Bodies
from xrm_control.roi.body_kernels import ground_of

SIDE, RADIUS = 61, 9.0
DOWN, ACROSS = np.indices((SIDE, SIDE)) - SIDE // 2
EVERYWHERE = np.ones((SIDE, SIDE), bool)
# left over, where something is seen, what that is around the body
PATTERNS: dict[str, tuple[np.ndarray, np.ndarray, float]] = {
    "nothing": (np.zeros((SIDE, SIDE)), EVERYWHERE, 0.0),
    "the same all around": (np.full((SIDE, SIDE), 0.7), EVERYWHERE, 0.7),
    "too much as well as too little": (np.full((SIDE, SIDE), -0.7), EVERYWHERE, 0.7),
    "one side up, the other down": (0.4 * np.sign(DOWN + 0.5), EVERYWHERE, 0.4),
    "half of it unseen": (np.full((SIDE, SIDE), 0.7), DOWN > 0, 0.7),
    "one side alone": (1.0 * (DOWN > 0), EVERYWHERE, np.sqrt(0.5)),
    "noise": (np.random.default_rng(0).choice([-0.1, 0.1], (SIDE, SIDE)), EVERYWHERE, 0.0),
    "the body itself": (1.0 * (np.hypot(DOWN, ACROSS) < RADIUS), EVERYWHERE, 0.0),
    "all unseen": (np.full((SIDE, SIDE), 0.7), ~EVERYWHERE, 0.0),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_what_is_left_around_a_body(name: str) -> None:
    left, seen, expected = PATTERNS[name]
    middle = np.array([SIDE // 2], float)
    (body,) = Bodies.spheres(middle, middle, np.array([RADIUS])).table
    assert ground_of(left, 1.0 * seen, body) == pytest.approx(expected, abs=0.04)
