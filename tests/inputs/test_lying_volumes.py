"""Volumes of several particles that were clipped, levelled, copied, cut or stretched on their way; and sound ones."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
from scipy import ndimage

import xrm_control as xrm
from tests.analysis.phantoms import MU, VOXEL_UM, Body, render
from xrm_control.analysis.shape_doubts import cut_at_once
from xrm_control.core.errors import DataError

pytestmark = pytest.mark.usefixtures("white_figures")

SHAPE = (40, 64, 64)


def bodies(seed: int, count: int = 9, stretch: tuple[float, float, float] = (1, 1, 1)) -> list[Body]:
    """Ellipsoids of any direction along the axes, that lie whole in the volume and apart."""
    random = np.random.default_rng(seed)
    found: list[Body] = []
    for _ in range(5000):
        x, y, z = (float(one) for one in random.uniform((-11, -11, -5), (11, 11, 5)))
        a, b, c = (float(one) * more for one, more in zip(random.uniform(2.0, 3.4, 3), stretch, strict=True))
        apart = all(
            np.linalg.norm(np.subtract((x, y, z), one.centre)) > max(a, b, c) + max(one.axes) + 1 for one in found
        )
        if apart:
            found.append(Body((x, y, z), (a, b, c)))
        if len(found) == count:
            break
    return found


BODIES = bodies(3)
VOLUME = render(BODIES, SHAPE, snr=20)
CLEAN = render(BODIES, SHAPE, snr=None)
LATER = (np.arange(SHAPE[0]) >= 20)[:, None, None]
_, Y, X = np.indices(SHAPE)
OUTSIDE = np.hypot(Y - 31.5, X - 31.5) > 31


def houns(volume: np.ndarray, water: float = 0.02) -> np.ndarray:
    return 1000 * (volume / water - 1)


def box(volume: np.ndarray, value: float) -> np.ndarray:
    volume = volume.copy()
    volume[4:11, 30:36, 40:46] = value
    return volume


DOUBTED: dict[str, tuple[np.ndarray, str]] = {
    "clipped at 3000 HU": (np.clip(houns(VOLUME, 0.004), -1000, 3000).astype(np.int16), "cut off: .*one value, 3000"),
    "clipped at 12 bits": (np.clip(200 + VOLUME / MU * 6000, 0, 4095).astype(np.uint16), "cut off: .*one value, 4095"),
    "floats clipped at a third": (np.minimum(VOLUME, MU / 3), "cut off: .*and none is above"),
    "floats clipped above half": (np.minimum(VOLUME, 0.8 * MU), "cut off: .*and none is above"),
    "every second slice": (VOLUME[::2], "stretched: .* along z"),
    "two of three slices": (np.delete(VOLUME, np.s_[::3], axis=0), "stretched: "),
    "slices nearer than pixels": (
        np.asarray(ndimage.zoom(VOLUME, (1.6, 1, 1), order=1)),
        "stretched: .* times as long along z",
    ),
    "the upper half shifted by 4 um": (np.where(LATER, np.roll(VOLUME, 8, axis=2), VOLUME), "a jump: slices 19 and 20"),
    "the upper half turned": (np.where(LATER, VOLUME[:, ::-1, ::-1], VOLUME), "a jump: slices 19 and 20"),
    "a block of matter": (box(VOLUME, MU), "painted over: .*0.046, at z 4 to"),
    "a block of nothing": (box(VOLUME, 0.0), "painted over: "),
    "of 16 bits": (box(np.clip(8000 + VOLUME / MU * 30_000, 0, 65535).astype(np.uint16), 38_000), "painted over: "),
    "logarithms": (np.log(np.maximum(VOLUME, 0) + 0.01), "no attenuation: "),
    "its mean taken off": (VOLUME - np.float32(MU / 4), "no attenuation: "),
    "Hounsfield units over 1000": (houns(VOLUME).astype(np.float32) / 1000, "no attenuation: "),
}


@pytest.mark.parametrize(("volume", "says"), DOUBTED.values(), ids=DOUBTED)
def test_a_lie_is_doubted(volume: np.ndarray, says: str) -> None:
    doubts = xrm.analyze(volume, voxel_size_um=VOXEL_UM).results.doubts
    assert [doubt for doubt in doubts if re.match(says, doubt)], doubts


RANKS = np.argsort(np.argsort(VOLUME.ravel())).reshape(SHAPE) / VOLUME.size
REFUSED: dict[str, tuple[np.ndarray, str]] = {
    "equalised": (RANKS.astype(np.float32), "the histogram was equalised"),
    "to 8 bits": ((255 * RANKS).astype(np.uint8), "the histogram was equalised"),
    "to 16 bits": ((65535 * RANKS).astype(np.uint16), "the histogram was equalised"),
    "mirrored along x": (np.concatenate([VOLUME[..., :32], VOLUME[..., 31::-1]], axis=2), "columns .*mirrored"),
    "mirrored along y": (np.concatenate([VOLUME[:, :32], VOLUME[:, 31::-1]], axis=1), "rows .*mirrored"),
    "twice along x": (np.concatenate([VOLUME, VOLUME], axis=2), "columns 0 and 64: columns are there twice"),
    "twice along y": (np.concatenate([VOLUME, VOLUME], axis=1), "rows 0 and 64: rows are there twice"),
    "a few columns again": (np.concatenate([VOLUME, VOLUME[..., 10:14]], axis=2), "columns 10 and 64"),
    "NaN within": (np.where(X + Y == 60, np.float32(np.nan), VOLUME), "array: the volume holds NaN or infinity"),
    "NaN in one slice": (np.where((X == 3) & ~LATER, np.float32(np.nan), VOLUME), "the volume holds NaN"),
    "infinity": (np.where((X == 30) & (Y == 30), np.float32(np.inf), VOLUME), "the volume holds NaN or infinity"),
}


@pytest.mark.parametrize(("volume", "says"), REFUSED.values(), ids=REFUSED)
def test_a_lie_is_refused(volume: np.ndarray, says: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataError, match=says):
            xrm.analyze(volume, voxel_size_um=VOXEL_UM)


SOUND: dict[str, np.ndarray] = {
    "as it is": VOLUME,
    "without noise": CLEAN,
    "without noise, 8 bits": (20 + CLEAN / MU * 180).astype(np.uint8),
    "hardly any noise, 8 bits": (20 + render(BODIES, SHAPE, snr=300) / MU * 180).astype(np.uint8),
    "Hounsfield units": houns(VOLUME).astype(np.int16),
    "12 bits in full": np.clip(500 + VOLUME / MU * 3000, 0, 4095).astype(np.uint16),
    "none below zero": np.maximum(VOLUME, 0),
    "on a ground": VOLUME + np.float32(0.01),
    "a little below": VOLUME - np.float32(0.05 * MU),
    "a mask of NaN": np.where(OUTSIDE, np.float32(np.nan), VOLUME),
    "other bodies": render(bodies(11), SHAPE, snr=20),
    "flat ones": render(bodies(4, 12, (1, 0.6, 1)), SHAPE, snr=20),
    "a crop": VOLUME[4:36, 6:60, 3:58],
}


@pytest.mark.parametrize("volume", SOUND.values(), ids=SOUND)
def test_a_sound_one_is_not(volume: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert xrm.analyze(volume, voxel_size_um=VOXEL_UM).results.doubts == ()


def test_a_cut_through_all_bodies_is_told() -> None:
    phases = (CLEAN > MU / 2).astype(np.uint8)
    assert cut_at_once(phases) == ()
    fullest = int(np.argmax(np.count_nonzero(phases, axis=(1, 2))))
    phases[fullest + 1 :] = 0
    (said,) = cut_at_once(phases)
    assert re.match(rf"a cut: all [3-9] bodies that slice {fullest} shows end there, and slice {fullest + 1}", said)
    (said,) = cut_at_once(phases[::-1])
    assert re.match(rf"a cut: all [3-9] bodies that slice {SHAPE[0] - 1 - fullest} shows", said)
