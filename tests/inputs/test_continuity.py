"""Volumes of which slices are lost, copied or turned, or whose greys were bent; and sound ones with flat faces."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
import pytest
from scipy import ndimage

import xrm_control as xrm
from xrm_control.analysis.continuity import bent_greys, lost_slices
from xrm_control.analysis.field import find_field

pytestmark = pytest.mark.usefixtures("white_figures")

MU, VOXEL_UM = 0.05, 0.5
SHAPE = (64, 96, 96)


@lru_cache(maxsize=4)
def balls(seed: int = 0, cubes: bool = False) -> np.ndarray:
    """Balls of 5 to 9 voxels radius in closed form, or cubes that all stand on one plane, blurred, with noise."""
    random = np.random.default_rng(seed)
    z, y, x = np.indices(SHAPE, dtype=np.float32)
    placed: list[tuple[np.ndarray, float]] = []
    volume = np.zeros(SHAPE, np.float32)
    for _ in range(3000):
        radius = float(random.uniform(5, 9))
        at = random.uniform(radius + 3, np.array(SHAPE) - radius - 4)
        if any(np.linalg.norm(at - other) < radius + r + 3 for other, r in placed):
            continue
        placed.append((at, radius))
        away = [np.abs(axis - place) for axis, place in zip((z, y, x), at, strict=True)]
        if cubes:
            away[0] = np.abs(z - 20 - radius)
        inside = radius - (np.maximum.reduce(away) if cubes else np.sqrt(sum(a * a for a in away)))
        volume = np.maximum(volume, np.clip(0.5 + inside, 0, 1))
    volume = ndimage.gaussian_filter(volume * MU, 0.8)
    return (volume + random.normal(0, MU / 20, SHAPE)).astype(np.float32)


def said(volume: np.ndarray) -> tuple[str, ...]:
    labels = np.empty(volume.shape, np.int32)
    ndimage.label(ndimage.gaussian_filter(volume, 0.6) > MU / 2, output=labels)
    return lost_slices(volume, labels, find_field(volume, "box"))


@pytest.mark.parametrize("seed", range(4))
def test_sound_slices_continue(seed: int) -> None:
    assert said(balls(seed)) == ()


def test_cubes_that_stand_on_one_plane_do_not_end_by_a_loss() -> None:
    assert said(balls(5, True)) == ()


LOST = {
    "two": np.s_[30:32],
    "three": np.s_[20:23],
    "five": np.s_[25:30],
    "eight": np.s_[40:48],
}


@pytest.mark.parametrize("out", LOST.values(), ids=LOST)
def test_lost_slices_are_told(out: slice) -> None:
    (doubt,) = said(np.delete(balls(), out, axis=0))
    assert re.match(rf"slices lost: what slices {out.start - 1} and {out.start} show", doubt)


def test_slices_in_another_order_are_told() -> None:
    volume = balls().copy()
    volume[20:40] = volume[20:40][::-1]
    (doubt,) = said(volume)
    assert re.match(r"slices lost: what slices (19|39) and (20|40)", doubt)


def test_a_slice_copied_with_a_little_noise_is_told() -> None:
    volume = balls().copy()
    volume[31] = volume[30] + np.random.default_rng(1).normal(0, MU / 200, SHAPE[1:])
    (doubt,) = said(volume)
    assert doubt.startswith("a copy: slices 30 and 31")


def bent(power: float) -> np.ndarray:
    volume = balls()
    return (((volume - volume.min()) / np.ptp(volume)) ** power).astype(np.float32)


@pytest.mark.parametrize("power", [0.45, 0.5, 0.7, 1.4, 1.5, 2.2])
def test_a_gamma_is_doubted(power: float) -> None:
    """A gamma of 0.5 changes diameters of 6 to 10 um by 2 to 4 %, and by 4 to 7 % where the ground is zero."""
    found = xrm.analyze(bent(power), voxel_size_um=VOXEL_UM).results
    assert any(doubt.startswith("greys bent") for doubt in found.doubts), found.doubts


def test_greys_as_they_were_are_not() -> None:
    assert xrm.analyze(bent(1.0), voxel_size_um=VOXEL_UM).results.doubts == ()
    assert xrm.analyze(balls(), voxel_size_um=VOXEL_UM).results.doubts == ()


def test_noise_that_is_cut_off_at_zero_is_no_gamma() -> None:
    volume = np.maximum(balls(), 0)
    phases = (balls() > MU / 2).astype(np.uint8)
    assert bent_greys(volume, phases, find_field(volume, "box"), 0.0, MU) == ()


def test_fractions_from_0_to_1_are_no_attenuation() -> None:
    from xrm_control.analysis.volume_check import grey_of

    assert grey_of(bent(1.0), "")[0] == "grey values"
    assert grey_of(balls(), "")[0] == "1/um"
