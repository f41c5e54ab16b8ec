"""Whole scans, made in closed form and real."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from pydantic import ValidationError

from tests.reconstruction.phantoms import Ball, coordinates_um, line_integrals, scan_of
from xrm_control.core.errors import DataError, RecipeError
from xrm_control.core.geometry import Pose, lateral_um, stage_to_volume
from xrm_control.reconstruction.pipeline import reconstruct_scan
from xrm_control.reconstruction.scan import ScanData
from xrm_control.reconstruction.spec import ReconstructionSpec, parts_of

TOOTH = Path(__file__).parents[2] / ".." / "shared" / "data" / "tooth.h5"
THETA = np.linspace(-90, 90, 141)
MU, PIXEL = 0.0458, 0.512
BALL = Ball(6, -10.5, 3, 7, MU)


def powder_beyond() -> list[Ball]:
    """Balls on the tape, all of them outside the field of view at theta = 0."""
    random = np.random.default_rng(5)
    balls = [
        Ball(*place, MU)
        for place in zip(
            random.uniform(-150, 150, 120),
            random.uniform(-4, 4, 120),
            random.uniform(-25, 25, 120),
            random.uniform(2, 5, 120),
            strict=True,
        )
    ]
    return [ball for ball in balls if abs(ball.x_um) > 30]


def tape_scan(axis_px: float = 50.2, **more) -> ScanData:
    """64 rows and 96 columns; a sphere over a tape with powder that reaches far beyond the field of view."""
    integrals = line_integrals(
        [BALL, *powder_beyond()],
        THETA,
        columns=96,
        rows=64,
        axis_px=axis_px,
        pixel_um=PIXEL,
        strip=(320.0, 6.0, 0.003),
    )
    return scan_of(integrals, THETA, PIXEL, **more)


@pytest.fixture(scope="module")
def noisy_scan() -> ScanData:
    return tape_scan(noise_seed=4, photons=3000.0, beam_change=0.03)


def test_a_sphere_keeps_place_and_attenuation(noisy_scan: ScanData) -> None:
    result = reconstruct_scan(noisy_scan)
    assert result.volume.shape == (64, 96, 96)
    assert result.volume.dtype == np.float32
    assert result.voxel_size_um == PIXEL
    assert result.rows == (0, 64)
    assert result.rotation_axis_px == pytest.approx(50.2, abs=0.05)
    x, y = coordinates_um(96, PIXEL)
    z = ((np.arange(64) - 31.5) * PIXEL)[:, None, None]
    away = np.sqrt((x - BALL.x_um) ** 2 + (y - BALL.y_um) ** 2 + (z - BALL.z_um) ** 2)
    assert result.volume[away < 5.5].mean() == pytest.approx(MU, rel=0.02)
    solid = np.where((result.volume > MU / 2) & (away < 10), 1.0, 0.0)
    assert (solid * x).sum() / solid.sum() == pytest.approx(BALL.x_um, abs=0.05)
    assert (solid * y).sum() / solid.sum() == pytest.approx(BALL.y_um, abs=0.05)
    assert (solid * z).sum() / solid.sum() == pytest.approx(BALL.z_um, abs=0.05)
    assert solid.sum() * PIXEL**3 == pytest.approx(4 / 3 * np.pi * 7**3, rel=0.03)


def test_quality_figures(noisy_scan: ScanData) -> None:
    quality = reconstruct_scan(noisy_scan, ReconstructionSpec(rows=(30, 33))).quality
    assert quality["rotation_axis_px"] == pytest.approx(50.2, abs=0.05)
    assert quality["rotation_axis_offset_px"] == pytest.approx(2.7, abs=0.05)
    assert 0 < quality["rotation_axis_uncertainty_px"] < 0.1
    assert quality["opaque_fraction"] < 0.01
    assert 0.4 < quality["transmission_mean"] < 0.95
    assert quality["camera_gain_counts"] == pytest.approx(20_000 / 3000, rel=0.15)
    assert all(isinstance(value, float) and np.isfinite(value) for value in quality.values())


def test_a_slab_is_the_same_as_those_rows_of_the_whole(noisy_scan: ScanData) -> None:
    plain = {"preprocess": {"faint_quanta": 0}, "method": {"kind": "fbp", "padding": 1}}
    spec = ReconstructionSpec.model_validate(plain)
    whole = reconstruct_scan(noisy_scan, spec)
    slab = reconstruct_scan(noisy_scan, spec.model_copy(update={"rows": (20, 24)}))
    assert slab.rows == (20, 24)
    assert slab.rotation_axis_px == whole.rotation_axis_px
    assert np.abs(slab.volume - whole.volume[20:24]).max() < 0.02 * MU


def test_the_frames_of_reference_agree_with_core_geometry() -> None:
    x_um, z_um = 9.0, 5.0  # of a sample point in the stage frame, from the rotation axis
    u_px = np.array([lateral_um(x_um, z_um, theta) for theta in THETA]) / PIXEL + 30
    columns = np.arange(64)
    blob = 0.4 * np.exp(-0.5 * ((columns[None] - u_px[:, None]) / 2.5) ** 2)
    scan = scan_of(np.repeat(blob[:, None].astype(np.float32), 3, axis=1), THETA, PIXEL)
    volume = reconstruct_scan(scan, ReconstructionSpec(rotation_axis=30.0)).volume
    expected = stage_to_volume(np.array([[x_um, 0, z_um]]), Pose(0, 0, 0, 0))[0]
    x, y = coordinates_um(64, PIXEL)
    mass = np.where(volume[1] > volume[1].max() / 4, volume[1], 0)
    assert (mass * x).sum() / mass.sum() == pytest.approx(expected[0], abs=0.05)
    assert (mass * y).sum() / mass.sum() == pytest.approx(expected[1], abs=0.05)


def test_a_given_axis_is_taken(noisy_scan: ScanData) -> None:
    result = reconstruct_scan(noisy_scan, ReconstructionSpec(rotation_axis=47.0, rows=(0, 2)))
    assert result.rotation_axis_px == 47.0
    assert result.quality["rotation_axis_pairs"] == 0


@pytest.mark.parametrize(
    ("spec", "error", "says"),
    [
        ({"rows": (0, 65)}, RecipeError, "reconstruction.rows"),
        ({"rows": (5, 5)}, RecipeError, "reconstruction.rows"),
        ({"rows": (-1, 5)}, RecipeError, "reconstruction.rows"),
        ({"rotation_axis": 96.0}, RecipeError, "reconstruction.rotation_axis"),
        ({"rotation_axis": -1.0}, RecipeError, "reconstruction.rotation_axis"),
    ],
)
def test_a_recipe_that_does_not_fit_the_detector(noisy_scan, spec: dict, error, says: str) -> None:
    with pytest.raises(error, match=says):
        reconstruct_scan(noisy_scan, ReconstructionSpec.model_validate(spec))


def test_misspelt_and_impossible_settings() -> None:
    for wrong in (
        {"method": {"kind": "fpb"}},
        {"rotation_axis": "autto"},
        {"rotaton_axis": 3.0},
        {"preprocess": {"zinger_sigmas": 1}},
        {"method": {"kind": "sirt", "iterations": 0}},
    ):
        with pytest.raises(ValidationError):
            ReconstructionSpec.model_validate(wrong)


def test_nan_and_missing_pairs_stop_the_reconstruction(noisy_scan: ScanData) -> None:
    spoiled = noisy_scan.projections[:].astype(np.float32)
    spoiled[77, 3, 3] = np.inf
    with pytest.raises(DataError, match="projections, view 77"):
        reconstruct_scan(replace(noisy_scan, projections=spoiled))
    with pytest.raises(DataError, match="half a turn"):
        reconstruct_scan(replace(noisy_scan, theta_deg=THETA / 2))


def test_everything_crosses_a_process_border(noisy_scan: ScanData) -> None:
    spec = ReconstructionSpec.model_validate({"method": {"kind": "fbp", "filter": "hann"}, "rows": (3, 4)})
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert ReconstructionSpec.model_validate_json(spec.model_dump_json()) == spec
    result = pickle.loads(pickle.dumps(reconstruct_scan(pickle.loads(pickle.dumps(noisy_scan)), spec)))
    assert result.volume.shape == (1, 96, 96)


@pytest.fixture(scope="module")
def tooth() -> ScanData:
    if not TOOTH.exists():
        pytest.skip("the real data in ../shared/data is not here")
    with h5py.File(TOOTH) as file:
        names = ("data", "data_white", "data_dark", "theta")
        data, white, dark, theta = (np.asarray(file[f"exchange/{name}"]) for name in names)
    times = np.arange(len(data), dtype=float)
    return ScanData(data, theta, times, white, np.zeros(len(white)), dark, 1.0)


def test_the_real_tooth_is_sharpest_at_the_axis_found(tooth: ScanData) -> None:
    result = reconstruct_scan(tooth)
    assert result.rotation_axis_px == pytest.approx(296, abs=0.75)

    def blur(axis_px: float) -> float:
        """Streaks of negative attenuation, which a wrong axis makes."""
        spec = ReconstructionSpec(rotation_axis=axis_px, rows=(0, 1))
        return float(-np.minimum(reconstruct_scan(tooth, spec).volume, 0).sum())

    found = blur(result.rotation_axis_px)
    assert all(found < blur(result.rotation_axis_px + miss) for miss in (-3, -1, 1, 3))


def test_the_ring_filter_takes_rings_off_the_real_tooth(tooth: ScanData) -> None:
    def roughness(window_px: int) -> float:
        """Variation over the radius, about the rotation axis, of the mean over angles in the air around the tooth."""
        spec = ReconstructionSpec.model_validate({"rows": (0, 1), "preprocess": {"ring_window_px": window_px}})
        volume = reconstruct_scan(tooth, spec).volume[0]
        x, y = coordinates_um(640, 1.0)
        radius = np.hypot(x, y).round().astype(int)
        profile = np.bincount(radius.ravel(), volume.ravel()) / np.maximum(np.bincount(radius.ravel()), 1)
        return float(np.diff(profile[180:280]).std())

    assert roughness(21) < 0.6 * roughness(0)


@pytest.mark.parametrize("rows", [None, (3, 17)])
def test_slabs_give_the_same_volume_as_the_whole(rows: tuple[int, int] | None) -> None:
    """Noise, so that zingers and faint pixels have their say across the borders of slabs."""
    theta = np.linspace(-90, 90, 61)
    balls = [Ball(2, -3, 0, 6, 0.05), Ball(-8, 5, 3, 3, 0.05)]
    integrals = line_integrals(balls, theta, columns=64, axis_px=31.2, pixel_um=0.5, rows=24)
    scan = scan_of(integrals, theta, 0.5, noise_seed=3, photons=30.0)
    spec = ReconstructionSpec.model_validate({"rows": rows})
    whole = reconstruct_scan(scan, spec)
    # Slabs of two rows, parts of eight.
    small = spec.model_copy(update={"memory_gb": 2.5 * 61 * 64 * 80e-9})
    assert len(parts_of(small, (61, 24, 64))) == (3 if rows is None else 2)
    parts = reconstruct_scan(scan, small)
    assert parts.rotation_axis_px == whole.rotation_axis_px
    # What each slab knows of matter beyond the field differs a little.
    noise = np.std(whole.volume[:, 2:12, 2:12])
    assert np.sqrt(np.mean((parts.volume - whole.volume) ** 2)) < 0.05 * noise
    for name, value in whole.quality.items():
        assert parts.quality[name] == pytest.approx(value, rel=0.03, abs=2), name


def test_stored_shifts_sharpen_what_they_blurred() -> None:
    """Views moved along and across the rows, by parts of pixels; moved back, the ball is as it was."""
    theta, ball = np.linspace(-90, 90, 91), Ball(3, -4, 1, 5, MU)
    moved = np.random.default_rng(6).uniform(-3, 3, (91, 2))
    views = [
        line_integrals(
            [replace(ball, z_um=ball.z_um + down * PIXEL)], theta[[view]], columns=64, rows=48, axis_px=31 + right,
            pixel_um=PIXEL,
        )
        for view, (right, down) in enumerate(moved)
    ]  # fmt: skip
    # Counted against the movement: how far each view is to be moved.
    scan = replace(scan_of(np.concatenate(views), theta, PIXEL), shifts_px=-moved)
    right = scan_of(line_integrals([ball], theta, columns=64, rows=48, axis_px=31, pixel_um=PIXEL), theta, PIXEL)
    truth = reconstruct_scan(right, ReconstructionSpec(rotation_axis=31)).volume

    def off(apply: bool) -> float:
        spec = ReconstructionSpec.model_validate({"rotation_axis": 31, "preprocess": {"apply_shifts": apply}})
        return float(np.sqrt(np.mean((reconstruct_scan(scan, spec).volume - truth) ** 2))) / MU

    assert off(True) < 0.01
    assert off(False) > 0.04
