"""From counts to line integrals, against scans whose line integrals are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.reconstruction.phantoms import Ball, line_integrals, scan_of
from xrm_control.core.errors import DataError
from xrm_control.reconstruction import preprocess
from xrm_control.reconstruction.preprocess import PreprocessSpec, from_views, references_of, remove_rings, transmission
from xrm_control.reconstruction.quality import QualitySums
from xrm_control.reconstruction.references import flat_sets, make_references, robust_mean
from xrm_control.reconstruction.scan import ScanData

THETA = np.linspace(-90, 90, 31)
BALLS = [Ball(4, -3, 1, 6, 0.0458), Ball(-9, 6, -4, 4, 0.0458)]
TRUE = line_integrals(BALLS, THETA, columns=64, axis_px=31.5, pixel_um=0.512, rows=24)


def integrals(scan: ScanData, **spec: object) -> tuple[np.ndarray, np.ndarray]:
    """(n, rows, columns) and opaque pixels per view."""
    chosen = PreprocessSpec.model_validate(spec)
    seen = transmission(scan, chosen)
    found = preprocess.line_integrals(seen, chosen).sinograms.transpose(1, 0, 2)
    return found, QualitySums.of(seen, slice(None)).opaque


@pytest.mark.parametrize("beam_change", [0.0, 0.08, -0.2])
def test_flats_are_interpolated_in_time(beam_change: float) -> None:
    found, opaque = integrals(scan_of(TRUE, THETA, 0.512, beam_change=beam_change))
    assert np.abs(found - TRUE).max() < 2e-3
    assert opaque.sum() == 0


@pytest.mark.parametrize("moved", [False, True])
def test_views_a_few_at_a_time_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch, moved: bool) -> None:
    scan = scan_of(TRUE, THETA, 0.512, noise_seed=3, photons=500.0, beam_change=0.1)
    scan = replace(scan, shifts_px=np.random.default_rng(1).normal(0, 0.4, (31, 2)))
    spec = PreprocessSpec(apply_shifts=moved)
    whole = transmission(scan, spec)
    views = np.array([30, 2, 3, 17, 4, 5])
    monkeypatch.setattr(preprocess, "_FEW", 2 * 24 * 64)
    few = from_views(scan, spec, references_of(scan), views, lambda seen: seen.values.copy())
    assert [len(one) for one in few] == [2, 2, 2]
    assert np.array_equal(np.concatenate(few), whole.values[views])


def test_flats_are_one_set_until_a_projection_comes_between() -> None:
    sets = flat_sets(np.array([50.0, 1, 0, 51, 20]), np.array([10.0, 11, 30]))
    assert [list(one) for one in sets] == [[1, 2], [4], [0, 3]]
    references = make_references(
        np.array([100.0, 100, 300])[:, None, None] * np.ones((3, 4, 20)),
        np.array([0.0, 2, 11]),
        np.zeros((0, 4, 20)),
        np.array([5.0]),
    )
    assert references.beam_time_s == pytest.approx([1.0, 11.0])
    assert [references.beam_at(t).mean() for t in (-5.0, 1, 6, 11, 99)] == pytest.approx([100, 100, 200, 300, 300])


def test_a_zinger_in_a_flat_does_not_reach_the_mean() -> None:
    frames = np.random.default_rng(0).normal(1000, 30, (5, 20, 30)).astype(np.float32)
    clean = frames.mean(axis=0)
    frames[2, 7, 9] += 20_000
    assert abs(robust_mean(frames)[7, 9] - 1000) < 60
    assert np.abs(robust_mean(frames) - clean)[frames[2] < 5000].max() < 30


def test_the_cameras_gain_and_noise_are_measured() -> None:
    seen = transmission(scan_of(TRUE, THETA, 0.512, noise_seed=3, photons=2000.0, beam_counts=20_000))
    assert seen.gain_counts == pytest.approx(10.0, rel=0.1)
    assert seen.read_counts == pytest.approx(5.0, rel=0.1)


def test_opaque_pixels_take_the_floor_and_are_counted() -> None:
    thick = TRUE.copy()
    thick[5, 10:14, 20:30] = 40.0
    scan = scan_of(thick, THETA, 0.512, noise_seed=1, photons=2000.0)
    scan.projections[:][7, 3, 3:6] = 0  # below the dark level: negative after it is taken off
    found, opaque = integrals(scan, faint_quanta=0)
    assert opaque[5] >= 20  # half of forty, and more: noise about zero
    assert opaque[7] == 3
    assert opaque.sum() - opaque[5] - opaque[7] == 0
    assert found[5, 10:14, 20:30].mean() > 5.0  # never air
    assert np.isfinite(found).all()
    assert found.max() < np.log(20_000) + 1


def test_averaging_of_faint_pixels_leaves_bright_ones_alone() -> None:
    thick = TRUE + np.float32(5.5) * (np.arange(64) > 40)
    scan = scan_of(thick, THETA, 0.512, noise_seed=2, photons=500.0)
    plain, averaged = (integrals(scan, faint_quanta=q)[0] for q in (0, 8))
    bright = thick < 2.5
    assert np.array_equal(plain[bright], averaged[bright])
    faint = thick > 4
    assert (averaged - thick)[faint].std() < 0.8 * (plain - thick)[faint].std()
    assert abs((averaged - thick)[faint].mean()) < 0.5 * abs((plain - thick)[faint].mean()) + 0.02


def test_zingers_go_and_edges_stay() -> None:
    scan = scan_of(TRUE, THETA, 0.512)
    clean, _ = integrals(scan, zinger_sigmas=None)
    untouched = transmission(scan)
    hit = scan.projections[:].copy()
    where = [(2, 5, 30), (9, 0, 0), (30, 23, 63), (17, 12, 40)]
    for view, row, column in where:
        hit[view, row, column] = 60_000
    seen = transmission(replace(scan, projections=hit))
    assert untouched.zingers == 0
    assert seen.zingers == len(where)
    found, _ = integrals(replace(scan, projections=hit))
    rest = np.ones(found.shape, bool)
    for at in where:
        rest[at] = False
        assert abs(found[at] - clean[at]) < 0.15
    assert np.array_equal(found[rest], clean[rest])


def test_dead_columns_and_hot_pixels_are_bridged() -> None:
    scan = scan_of(TRUE, THETA, 0.512)
    for frames in (scan.projections[:], scan.flats):
        frames[:, :, 30] = 100
    for frames in (scan.projections[:], scan.flats, scan.darks):
        frames[:, 4, 50] += 8000
    seen = transmission(scan)
    found, _ = integrals(scan)
    assert seen.bad_pixels == 25
    assert np.abs(found - TRUE)[:, :, 30].max() < 0.12  # at the rim, where a line between neighbours is not the curve
    assert np.abs(found - TRUE)[:, 4, 50].max() < 0.12
    good = np.delete(np.arange(64), [30, 50])
    assert np.abs(found - TRUE)[:, :, good].max() < 2e-3


def test_air_at_the_sides_follows_the_beam() -> None:
    small = line_integrals([Ball(0, 0, 0, 6, 0.0458)], THETA, columns=64, axis_px=31.5, pixel_um=0.512, rows=24)
    scan = scan_of(small, THETA, 0.512)
    flicker = np.random.default_rng(0).uniform(0.9, 1.1, len(THETA))
    counts = (scan.projections[:] - 100.0) * flicker[:, None, None] + 100
    found, _ = integrals(replace(scan, projections=counts.astype(np.float32)), air_margin_px=6)
    assert np.abs(found - small).max() < 3e-3
    covered = scan_of(small + 3, THETA, 0.512)
    with pytest.raises(DataError, match="do not see air"):
        integrals(covered, air_margin_px=6)


def test_rings_go_and_the_sample_stays() -> None:
    theta = np.arange(181.0)
    true = line_integrals([Ball(6, 2, 0, 10, 0.05)], theta, columns=96, axis_px=47.5, pixel_um=0.512)[:, 0]
    stripes = np.zeros(96, np.float32)
    stripes[[20, 47, 60, 61]] = [0.06, -0.05, 0.04, 0.05]
    treated = true + stripes
    remove_rings(treated, 9)
    change = np.abs((treated - true).mean(axis=0))
    assert np.all(change[stripes != 0] < 0.5 * np.abs(stripes[stripes != 0]))
    assert np.abs(treated - true).mean() < 0.01 * true.max()


def test_stored_shifts_are_applied_only_on_request() -> None:
    scan = scan_of(TRUE, THETA, 0.512)
    moved = replace(
        scan, projections=np.roll(scan.projections[:], 3, axis=2), flats=scan.flats * 0 + 20_100, shifts_px=None
    )
    shifts = np.tile([-3.0, 0.0], (len(THETA), 1))
    kept = transmission(replace(moved, shifts_px=shifts)).values
    back = transmission(replace(moved, shifts_px=shifts), PreprocessSpec(apply_shifts=True)).values
    assert np.array_equal(kept, transmission(moved).values)
    assert np.abs(back[..., 4:-4] - kept[..., 7:-1]).max() < 1e-3


@pytest.mark.parametrize("deepest", [1.0, 5.0, 8.0])
def test_normalised_projections_need_no_references(deepest: float) -> None:
    """However faint they are: nothing is known of a camera whose noise would make a few counts doubtful."""
    true = TRUE * (deepest / TRUE.max())
    scan = scan_of(true, THETA, 0.512)
    bare = replace(
        scan,
        projections=np.exp(-true),
        flats=scan.flats[:0],
        flat_time_s=np.zeros(0),
        darks=scan.darks[:0],
        normalised=True,
    )
    assert np.abs(integrals(bare)[0] - true).max() < 1e-5
    assert (transmission(bare).gain_counts, transmission(bare).read_counts) == (0, 0)


def sound() -> ScanData:
    return scan_of(TRUE, THETA, 0.512)


def with_nan(frames: np.ndarray, index: int) -> np.ndarray:
    spoiled = frames.astype(np.float32)
    spoiled[index, 2, 3:5] = np.nan
    return spoiled


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: {"projections": with_nan(s.projections, 6)}, "projections, view 6: 2 pixels are NaN"),
        (lambda s: {"flats": with_nan(s.flats, 1)}, "flats, view 1: 2 pixels are NaN"),
        (lambda s: {"darks": with_nan(s.darks, 0)}, "darks, view 0"),
        (lambda s: {"projections": s.projections[0]}, "projections must be"),
        (lambda s: {"projections": s.projections[:0]}, "projections must be"),
        (lambda s: {"theta_deg": s.theta_deg[1:]}, "one value per view"),
        (lambda s: {"theta_deg": s.theta_deg * np.nan}, "theta_deg, index 0"),
        (lambda s: {"theta_deg": s.theta_deg * 0}, "two angles"),
        (lambda s: {"theta_deg": np.linspace(-np.pi / 2, np.pi / 2, len(s.theta_deg))}, "look like radians"),
        (lambda s: {"theta_deg": np.linspace(0, 2 * np.pi, len(s.theta_deg), endpoint=False)}, "look like radians"),
        (lambda s: {"time_s": s.time_s[1:]}, "time_s"),
        (lambda s: {"flats": s.flats[:, 1:]}, "shape of the projections"),
        (lambda s: {"darks": s.darks[:, :, 1:]}, "shape of the projections"),
        (lambda s: {"flats": s.flats[:0], "flat_time_s": s.flat_time_s[:0]}, "no reference images"),
        (lambda s: {"flat_time_s": s.flat_time_s[1:]}, "one time per flat"),
        (lambda s: {"flats": s.flats * 0 + 100}, "hold no beam"),
        (lambda s: {"pixel_size_um": 0.0}, "pixel size"),
        (lambda s: {"shifts_px": np.zeros((3, 2))}, "shifts"),
    ],
)
def test_what_cannot_be_reconstructed_is_refused(change, says: str) -> None:
    scan = sound()
    with pytest.raises(DataError) as caught:
        transmission(replace(scan, **change(scan)))
    assert says in str(caught.value)
