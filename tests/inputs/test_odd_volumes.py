"""Volumes that can be measured and should not be believed, or not be measured at all; and sound ones of odd make."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

import xrm_control as xrm
from tests.analysis.phantoms import VOXEL_UM, ball, render
from tests.inputs.files import data_exchange
from tests.inputs.test_volumes import CLEAN, SHAPE, VOLUME, check, outside
from xrm_control.analysis.field import find_field
from xrm_control.analysis.volume_check import refuse_broken
from xrm_control.analysis.volume_doubts import jumps
from xrm_control.core.errors import DataError
from xrm_control.storage.formats.registry import open_volume, read_scan
from xrm_control.storage.formats.scan_file import ScanOptions

pytestmark = pytest.mark.usefixtures("white_figures")

X = np.indices(SHAPE)[2]
SOLID = CLEAN > 0.025
HALF = np.arange(SHAPE[0]) >= 18


def bytes_of(volume: np.ndarray, contrast: float, ground: float = 30) -> np.ndarray:
    return np.clip(ground + volume / 0.05 * contrast, 0, 255).astype(np.uint8)


def later(act: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The upper half of the slices changed."""
    return np.where(HALF[:, None, None], act(VOLUME), VOLUME)


DOUBTED: dict[str, tuple[np.ndarray, str]] = {
    "a mask": (SOLID.astype(np.uint8), "a mask: "),
    "of 255": (np.where(SOLID, 255, 0).astype(np.uint8), "a mask: "),
    "of floats": (SOLID.astype(np.float32) * np.float32(0.05), "a mask: "),
    "too bright for 8 bits": (bytes_of(VOLUME, 400), "cut off: .* brighter .* 255"),
    "for 16 bits": (np.clip(1000 + VOLUME * 2e6, 0, 65535).astype(np.uint16), "cut off: .* brighter .* 65535"),
    "too dark for 8 bits": (bytes_of(VOLUME, 250, -60), "cut off: .* darker .* 0 "),
    "the upper half shifted": (later(lambda v: np.roll(v, 10, axis=1)), "a jump: slices 17 and 18"),
    "shifted the other way": (later(lambda v: np.roll(v, -8, axis=2)), "a jump: slices 17 and 18"),
    "turned round": (later(lambda v: v[:, ::-1, ::-1]), "a jump: slices 17 and 18"),
    "mirrored": (later(lambda v: v[:, :, ::-1]), "a jump: slices 17 and 18"),
    "all cut by the border": (render([ball(0, 0, 10, 6)], SHAPE, snr=20), "no particle is whole: .* the only one"),
}


@pytest.mark.parametrize(("volume", "says"), DOUBTED.values(), ids=DOUBTED)
def test_a_volume_is_doubted(tmp_path: Path, volume: np.ndarray, says: str) -> None:
    np.save(tmp_path / "v.npy", volume)
    doubts = xrm.analyze(tmp_path / "v.npy", voxel_size_um=VOXEL_UM).results.doubts
    assert [doubt for doubt in doubts if re.search(says, doubt)], doubts


def test_single_bodies_that_end_at_flat_faces_are_no_jump() -> None:
    """One body goes on, one ends, another begins: of a shift all would leave their place."""
    phases = np.zeros((20, 40, 40), np.uint8)
    phases[:, 2:10, 2:10] = 1
    phases[:10, 20:27, 2:9] = 1
    phases[10:, 20:27, 20:27] = 1
    assert jumps(phases) == ()
    phases[10:] = np.roll(phases[10:], 8, axis=2)
    assert jumps(phases)[0].startswith("a jump: slices 9 and 10")


STRETCHED = [(v - v.min()) / np.ptp(v) for v in VOLUME]
REFUSED: dict[str, tuple[np.ndarray, str]] = {
    "labels": (np.where(SOLID, np.where(X > 24, 300, 1), 0).astype(np.uint16), "labels and no grey values.*3 numbers"),
    "phases": (np.where(SOLID, np.where(X > 24, 2, 1), 0).astype(np.uint8), "labels and no grey values"),
    "labels as floats": (np.where(SOLID, np.where(X > 24, 7.0, 3.0), 0.0), "labels and no grey values"),
    "each slice in a scale of its own": (np.stack(STRETCHED).astype(np.float32), "each slice was stretched"),
    "of 8 bits": ((255 * np.stack(STRETCHED)).astype(np.uint8), "each slice was stretched.*0 to 255"),
}


@pytest.mark.parametrize(("volume", "says"), REFUSED.values(), ids=REFUSED)
def test_a_volume_is_refused(tmp_path: Path, volume: np.ndarray, says: str) -> None:
    np.save(tmp_path / "v.npy", volume)
    with pytest.raises(DataError, match=rf"v\.npy.*{says}"):
        xrm.analyze(tmp_path / "v.npy", voxel_size_um=VOXEL_UM)


SOUND: dict[str, np.ndarray] = {
    "8 bits": bytes_of(VOLUME, 150),
    "a few voxels at the ends": bytes_of(VOLUME, 190),
    "without noise": CLEAN,
    "without noise, in 8 bits": bytes_of(CLEAN, 150),
    "16 bits from the ground up": np.clip(VOLUME / 0.05 * 30_000, 0, 65535).astype(np.uint16),
    "Fortran's order": np.asfortranarray(VOLUME),
}


@pytest.mark.parametrize("volume", SOUND.values(), ids=SOUND)
def test_a_sound_volume_is_not_doubted(tmp_path: Path, volume: np.ndarray) -> None:
    np.save(tmp_path / "v.npy", volume)
    found = check(tmp_path / "v.npy", rel=0.02)
    assert (found.results.doubts, found.results.warnings) == ((), ())


@pytest.mark.parametrize("radius", [20.0, 90.0])
def test_a_large_even_body_with_soft_edges_is_no_label(radius: float) -> None:
    """Of a large body without noise nearly all voxels have the number of their neighbours."""
    z, y, x = np.ogrid[-4:5, -100:100, -100:100]
    body = np.clip(radius - np.sqrt(z * z + y * y + x * x) + 0.5, 0, 1)
    refuse_broken((20 + 180 * body).astype(np.uint8), find_field(body, "box"))
    with pytest.raises(DataError, match="labels"):
        refuse_broken(np.where(body > 0.5, np.where(x > 0, 2, 1), 0).astype(np.uint8), find_field(body, "box"))


def test_less_dense_particles_are_named() -> None:
    found = xrm.analyze(np.where(X > 24, VOLUME * 0.4, VOLUME), voxel_size_um=VOXEL_UM)
    assert found.results.counts.particles == 1
    assert "1 bodies of at least 31 voxels lie below the threshold" in found.results.warnings[0]


def test_slices_that_were_repeated() -> None:
    (said,) = xrm.analyze(VOLUME.repeat(2, axis=0), voxel_size_um=VOXEL_UM).results.warnings
    assert "enlarged along z alone" in said


@pytest.mark.parametrize("radius", [1.0, 0.9])
def test_a_mask_of_no_number(tmp_path: Path, radius: float) -> None:
    np.save(tmp_path / "v.npy", np.where(outside(VOLUME, radius), np.float32(np.nan), VOLUME))
    found = check(tmp_path / "v.npy")
    assert "mask" in found.results.field
    np.save(tmp_path / "w.npy", np.where(X == 24, np.float32(np.nan), VOLUME))
    with pytest.raises(DataError, match=r"NaN or infinity.*write a number in their place"):
        open_volume(tmp_path / "w.npy")


def test_a_slice_is_named_where_it_lies(tmp_path: Path) -> None:
    lost = VOLUME.copy()
    lost[17:20] = 0
    np.save(tmp_path / "v.npy", lost)
    with pytest.raises(DataError, match=r"v\.npy: slices 17 to 19: slices hold one value alone"):
        xrm.analyze(tmp_path / "v.npy", voxel_size_um=VOXEL_UM)


@pytest.mark.parametrize(("stated_um", "fits"), [(VOXEL_UM, True), (10 * VOXEL_UM, False), (0.5, True), (0.25, False)])
def test_a_hand_off_against_its_volume(tmp_path: Path, stated_um: float, *, fits: bool) -> None:
    about = {f"PhysicalSize{axis}": VOXEL_UM for axis in "XYZ"}
    tifffile.imwrite(tmp_path / "v.ome.tif", VOLUME, ome=True, metadata={"axes": "ZYX", **about})
    (tmp_path / "handoff.json").write_text(json.dumps({"volume": "v.ome.tif", "voxel_size_um": stated_um}))
    if fits:
        assert xrm.analyze(tmp_path / "handoff.json").results.counts.particles == 2
        return
    with pytest.raises(DataError, match=r"contradict each other about the edge of a voxel.*0\.512 um"):
        xrm.analyze(tmp_path / "handoff.json")


def pages(path: Path, *stacks: np.ndarray, each: bool = False) -> Path:
    """Stacks one after the other in a file, or page by page."""
    with tifffile.TiffWriter(path) as file:
        for stack in stacks:
            for part in stack if each else [stack]:
                file.write(part, photometric="minisblack", contiguous=False)
    return path


def test_pages_that_were_added_one_by_one(tmp_path: Path) -> None:
    check(pages(tmp_path / "v.tif", VOLUME, each=True))
    for name, parts in (
        ("two.tif", (VOLUME[:20], VOLUME[20:])),
        ("small.tif", (VOLUME, VOLUME[0, :9, :9])),
        ("types.tif", (VOLUME[:20], (VOLUME[20:] * 1e5).astype(np.int32))),
    ):
        with pytest.raises(DataError, match=rf"{name}.*several shapes or types, or several stacks.*\(20|\(36"):
            open_volume(pages(tmp_path / name, *parts), VOXEL_UM)


def test_the_same_of_projections(tmp_path: Path) -> None:
    views = np.ones((9, 6, 7), np.uint16)
    told = ScanOptions(start_deg=0, end_deg=180)
    assert len(read_scan(pages(tmp_path / "a.tif", views, each=True), told).projections) == 9
    with pytest.raises(DataError, match="several shapes or types"):
        read_scan(pages(tmp_path / "b.tif", views[:5], views[5:].astype(np.float32)), told)


def test_patterns_that_take_projections_too(tmp_path: Path) -> None:
    for number in range(12):
        tifffile.imwrite(tmp_path / f"img_{number:03d}.tif", np.full((6, 7), number, np.uint16))
    with pytest.raises(DataError, match=r"named like projections.*img_000\.tif and 2 more, beside img_003\.tif"):
        read_scan(tmp_path, ScanOptions(start_deg=0, end_deg=180, flats="img_00[0-2].tif"))


def test_black_and_white_pictures(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "v.tif", SOLID)
    with pytest.raises(DataError, match=r"black and white alone|real numbers"):
        open_volume(tmp_path / "v.tif", VOXEL_UM)


def test_errors_of_a_scan_name_its_file(tmp_path: Path) -> None:
    theta = np.where(np.arange(61) == 7, np.nan, np.linspace(-90, 90, 61))
    with pytest.raises(DataError, match=r"a\.h5: theta_deg, index 7"):
        xrm.reconstruct(data_exchange(tmp_path / "a.h5", exchange__theta=theta))
