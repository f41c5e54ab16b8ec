"""Views in other light than the flats, or in light that changes: said; powder, tape and beds of any shape are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import xrm_control as xrm
from tests.inputs.files import PIXEL_UM, THETA, ball_scan, changed, data_exchange
from tests.inputs.test_doubted import scan as powder
from tests.reconstruction.phantoms import Ball, line_integrals
from xrm_control.core.errors import DataError
from xrm_control.reconstruction.light_level import light_changes

VIEWS = len(THETA)
VIEW = np.arange(VIEWS)


def in_beam(share: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Each view in so much of its light."""
    return lambda views: (100 + (views - 100.0) * share[:, None, None]).round().astype(np.uint16)


CHANGES: dict[str, tuple[np.ndarray, str]] = {
    "a step down": (np.where(VIEW < 25, 1, 0.7), "against that of its opposite"),
    "a small one": (np.where(VIEW < 25, 1, 0.95), "against that of its opposite"),
    "a step near the end": (np.where(VIEW < 56, 1, 0.9), "all over the frame"),
    "a slow decay": (1 - 0.2 * VIEW / VIEWS, "against that of its opposite"),
    "half the beam is left": (1 - 0.5 * VIEW / VIEWS, "against that of its opposite"),
    "it is lost and comes back": (np.where(abs(VIEW - 30) < 6, 0.05, 1), "all over the frame (and 1 more)"),
    "it falls and is filled up": (1 - 0.1 * (VIEW % 20) / 20, "all over the frame"),
    "never half of it": (np.full(VIEWS, 0.45), "transmission is 0.4"),
}


@pytest.mark.parametrize(("share", "says"), CHANGES.values(), ids=CHANGES)
def test_light_that_changes_is_a_doubt(tmp_path: Path, share: np.ndarray, says: str) -> None:
    found = xrm.reconstruct(data_exchange(tmp_path / "a.h5", changed(ball_scan(), projections=in_beam(share))))
    assert any(doubt.startswith("light: ") and says in doubt for doubt in found.doubts), found.doubts


TURNS = {
    "half a turn": np.linspace(-90, 90, 91),
    "coarse": np.linspace(-90, 90, 13),
    "a full turn": np.linspace(0, 360, 121),
    "without its end": np.linspace(0, 180, 60, endpoint=False),
}
STRIPS = [None, (60.0, 4.0, 0.05), (300.0, 10.0, 0.03), (30.0, 20.0, 0.02), (300.0, 80.0, 0.003), (25.0, 3.0, 0.1)]


@pytest.mark.parametrize("theta", TURNS.values(), ids=TURNS)
@pytest.mark.parametrize("strip", STRIPS, ids=str)
def test_no_sound_scan_shows_it(theta: np.ndarray, strip: tuple[float, float, float] | None) -> None:
    """With powder within the field and around it, on tape that is seen edge-on."""
    random = np.random.default_rng(1)
    reach = [[14, 14, 6]] * 10 + [[60, 60, 9]] * 15
    bed: list[Ball] = []
    for most in reach:
        x, y, z = random.uniform(-np.array(most), most)
        bed.append(Ball(x, y, z, random.uniform(1, 6), 0.05))
    integrals = line_integrals(bed, theta, columns=72, rows=16, axis_px=36.8, pixel_um=PIXEL_UM, strip=strip, samples=2)
    seen = random.poisson(np.exp(-integrals) * 2000) / 2000
    changes = light_changes(seen, theta, np.arange(len(theta), dtype=float), 36.8)
    assert not [change for change in changes if "at most" not in change]


@pytest.mark.parametrize("every", [8, 10, 12, 15, 20])
def test_too_few_views_are_a_doubt(tmp_path: Path, every: int) -> None:
    few = changed(powder(), **dict.fromkeys(("projections", "theta_deg", "time_s"), lambda a: a[::every]))
    found = xrm.reconstruct(data_exchange(tmp_path / "a.h5", few))
    # The first and the last of them see along the same rays.
    assert any(doubt.startswith(f"too few views: {120 // every} for a sample") for doubt in found.doubts)


@pytest.mark.parametrize("made", ["float32", "float64"])
def test_line_integrals_beside_made_up_references(tmp_path: Path, made: str) -> None:
    transmission = (ball_scan(None).projections[:] - 100.0) / (ball_scan(None).flats[0] - 100.0)
    integrals = -np.log(np.clip(transmission, 1e-3, None)).astype(made)
    ones = {"exchange__data_white": np.ones_like(integrals[:2]), "exchange__data_dark": np.zeros_like(integrals[:2])}
    with pytest.raises(DataError, match="line integrals"):
        xrm.reconstruct(data_exchange(tmp_path / "a.h5", exchange__data=integrals, **ones))
    sound = xrm.reconstruct(data_exchange(tmp_path / "b.h5", exchange__data=transmission.astype(made), **ones))
    assert sound.origins.notes == ()


def test_that_there_are_no_darks_is_said(tmp_path: Path) -> None:
    found = xrm.reconstruct(data_exchange(tmp_path / "a.h5", exchange__data_dark=None))
    assert found.origins.notes == ("no darks: what the camera counts without light is taken to be nothing",)
    half = np.exp(-line_integrals([Ball(0, 0, 0, 3, 0.05)], THETA, columns=21, rows=8, axis_px=10, pixel_um=0.5)) / 2
    stated = xrm.reconstruct(half, theta_deg=THETA, pixel_size_um=0.5, normalised=True, checks=False)
    assert stated.origins.notes[0].startswith("transmission is 0.500 at most")
