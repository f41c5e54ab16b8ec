"""A maker of mosaics that shares nothing with the simulator: balls on a fine grid, seen through an affine at true
places."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from xrm_control.mosaic.tiles import Tile

PIXEL_UM, SIDE = 0.512, 128
_STEP_UM = 0.2
_MU_PER_UM, _TAPE = 0.0458, 0.07
_PHOTONS = 1000.0
_FINER = 2

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Making:
    """What is made, and what is out of the way in it.

    picture_to_stage: rotation (columns from x towards y), scale, mirror of the columns, transposition before that;
    stage: errors uniform within +- error_um, scale of what is travelled by axis, backlash_um after moves down (the
    tiles are taken in snake order); gain: rms from tile to tile; missing: tiles; cover: of the field by balls.
    """

    rows: int = 5
    columns: int = 4
    overlap_percent: float = 10.0
    rotation_deg: float = 0.0
    scale: float = 1.0
    mirrored: bool = False
    transposed: bool = False
    error_um: float = 0.2
    stage_scale: tuple[float, float] = (1.0, 1.0)
    backlash_um: float = 0.0
    gain: float = 0.0
    missing: int = 0
    cover: float = 0.35


@dataclass(frozen=True)
class Made:
    """tiles, and the truth in the stage's own read-back: true_um (tiles, 2) of their middles; picture_to_stage (2,
    2)."""

    tiles: tuple[Tile, ...]
    true_um: Floats
    picture_to_stage: Floats
    gains: Floats


def matrix(making: Making) -> Floats:
    """Picture to stage, before the stage's scale."""
    angle = np.radians(making.rotation_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    order = np.array([[0.0, 1.0], [1.0, 0.0]]) if making.transposed else np.eye(2)
    return making.scale * turn @ np.diag((-1.0 if making.mirrored else 1.0, 1.0)) @ order


def make(making: Making, seed: int) -> Made:
    """One mosaic."""
    random = np.random.default_rng([seed, 20260])
    field_um = SIDE * PIXEL_UM
    pitch_um = field_um * (1 - making.overlap_percent / 100)
    extent_um = np.array([making.columns, making.rows]) * pitch_um + 1.2 * field_um
    scene = scene_of(random, extent_um, making.cover)
    to_true = matrix(making)
    scale = np.array(making.stage_scale)
    places: list[tuple[int, int]] = []
    for row in range(making.rows):
        along = range(making.columns)
        places += [(row, column) for column in (along if row % 2 == 0 else reversed(along))]
    tiles, true_um, gains = [], [], []
    before = np.full(2, -np.inf)
    lost = set(random.choice(len(places), making.missing, replace=False).tolist())
    for number, (row, column) in enumerate(places):
        at = (np.array([column, row]) - (np.array([making.columns, making.rows]) - 1) / 2) * pitch_um
        error = random.uniform(-making.error_um, making.error_um, 2) + making.backlash_um * (at < before)
        before = at
        gain = max(0.3, 1 + making.gain * random.standard_normal())
        image = gain * seen_of(scene, extent_um, scale * at + error, to_true)
        image = random.poisson(_PHOTONS * image) / _PHOTONS
        if number not in lost:
            tiles.append(Tile(row, column, image.astype(np.float32), *at.tolist()))
            true_um.append(at + error / scale)
            gains.append(gain)
    return Made(tuple(tiles), np.array(true_um), np.diag(1 / scale) @ to_true, np.array(gains))


def scene_of(random: np.random.Generator, extent_um: Floats, cover: float) -> NDArray[np.float32]:
    """Transmission on a fine grid about the middle: chords of balls, and the tape."""
    columns, rows = np.ceil(extent_um / _STEP_UM).astype(int)
    chords = np.zeros((rows, columns), np.float32)
    covered, wanted = 0.0, cover * float(extent_um.prod())
    while covered < wanted:
        radius = float(np.clip(random.lognormal(np.log(5.5), 0.3), 2.0, 12.0))
        x, y = random.uniform(0, extent_um)
        covered += np.pi * radius**2
        r0, r1 = (int(np.clip(v / _STEP_UM, 0, rows)) for v in (y - radius, y + radius + _STEP_UM))
        c0, c1 = (int(np.clip(v / _STEP_UM, 0, columns)) for v in (x - radius, x + radius + _STEP_UM))
        down, right = (np.arange(r0, r1) + 0.5) * _STEP_UM - y, (np.arange(c0, c1) + 0.5) * _STEP_UM - x
        chord = radius**2 - down[:, None] ** 2 - right[None, :] ** 2
        chords[r0:r1, c0:c1] += 2 * np.sqrt(np.maximum(chord, 0)).astype(np.float32)
    return np.exp(-_MU_PER_UM * chords - _TAPE)


def seen_of(scene: NDArray[np.float32], extent_um: Floats, centre_um: Floats, to_true: Floats) -> Floats:
    """What a pixel of the camera sees: the mean of the scene over it, by `ndimage.affine_transform`."""
    fine = SIDE * _FINER
    # Rows first; from sub-pixels of the picture to steps of the scene.
    to_steps = to_true[::-1, ::-1] * (PIXEL_UM / _FINER / _STEP_UM)
    middle = (centre_um + extent_um / 2)[::-1] / _STEP_UM - 0.5
    offset: Any = middle - to_steps @ np.full(2, (fine - 1) / 2)
    image = ndimage.affine_transform(scene, to_steps, offset, output_shape=(fine, fine), order=1, mode="nearest")
    return image.reshape(SIDE, _FINER, SIDE, _FINER).mean(axis=(1, 3)).astype(np.float64)


def misplaced_um(made: Made, centres_um: NDArray[np.floating]) -> float:
    """Root mean square distance of tiles from their true places, but for what turns or stretches all of them alike."""
    common = np.column_stack((np.ones(len(made.true_um)), made.true_um))
    off = centres_um - made.true_um
    off = off - common @ np.linalg.lstsq(common, off, rcond=None)[0]
    return float(np.sqrt((off**2).sum(axis=1).mean()))


def straight(making: Making) -> Making:
    """The same without what a calibration would have found: for comparison."""
    return replace(making, rotation_deg=0.0, scale=1.0, mirrored=False, transposed=False)
