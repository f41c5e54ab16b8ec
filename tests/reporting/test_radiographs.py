"""One line says what the mosaic's radiographs add to the voided share, or why nothing."""

from __future__ import annotations

import pytest

from xrm_control.contracts.population import DoubleSampling
from xrm_control.reporting.radiographs import radiographs_line

STATED = DoubleSampling(
    n=160,
    n_pairs=150,
    n_without=7,
    n_mosaic=1000,
    n_judged=950,
    n_lost=3,
    value=0.3954,
    interval=(0.336, 0.458),
    worth=250.4,
    strength=0.95,
    correlation=0.8,
)


@pytest.mark.parametrize(
    ("doubled", "short", "words"),
    [
        (None, False, ()),
        (DoubleSampling(n=30, reason="one region alone"), False, ("add nothing", "one region alone")),
        (STATED, True, ("39.5 % [33.6, 45.8]", "160 particles by CT count like 250")),
        (STATED, False, ("39.5 % [33.6, 45.8]", "r = 0.80", "7 have no counterpart", "3 in the regions", "50 of 1000")),
    ],
)
def test_line(doubled: DoubleSampling | None, short: bool, words: tuple[str, ...]) -> None:
    line = radiographs_line(doubled, short=short)
    assert bool(line) == bool(words)
    assert all(word in line for word in words)
