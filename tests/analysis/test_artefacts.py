"""Rings, filters, masks, shears and jitter in volumes of balls and ellipsoids in closed form; and sound ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pytest
from scipy import ndimage

from xrm_control.analysis.artefacts import blurred_mask, rings, shared_values
from xrm_control.analysis.continuity import jittering, lost_slices
from xrm_control.analysis.field import find_field
from xrm_control.analysis.particle_rows import Row
from xrm_control.analysis.shape_doubts import stretched
from xrm_control.analysis.volume_doubts import enlarged, repeats

MU, SHAPE = 0.05, (72, 90, 90)
SEEDS = range(4)


@lru_cache(maxsize=8)
def volume(seed: int = 0, noise: float = MU / 15) -> np.ndarray:
    """Ellipsoids of any direction, 4 to 9 voxels large, apart, blurred by 0.8 voxels."""
    random = np.random.default_rng(seed)
    placed: list[tuple[np.ndarray, float]] = []
    places = np.moveaxis(np.indices(SHAPE, dtype=np.float32), 0, -1)
    grey = np.zeros(SHAPE, np.float32)
    for _ in range(3000):
        radius = float(random.uniform(4, 9))
        at = random.uniform(radius + 3, np.array(SHAPE) - radius - 4)
        if len(placed) == 24 or any(np.linalg.norm(at - one) < 1.2 * (radius + size) + 2 for one, size in placed):
            continue
        placed.append((at, radius))
        turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
        low = np.maximum((at - 1.3 * radius - 3).astype(int), 0)
        box = tuple(slice(a, int(b)) for a, b in zip(low, at + 1.3 * radius + 4, strict=True))
        away = np.sqrt((((places[box] - at) @ turn / random.uniform(0.8, 1.2, 3)) ** 2).sum(axis=-1))
        grey[box] = np.maximum(grey[box], np.clip(0.5 + radius - away, 0, 1))
    grey = ndimage.gaussian_filter(grey * MU, 0.8)
    return (grey + random.normal(0, noise, SHAPE)).astype(np.float32)


def labels_of(grey: np.ndarray) -> np.ndarray:
    found = np.empty(grey.shape, np.int32)
    ndimage.label(ndimage.gaussian_filter(grey, 0.6) > MU / 2, output=found)
    found[(np.bincount(found.ravel()) < 60)[found]] = 0
    return found


def said(grey: np.ndarray) -> tuple[str, ...]:
    """By all of these checks, as a volume is looked at."""
    labels, field = labels_of(grey), find_field(grey, "box")
    rows: list[Row] = [{"particle_id": n + 1, "touches_boundary": 0} for n in range(int(labels.max()))]
    along, across = repeats(grey)
    once = np.s_[::along, ::across, ::across]
    return (
        *rings(grey, labels, field, MU),
        *shared_values(grey, field),
        *blurred_mask(grey),
        *stretched(labels, rows),
        *jittering(grey[once], labels[once], find_field(grey[once], "box")),
        *lost_slices(grey[once], labels[once], find_field(grey[once], "box")),
    )


def ring(share: float) -> Callable[[np.ndarray], np.ndarray]:
    def add(grey: np.ndarray) -> np.ndarray:
        y, x = np.ogrid[: grey.shape[1], : grey.shape[2]]
        radius = np.hypot(y - (grey.shape[1] - 1) / 2, x - (grey.shape[2] - 1) / 2)
        return grey + np.float32(share * MU) * (np.abs(radius - 25) < 1)

    return add


def sheared(step: float, axis: int, along: int) -> Callable[[np.ndarray], np.ndarray]:
    """Planes along one axis, each rolled by so much more than the one before."""

    def shear(grey: np.ndarray) -> np.ndarray:
        planes = np.moveaxis(grey, along, 0)
        by = [round(step * (n - len(planes) / 2)) for n in range(len(planes))]
        rolled = [np.roll(plane, move, axis - (axis > along)) for plane, move in zip(planes, by, strict=True)]
        return np.moveaxis(np.stack(rolled), 0, along)

    return shear


def jittered(grey: np.ndarray) -> np.ndarray:
    random = np.random.default_rng(2)
    return np.stack([np.roll(plane, int(random.integers(-2, 3)), 1) for plane in grey])


def mask(grey: np.ndarray) -> np.ndarray:
    return ndimage.gaussian_filter((labels_of(grey) > 0).astype(np.float32), 0.8) * np.float32(MU)


def zoomed(axis: int, factor: float) -> Callable[[np.ndarray], np.ndarray]:
    def zoom(grey: np.ndarray) -> np.ndarray:
        factors = [factor if n == axis else 1.0 for n in range(3)]
        return np.asarray(ndimage.zoom(grey, factors, order=1))

    return zoom


def binned(grey: np.ndarray) -> np.ndarray:
    z, y, x = (n // 2 for n in grey.shape)
    means = grey[: 2 * z, : 2 * y, : 2 * x].reshape(z, 2, y, 2, x, 2).mean(axis=(1, 3, 5))
    return means.repeat(2, 0).repeat(2, 1).repeat(2, 2)


LIES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "a bright ring": (ring(0.3), "rings: 25 voxels|rings: 26 voxels|rings: 24 voxels"),
    "a dark ring": (ring(-0.3), "rings: 2"),
    "a median of 3": (lambda grey: np.asarray(ndimage.median_filter(grey, 3)), "filtered: "),
    "a median of 5": (lambda grey: np.asarray(ndimage.median_filter(grey, 5)), "filtered: "),
    "a mask, smoothed": (mask, "a mask that was smoothed"),
    "slices sheared along x": (sheared(0.5, 2, 0), "sheared: .* towards x along z"),
    "slices sheared along y": (sheared(1.0, 1, 0), "sheared: .* towards y along z"),
    "rows sheared": (sheared(0.6, 2, 1), "sheared: .* towards x along y"),
    "slices jitter": (jittered, "slices jitter: "),
    "z longer": (zoomed(0, 1.5), "stretched: .* as long along z"),
    "z shorter": (zoomed(0, 0.5), "stretched: .* as long along z"),
}


@pytest.mark.parametrize(("lie", "says"), LIES.values(), ids=LIES)
def test_a_lie_is_told(lie: Callable[[np.ndarray], np.ndarray], says: str) -> None:
    doubts = said(lie(volume(1)))
    assert [doubt for doubt in doubts if re.match(says, doubt)], doubts


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "make",
    [lambda grey: grey, lambda grey: np.rint(20 + grey / MU * 150).clip(0, 255).astype(np.uint8),
     lambda grey: np.maximum(grey, 0),
     lambda grey: np.asarray(ndimage.gaussian_filter(grey, 0.7)), binned],
    ids=["as it is", "8 bits", "none below zero", "smoothed", "binned and enlarged"],
)  # fmt: skip
def test_sound_ones_are_not_doubted(make: Callable[[np.ndarray], np.ndarray], seed: int) -> None:
    assert said(make(volume(seed))) == ()


def test_a_volume_that_was_enlarged_is_noted() -> None:
    (note,) = enlarged(binned(volume()))
    assert "the volume was enlarged, and is no finer than before" in note
    assert repeats(binned(volume())) == (2, 2)
    assert repeats(volume()) == (1, 1)
    assert repeats(volume().repeat(3, 0)) == (3, 1)


def test_half_of_single_lost_slices_of_a_bed_are_told() -> None:
    """Of slices that show three bodies and more, away from their middles; 0 of what was not lost."""
    told = looked = 0
    for seed in SEEDS:
        grey = volume(seed)
        labels, field = labels_of(grey), find_field(grey, "box")
        for z in range(16, 60, 6):
            looked += 1
            told += bool(lost_slices(np.delete(grey, z, 0), np.delete(labels, z, 0), field))
    assert told >= 0.45 * looked
