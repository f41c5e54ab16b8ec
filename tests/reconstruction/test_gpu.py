"""The GPU against the CPU where there is one; what happens where there is none, by ASTRA's own refusal."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reconstruction.phantoms import Ball, coordinates_um, line_integrals
from tests.reconstruction.test_methods import live_astra_objects
from xrm_control.core.errors import DataError, RecipeError
from xrm_control.reconstruction.astra_session import (
    Job,
    gpu_available,
    gpu_trouble,
    gpu_volume,
    reconstruct_slices,
    way_on_gpu,
)
from xrm_control.reconstruction.methods.cgls import Cgls
from xrm_control.reconstruction.methods.fbp import FilteredBackProjection
from xrm_control.reconstruction.methods.sirt import Sirt
from xrm_control.reconstruction.reconstructor import Reconstructor
from xrm_control.reconstruction.warnings import collect_warnings, warn

PIXEL, MU, THETA = 0.512, 0.0458, np.linspace(-90, 90, 71)
ALGORITHMS = ["BP", "SIRT", "CGLS"]
METHODS = [FilteredBackProjection(), Sirt(noise=None, iterations=20), Cgls(noise=None, iterations=6)]

with_gpu = pytest.mark.skipif(not gpu_available(), reason="no GPU here")
without_gpu = pytest.mark.skipif(gpu_available(), reason="there is a GPU here")


def scan(columns: int, axis_px: float, rows: int = 3) -> np.ndarray:
    balls = [Ball(-4, 3, 0, 6, MU), Ball(8, -5, 0, 3, MU)]
    integrals = line_integrals(balls, THETA, columns=columns, axis_px=axis_px, pixel_um=PIXEL, rows=rows)
    return np.ascontiguousarray(integrals.transpose(1, 0, 2)) * np.linspace(1, 2, rows, dtype=np.float32)[:, None, None]


@with_gpu
@pytest.mark.parametrize("columns", [64, 65])
@pytest.mark.parametrize("offset_px", [0.0, 3.3])
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.kind)
def test_the_gpu_finds_what_the_cpu_finds(method: Reconstructor, columns: int, offset_px: float) -> None:
    axis_px = (columns - 1) / 2 + offset_px
    data = scan(columns, axis_px)
    with collect_warnings() as said:
        gpu, cpu = (
            method.model_copy(update={"device": device, "engine": "astra"}).reconstruct(data, THETA, axis_px, PIXEL)
            for device in ("gpu", "cpu")
        )
    assert not said
    assert np.linalg.norm(gpu - cpu) < 0.05 * np.linalg.norm(cpu)
    x, y = coordinates_um(columns, PIXEL)
    assert gpu[0][np.hypot(x + 4, y - 3) < 4].mean() == pytest.approx(MU, rel=0.02)


@with_gpu
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("options", [{}, {"MinConstraint": 0.0}])
def test_a_block_of_slices_is_one_call(algorithm: str, options: dict) -> None:
    assert way_on_gpu(Job(algorithm, THETA, 64, 64, 31.5, 3, options)) is gpu_volume


@with_gpu
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_slices_beyond_one_block_come_through(algorithm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = scan(64, 31.5, rows=7)
    more = {"algorithm": algorithm, "size": 64, "axis_px": 31.5, "iterations": 3, "device": "gpu"}
    whole = reconstruct_slices(data, THETA, **more)
    monkeypatch.setattr("xrm_control.reconstruction.astra_session._GPU_BYTES", 2.5 * 12 * (64**2 + len(THETA) * 64))
    assert np.abs(reconstruct_slices(data, THETA, **more) - whole).max() < 1e-4 * whole.max()


@without_gpu
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.kind)
def test_a_gpu_that_is_not_there_is_refused_with_what_to_do(method: Reconstructor) -> None:
    with pytest.raises(RecipeError, match=r"device: no GPU can be used here .* choose device: auto or cpu") as caught:
        method.model_copy(update={"device": "gpu"}).reconstruct(scan(33, 16.0), THETA, 16.0, PIXEL)
    assert caught.value.where == "device"
    auto, cpu = (
        method.model_copy(update={"device": device}).reconstruct(scan(33, 16.0), THETA, 16.0, PIXEL)
        for device in ("auto", "cpu")
    )
    assert np.array_equal(auto, cpu)


@without_gpu
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_the_gpu_refuses_the_cpu_does_and_says_so(algorithm: str, capfd: pytest.CaptureFixture[str]) -> None:
    """`gpu=True` sends the work to CUDA, which has no driver here and raises as it does when memory is short."""
    before = live_astra_objects()
    capfd.readouterr()
    more = {"algorithm": algorithm, "size": 33, "axis_px": 16.0, "iterations": 3}
    with collect_warnings() as said:
        found = reconstruct_slices(scan(33, 16.0), THETA, **more, device="auto", gpu=True)
    assert np.array_equal(found, reconstruct_slices(scan(33, 16.0), THETA, **more, device="cpu"))
    assert len(said) == 1
    assert said[0].startswith("the GPU refused (")
    assert "CUDA" in said[0]
    with pytest.raises(DataError, match=r"the GPU refused \(value .*CUDA.*choose device: cpu"):
        reconstruct_slices(scan(33, 16.0), THETA, **more, device="gpu", gpu=True)
    assert capfd.readouterr().err == ""
    assert live_astra_objects() == before


def test_warnings_reach_the_nearest_collector_once() -> None:
    warn("nobody hears this")
    with collect_warnings() as outer:
        warn("first")
        with collect_warnings() as inner:
            warn("second")
            warn("second")
        warn("third")
    assert (outer, inner) == (["first", "third"], ["second"])


@without_gpu
def test_a_gpu_that_cannot_be_used_is_told_why() -> None:
    """ASTRA's own words, from a machine without a driver."""
    assert "CUDA" in (gpu_trouble() or "")
