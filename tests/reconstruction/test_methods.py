"""Methods against discs whose line integrals are known in closed form, and against ASTRA's own FBP."""

from __future__ import annotations

import contextlib
import io

import astra
import numpy as np
import pytest
from pydantic import ValidationError

from tests.reconstruction.phantoms import Ball, coordinates_um, line_integrals
from xrm_control.core.family import Family
from xrm_control.reconstruction.astra_session import reconstruct_slices
from xrm_control.reconstruction.methods.cgls import Cgls
from xrm_control.reconstruction.methods.fbp import FilteredBackProjection
from xrm_control.reconstruction.methods.fourier import FourierReconstruction
from xrm_control.reconstruction.methods.sirt import Sirt
from xrm_control.reconstruction.methods.tv import TotalVariation
from xrm_control.reconstruction.pipeline import ReconstructionSpec
from xrm_control.reconstruction.ramp import filtered, ramp, window
from xrm_control.reconstruction.reconstructor import Reconstructor, view_weights

FILTERS = ["ram-lak", "shepp-logan", "cosine", "hamming", "hann", "parzen"]
N, PIXEL, MU = 96, 0.512, 0.0458
THETA = np.linspace(-90, 90, 141)
MIDDLE = (N - 1) / 2
METHODS: list[Reconstructor] = [
    FilteredBackProjection(),
    FourierReconstruction(),
    Sirt(iterations=60),
    Sirt(engine="astra", iterations=60, surround=0.1),
    Cgls(iterations=8),
    Cgls(engine="astra", iterations=8, surround=0.1),
    TotalVariation(iterations=10),
]
NAMES = [f"{getattr(method, 'kind', '')} {getattr(method, 'engine', '')}".strip() for method in METHODS]


def sinogram(
    ball: Ball, axis_px: float = MIDDLE, pixel_um: float = PIXEL, theta: np.ndarray = THETA, **more
) -> np.ndarray:
    integrals = line_integrals([ball], theta, columns=N, axis_px=axis_px, pixel_um=pixel_um, **more)
    return np.ascontiguousarray(integrals.transpose(1, 0, 2))


def live_astra_objects() -> int:
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        for kind in (astra.data2d, astra.data3d, astra.projector, astra.algorithm, astra.matrix):
            kind.info()
    return sum(line.strip()[:1].isdigit() for line in text.getvalue().splitlines())


@pytest.mark.parametrize("kind", FILTERS)
def test_every_filter_keeps_the_attenuation(kind: str) -> None:
    x, y = coordinates_um(N, PIXEL)
    method = FilteredBackProjection.model_validate({"filter": kind})
    volume = method.reconstruct(sinogram(Ball(0, 0, 0, 12, MU)), THETA, MIDDLE, PIXEL)
    assert volume.dtype == np.float32
    assert volume[0][np.hypot(x, y) < 10].mean() == pytest.approx(MU, rel=0.005)
    assert abs(volume[0][(np.hypot(x, y) > 15) & (np.hypot(x, y) < 22)].mean()) < 0.003 * MU


@pytest.mark.parametrize("kind", FILTERS)
def test_every_filter_is_the_one_that_astra_means(kind) -> None:
    data = np.random.default_rng(1).random((1, 60, 64), dtype=np.float32)
    theta = np.arange(60) * 3.0
    ours = reconstruct_slices(
        filtered(data, kind, np.ones(60), 31.5, 64), theta, algorithm="BP", size=40, axis_px=31.5, gpu=False
    )
    theirs = reconstruct_slices(
        data, theta, algorithm="FBP", size=40, axis_px=31.5, options={"FilterType": kind}, gpu=False
    )
    assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()


@pytest.mark.parametrize("kind", FILTERS)
def test_windows_are_one_at_zero_and_the_ramp_has_slope_one(kind) -> None:
    frequency = np.fft.rfftfreq(1024)
    assert window(kind, frequency)[0] == pytest.approx(1.0)
    assert np.all(np.diff(window(kind, frequency)) <= 1e-12)
    assert ramp(1024)[5:50] == pytest.approx(frequency[5:50], rel=0.01)


@pytest.mark.parametrize("kind", ["tukey", "lanczos", "gaussian", "blackman", "kaiser", "flat-top", "none", "Hann"])
def test_filters_that_lose_low_frequencies_are_refused(kind: str) -> None:
    with pytest.raises(ValidationError):
        ReconstructionSpec.model_validate({"method": {"kind": "fbp", "filter": kind}})


@pytest.mark.parametrize(("x_um", "y_um"), [(9, 0), (-9, 0), (0, 9), (0, -9), (7, 5), (-7, 5), (7, -5), (-7, -5)])
@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_a_disc_comes_back_where_it_was(x_um: float, y_um: float, method: Reconstructor) -> None:
    x, y = coordinates_um(N, PIXEL)
    theta = THETA[::2]
    volume = method.reconstruct(sinogram(Ball(x_um, y_um, 0, 4, MU), 44.7, theta=theta), theta, 44.7, PIXEL)[0]
    mass = np.where(volume > MU / 4, volume, 0)
    assert (mass * x).sum() / mass.sum() == pytest.approx(x_um, abs=0.05)
    assert (mass * y).sum() / mass.sum() == pytest.approx(y_um, abs=0.05)


@pytest.mark.parametrize("offset_px", [-7.3, -5.0, -0.25, 0.0, 0.5, 5.0, 7.3])
@pytest.mark.parametrize("kind", ["ram-lak", "cosine"])
@pytest.mark.parametrize("method", [FilteredBackProjection, FourierReconstruction])
def test_the_axis_may_be_anywhere(offset_px: float, kind, method: type) -> None:
    x, y = coordinates_um(N, PIXEL)
    axis = MIDDLE + offset_px
    data = sinogram(Ball(3, -4, 0, 8, MU), axis)
    volume = method(filter=kind).reconstruct(data, THETA, axis, PIXEL)[0]
    away = np.hypot(x - 3, y + 4)
    assert volume[away < 6.5].mean() == pytest.approx(MU, rel=0.005)
    # At the rim half of the attenuation remains: an axis wrong by half a pixel would show here.
    assert volume[np.abs(away - 8) < 0.1].mean() == pytest.approx(MU / 2, rel=0.06)


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_views_that_are_shifted_against_each_other_cost_nothing(method: Reconstructor) -> None:
    """Each view has its own axis, some pixels and a part of one away; the slice is that of views that lie still."""
    theta = THETA[::2]
    axes = 46.2 + np.random.default_rng(4).uniform(-4, 4, len(theta))
    ball = Ball(5, -6, 0, 5, MU)
    views = [line_integrals([ball], theta[[v]], columns=N, axis_px=axis, pixel_um=PIXEL) for v, axis in enumerate(axes)]
    data = np.ascontiguousarray(np.concatenate(views).transpose(1, 0, 2))
    shifted = method.reconstruct(data, theta, axes, PIXEL)[0]
    still = method.reconstruct(sinogram(ball, 46.2, theta=theta), theta, 46.2, PIXEL)[0]
    assert np.sqrt(np.mean((shifted - still) ** 2)) < 0.02 * MU
    x, y = coordinates_um(N, PIXEL)
    assert shifted[np.hypot(x - 5, y + 6) < 3.5].mean() == pytest.approx(MU, rel=0.02)


@pytest.mark.parametrize("pixel_um", [0.064, 0.512, 3.0])
@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_attenuation_is_per_micrometre_whatever_the_pixel(pixel_um: float, method: Reconstructor) -> None:
    x, y = coordinates_um(N, pixel_um)
    data = sinogram(Ball(0, 0, 0, 20 * pixel_um, 0.02 / pixel_um), pixel_um=pixel_um, theta=THETA[::2])
    volume = method.reconstruct(data, THETA[::2], MIDDLE, pixel_um)[0]
    assert volume[np.hypot(x, y) < 15 * pixel_um].mean() == pytest.approx(0.02 / pixel_um, rel=0.02)


@pytest.mark.parametrize("method", [FilteredBackProjection, FourierReconstruction])
def test_tape_beyond_the_field_of_view_leaves_attenuation_right(method: type) -> None:
    x, y = coordinates_um(N, PIXEL)
    ball = Ball(5, 10, 0, 6, MU)
    data = sinogram(ball, MIDDLE + 5, strip=(200.0, 6.0, 0.01))
    volume = method().reconstruct(data, THETA, MIDDLE + 5, PIXEL)[0]
    assert volume[np.hypot(x - 5, y - 10) < 4.5].mean() == pytest.approx(MU, rel=0.02)
    assert volume[(np.abs(y) < 2) & (np.abs(x) < 20)].mean() == pytest.approx(0.01, rel=0.05)
    air = (np.abs(y) > 6) & (np.hypot(x, y) < 22) & (np.hypot(x - 5, y - 10) > 8)
    assert abs(volume[air].mean()) < 0.01 * MU
    bare = method(padding=0).reconstruct(data, THETA, MIDDLE + 5, PIXEL)[0]
    assert abs(bare[air].mean()) > 5 * abs(volume[air].mean())


def test_every_slice_is_its_own_and_threads_change_nothing() -> None:
    data = sinogram(Ball(0, 5, 0, 6, MU), rows=9)
    one, three = (FilteredBackProjection(threads=n).reconstruct(data, THETA, MIDDLE, PIXEL) for n in (1, 3))
    assert np.array_equal(one, three)
    alone = FilteredBackProjection().reconstruct(data[4:5], THETA, MIDDLE, PIXEL)
    assert np.abs(alone[0] - one[4]).max() < 1e-3 * MU


def test_a_scan_with_both_ends_counts_them_half() -> None:
    assert view_weights(THETA) == pytest.approx([0.5 * 141 / 140, *[141 / 140] * 139, 0.5 * 141 / 140])
    assert view_weights(np.arange(180.0)) == pytest.approx(np.ones(180))
    assert view_weights(np.arange(0.0, 360.0, 2.0)) == pytest.approx(np.ones(180))
    assert view_weights(np.linspace(-45, 45, 7)).max() < 2  # nobody stands for the missing wedge


def test_nothing_is_left_in_astra() -> None:
    before = live_astra_objects()
    data = sinogram(Ball(0, 0, 0, 6, MU), theta=THETA[::8], rows=3)
    for method in (
        FilteredBackProjection(threads=2),
        Sirt(engine="astra", iterations=2),
        Cgls(engine="astra", iterations=2),
    ):
        method.reconstruct(data, THETA[::8], MIDDLE, PIXEL)
    with pytest.raises(Exception, match=r"Algorithm|ASTRA|algorithm"):
        reconstruct_slices(data, THETA[::8], algorithm="NO_SUCH", size=N, axis_px=MIDDLE, gpu=False)
    assert live_astra_objects() == before


def test_the_family_holds_these_kinds() -> None:
    assert {"cgls", "fbp", "fourier", "sirt"} <= set(
        Family("xrm_control.reconstruction.methods").members(Reconstructor)
    )
    assert ReconstructionSpec.model_validate({"method": {"kind": "sirt", "iterations": 7}}).method == Sirt(iterations=7)
    with pytest.raises(ValidationError):
        ReconstructionSpec.model_validate({"method": {"kind": "fbp", "fliter": "hann"}})
