"""One line says by what the particles count; it calls unbiased only what is."""

from __future__ import annotations

import pytest

from xrm_control.contracts.population import Weighting
from xrm_control.reporting.weights import weights_line


@pytest.mark.parametrize(
    ("weighting", "words", "vouched"),
    [
        (None, "", False),
        (Weighting(kind="border", reason="there is no mosaic"), "border alone", False),
        (Weighting(kind="mosaic", reason="too few large", classes=4), "too few large", False),
        (Weighting(kind="mosaic", classes=8), "8 size classes", True),
        (Weighting(kind="mosaic", classes=8, volume_reason="giants"), "giants", True),
    ],
)
def test_line(weighting: Weighting | None, words: str, vouched: bool) -> None:
    line = weights_line(weighting)
    assert words in line
    assert ("does not show" in line) == vouched
