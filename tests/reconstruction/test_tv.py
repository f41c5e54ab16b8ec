"""Total variation against discs known in closed form, ASTRA's matrix, and filtered back-projection as sharp."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.ndimage import gaussian_filter

from tests.reconstruction.phantoms import Ball, coordinates_um, line_integrals
from xrm_control.core.family import Family
from xrm_control.reconstruction.astra_session import projector_matrix
from xrm_control.reconstruction.discrepancy import noise_levels
from xrm_control.reconstruction.gram import Gram
from xrm_control.reconstruction.least_squares import back_projected, sees_all
from xrm_control.reconstruction.methods.cgls import Cgls
from xrm_control.reconstruction.methods.fbp import FilteredBackProjection
from xrm_control.reconstruction.methods.sirt import Sirt
from xrm_control.reconstruction.methods.tv import TotalVariation
from xrm_control.reconstruction.reconstructor import Reconstructor, view_weights
from xrm_control.reconstruction.total_variation import Smoother, StoppingRule, divergence, shrink
from xrm_control.reconstruction.views import views_of

N, PIXEL, MU, SIGMA, ROWS = 96, 0.512, 0.0458, 0.05, 8
THETA = np.linspace(-90, 90, 141)
MIDDLE = (N - 1) / 2
DISCS = [Ball(-6, 3, 0, 7, MU), Ball(9, -7, 0, 4, MU), Ball(5, 11, 0, 1.5, MU)]
UNEVEN = np.r_[THETA[:70], THETA[70::2]]


def scan(
    *, theta: np.ndarray = THETA, columns: int = N, axis_px: float | None = None, sigma: float = SIGMA, **more
) -> np.ndarray:
    """ROWS rows of the same discs, each with its own noise."""
    axis = (columns - 1) / 2 if axis_px is None else axis_px
    rows = [line_integrals([b], theta, columns=columns, axis_px=axis, pixel_um=PIXEL) for b in DISCS]
    if more:
        rows.append(line_integrals([], theta, columns=columns, axis_px=axis, pixel_um=PIXEL, **more))
    clean = np.repeat(np.sum(rows, axis=0).transpose(1, 0, 2), ROWS, axis=0)
    return (clean + np.random.default_rng(1).normal(0, sigma, clean.shape)).astype(np.float32)


def within(columns: int, ball: Ball, radius_um: float) -> np.ndarray:
    x, y = coordinates_um(columns, PIXEL)
    return np.hypot(x - ball.x_um, y - ball.y_um) < radius_um


def edge_px(volume: np.ndarray) -> float:
    """10 to 90 % of the largest disc's rim, mean of all rows and directions."""
    ball = DISCS[0]
    x, y = coordinates_um(volume.shape[1], PIXEL)
    away = np.hypot(x - ball.x_um, y - ball.y_um)
    places = np.arange(-2.5, 2.51, 0.1) * PIXEL
    rim = np.array([volume[:, np.abs(away - ball.radius_um - at) < 0.12].mean() for at in places]) / MU
    return float(np.interp(-0.1, -rim, places) - np.interp(-0.9, -rim, places)) / PIXEL


def noise(volume: np.ndarray, ball: Ball = DISCS[0]) -> float:
    """Within the flat of a disc, relative to it: the larger of that between rows and that within one."""
    flat = volume[:, within(volume.shape[1], ball, ball.radius_um - 1.5)]
    return float(max(flat.std(axis=0).mean(), flat.std(axis=1).mean())) / MU


@pytest.mark.parametrize("size", [48, 49])
@pytest.mark.parametrize("theta", [THETA, UNEVEN, THETA[::5] + 3])
def test_the_gram_operator_is_that_of_astras_matrix(size: int, theta: np.ndarray) -> None:
    slices = gaussian_filter(np.random.default_rng(0).normal(size=(3, size, size)), (0, 3, 3)).astype(np.float32)
    detector = 2 * size
    matrix = projector_matrix(theta, detector, size, (detector - 1) / 2)
    weights = view_weights(theta)
    rays = np.repeat(weights, detector)[:, None]
    theirs = (matrix.T @ (rays * (matrix @ slices.reshape(3, -1).T))).T.reshape(slices.shape)
    ours = Gram(theta, weights, size)(slices)
    # The same but for ASTRA's linear interpolation, which blurs twice.
    assert np.linalg.norm(ours - theirs) < 0.03 * np.linalg.norm(theirs)


def test_the_gram_operator_is_symmetric_and_never_negative() -> None:
    gram = Gram(UNEVEN, view_weights(UNEVEN), 33)
    one, other = np.random.default_rng(0).normal(size=(2, 1, 33, 33)).astype(np.float32)
    assert np.sum(one * gram(other)) == pytest.approx(np.sum(other * gram(one)), rel=1e-4)
    units = np.eye(81, dtype=np.float32).reshape(81, 9, 9)
    values = np.linalg.eigvalsh(Gram(THETA, view_weights(THETA), 9)(units).reshape(81, 81))
    assert values.min() > -1e-3 * values.max()


@pytest.mark.parametrize("axis_px", [47.5, 44.2])
def test_back_projection_is_that_of_astras_matrix(axis_px: float) -> None:
    data = scan(theta=UNEVEN, axis_px=axis_px, sigma=0)[:3]
    weights = view_weights(UNEVEN)
    matrix = projector_matrix(UNEVEN, N, N, axis_px)
    theirs = (matrix.T @ (weights[:, None] * data).reshape(3, -1).T).T.reshape(3, N, N)
    ours = back_projected(data, UNEVEN, weights, axis_px, 1)
    assert np.linalg.norm(ours - theirs) < 0.015 * np.linalg.norm(theirs)


@pytest.mark.parametrize("theta", [THETA[::4], UNEVEN, THETA[np.abs(THETA) < 60]], ids=["few", "uneven", "wedge"])
def test_refining_brings_slices_to_the_data(theta: np.ndarray) -> None:
    data = scan(theta=theta)
    views = views_of(theta, N, MIDDLE)
    target = views.back_projected(data, 2)
    start = FilteredBackProjection(filter="ram-lak").reconstruct(data, theta, MIDDLE, 1.0)
    found = views.sharpest(data, "auto", 2, whole=True)
    gap = np.linalg.norm(target - views.gram(found))
    assert gap < 0.5 * np.linalg.norm(target - views.gram(start))
    assert gap < 5e-3 * np.linalg.norm(target)


def test_a_sample_that_leaves_the_field_of_view_is_noticed() -> None:
    assert sees_all(scan(), SIGMA)
    assert sees_all(scan(sigma=0), 0)
    assert not sees_all(scan(strip=(200.0, 6.0, 0.01)), SIGMA)
    assert not sees_all(scan(axis_px=8.0), SIGMA)


@pytest.mark.parametrize(
    ("theta", "share"), [(THETA[::4], 0.5), (THETA[np.abs(THETA) < 75], 0.6)], ids=["few", "wedge"]
)
def test_few_and_missing_views_are_served_better_than_by_filtered_back_projection(
    theta: np.ndarray, share: float
) -> None:
    data = scan(theta=theta)
    x, y = coordinates_um(N, PIXEL)
    truth = MU * np.any([np.hypot(x - b.x_um, y - b.y_um) < b.radius_um for b in DISCS], axis=0)
    ours, theirs = (
        np.sqrt(np.mean((method.reconstruct(data, theta, MIDDLE, PIXEL) - truth) ** 2))
        for method in (TotalVariation(), FilteredBackProjection())
    )
    assert ours < share * theirs


def test_the_smoother_finds_the_least_of_its_sum() -> None:
    theta, size = THETA[::4], 24
    gram = Gram(theta, view_weights(theta), size)
    start = np.random.default_rng(0).normal(size=(1, size, size)).astype(np.float32)
    weight = np.array([6.0])
    solve = Smoother(gram, len(theta), non_negative=False).solve
    found, _ = solve(start, StoppingRule(weight, weight, adapt=False), 2000, 1)

    def total(slices: np.ndarray) -> float:
        change = (slices - start).astype(np.float32)
        down = np.diff(slices[0], axis=0, append=slices[0, -1:])
        across = np.diff(slices[0], axis=1, append=slices[0, :, -1:])
        return 0.5 * float(np.sum(change * gram(change))) + weight[0] * float(np.hypot(down, across).sum())

    least = total(found)
    assert least < 0.9 * total(start)
    for seed in range(20):
        nudge = gaussian_filter(np.random.default_rng(seed).normal(size=found.shape), (0, seed / 8, seed / 8))
        for step in (1e-2, 1e-1):
            assert total(found + step * nudge / np.abs(nudge).max()) > least


def test_gradients_and_their_transpose_belong_together() -> None:
    random = np.random.default_rng(0)
    slices, field = random.normal(size=(2, 7, 7)).astype(np.float32), random.normal(size=(2, 2, 7, 7))
    field = field.astype(np.float32)
    split, gradients, out = np.zeros_like(field), np.zeros_like(field), np.empty_like(slices)
    shrink(slices, split, gradients, np.full(2, 1e9, np.float32))  # all of it stays in the multiplier
    assert gradients[0, :, :-1] == pytest.approx(np.diff(slices, axis=1))
    assert gradients[1, :, :, :-1] == pytest.approx(np.diff(slices, axis=2))
    divergence(np.zeros_like(slices), split, field, out)
    assert np.sum(out * slices) == pytest.approx(np.sum(gradients * field), rel=1e-4)


@pytest.mark.parametrize("columns", [N, N + 1])
@pytest.mark.parametrize("offset_px", [0.0, 5.3, -6.0])
@pytest.mark.parametrize("theta", [THETA, UNEVEN], ids=["even", "uneven"])
def test_a_disc_keeps_its_attenuation_and_its_place(columns: int, offset_px: float, theta: np.ndarray) -> None:
    axis = (columns - 1) / 2 + offset_px
    data = scan(theta=theta, columns=columns, axis_px=axis)
    volume = TotalVariation().reconstruct(data, theta, axis, PIXEL)
    assert volume.shape == (ROWS, columns, columns)
    assert volume.dtype == np.float32
    x, y = coordinates_um(columns, PIXEL)
    for ball in DISCS[:2]:
        assert volume[:, within(columns, ball, ball.radius_um - 1.5)].mean() == pytest.approx(MU, rel=0.01)
        mass = np.where(within(columns, ball, ball.radius_um + 2), volume, 0)
        assert (mass * x).sum() / mass.sum() == pytest.approx(ball.x_um, abs=0.03)
        assert (mass * y).sum() / mass.sum() == pytest.approx(ball.y_um, abs=0.03)
    assert volume[:, within(columns, DISCS[2], 0.6)].mean() == pytest.approx(MU, rel=0.08)


@pytest.mark.parametrize("sigma", [0.03, SIGMA, 0.1])
def test_noise_at_equal_resolution_is_below_half_of_filtered_back_projections(sigma: float) -> None:
    data = scan(sigma=sigma)
    volume = TotalVariation().reconstruct(data, THETA, MIDDLE, PIXEL)
    assert volume[:, within(N, DISCS[2], 0.6)].mean() > 0.9 * MU
    filters = ("ram-lak", "shepp-logan", "cosine", "hamming", "hann", "parzen")
    peers = [FilteredBackProjection(filter=kind).reconstruct(data, THETA, MIDDLE, PIXEL) for kind in filters]
    widths = sorted((edge_px(peer), noise(peer)) for peer in peers)
    assert edge_px(volume) < widths[-1][0]
    # The noise of a filter between two of these, that makes edges as wide as ours.
    equal = np.interp(edge_px(volume), [w for w, _ in widths], [n for _, n in widths])
    assert noise(volume) < 0.5 * equal


@pytest.mark.parametrize(
    "peer",
    [
        Cgls(engine="astra", surround=0.1, iterations=8, noise=None),
        Sirt(engine="astra", surround=0.1, iterations=100, noise=None),
    ],
)
def test_it_is_sharper_and_quieter_than_astras_iterative_methods(peer: Reconstructor) -> None:
    data = scan()
    volume = TotalVariation().reconstruct(data, THETA, MIDDLE, PIXEL)
    other = peer.reconstruct(data, THETA, MIDDLE, PIXEL)
    assert edge_px(volume) < edge_px(other)
    assert noise(volume) < 0.4 * noise(other)
    flat = within(N, DISCS[0], 5.5)
    assert volume[:, flat].mean() == pytest.approx(other[:, flat].mean(), rel=0.01)


def test_tape_beyond_the_field_of_view_does_not_ruin_it() -> None:
    axis = MIDDLE + 5
    data = scan(axis_px=axis, strip=(200.0, 6.0, 0.01))
    # Discs lie in front of the tape or in it: both add.
    volume = TotalVariation().reconstruct(data, THETA, axis, PIXEL)
    x, y = coordinates_um(N, PIXEL)
    clear = np.all([np.hypot(x - b.x_um, y - b.y_um) > b.radius_um + 1.5 for b in DISCS], axis=0)
    assert volume[:, clear & (np.abs(y) < 2) & (np.abs(x) < 20)].mean() == pytest.approx(0.01, rel=0.08)
    air = clear & (np.abs(y) > 6) & (np.hypot(x, y) < 21)
    assert abs(volume[:, air].mean()) < 0.01 * MU
    bare = TotalVariation(padding=0).reconstruct(data, THETA, axis, PIXEL)
    assert abs(bare[:, air].mean()) > 5 * abs(volume[:, air].mean())


def test_it_can_be_held_at_zero() -> None:
    free, held = (TotalVariation(non_negative=hold).reconstruct(scan(), THETA, MIDDLE, PIXEL) for hold in (False, True))
    assert free.min() < 0
    assert held.min() == 0
    assert held[:, within(N, DISCS[0], 5.5)].mean() == pytest.approx(MU, rel=0.01)


def test_every_slice_is_its_own_and_threads_change_nothing() -> None:
    data = np.concatenate([scan(), scan(sigma=0.2)])
    one, three = (TotalVariation(threads=n).reconstruct(data, THETA, MIDDLE, PIXEL) for n in (1, 3))
    assert np.abs(one - three).max() < 1e-3 * MU
    alone = TotalVariation().reconstruct(data[3:4], THETA, MIDDLE, PIXEL)
    assert np.abs(alone[0] - one[3]).max() < 0.02 * MU


@pytest.mark.parametrize("pixel_um", [0.064, 3.0])
def test_attenuation_is_per_micrometre(pixel_um: float) -> None:
    data = scan()
    one = TotalVariation().reconstruct(data, THETA, MIDDLE, PIXEL)
    other = TotalVariation().reconstruct(data, THETA, MIDDLE, pixel_um)
    assert other * pixel_um == pytest.approx(one * PIXEL, rel=1e-4, abs=1e-4 * MU)


def test_noise_is_read_from_the_data() -> None:
    for sigma in (0.02, 0.1, 0.4):
        assert noise_levels(scan(sigma=sigma)) == pytest.approx(np.full(ROWS, sigma), rel=0.12)
    assert noise_levels(scan(sigma=0)).max() < 1e-4
    assert noise_levels(np.zeros((2, 5, 4), np.float32)) == pytest.approx([0, 0])


def test_without_noise_nothing_is_smoothed_away() -> None:
    data = scan(sigma=0)
    volume = TotalVariation(noise=0).reconstruct(data, THETA, MIDDLE, PIXEL)
    sharp = FilteredBackProjection(filter="ram-lak").reconstruct(data, THETA, MIDDLE, PIXEL)
    assert edge_px(volume) <= 1.05 * edge_px(sharp)


def test_what_is_asked_for_is_what_smooths() -> None:
    data = scan()
    by_share = [noise(TotalVariation(discrepancy=d).reconstruct(data, THETA, MIDDLE, PIXEL)) for d in (0.3, 0.6, 0.85)]
    by_weight = [noise(TotalVariation(weight=w).reconstruct(data, THETA, MIDDLE, PIXEL)) for w in (0.1, 0.3, 1.0)]
    for noises in (by_share, by_weight):
        assert noises == sorted(noises, reverse=True)
        assert noises[-1] < 0.5 * noises[0]


@pytest.mark.parametrize(("views", "columns"), [(1, 9), (2, 1), (3, 2), (5, 3)])
def test_the_smallest_scans_come_through(views: int, columns: int) -> None:
    data = np.ones((3, views, columns), np.float32)
    volume = TotalVariation().reconstruct(data, np.arange(views) * 30.0, (columns - 1) / 2, 1.0)
    assert volume.shape == (3, columns, columns)
    assert np.isfinite(volume).all()


@pytest.mark.parametrize("field", [{"noise": -1}, {"iterations": 0}, {"discrepancy": 1.5}, {"weight": -0.1}, {"a": 1}])
def test_specs_that_make_no_sense_are_refused(field: dict) -> None:
    with pytest.raises(ValidationError):
        TotalVariation.model_validate(field)


def test_it_is_of_the_family() -> None:
    assert Family("xrm_control.reconstruction.methods").members(Reconstructor)["tv"] is TotalVariation
