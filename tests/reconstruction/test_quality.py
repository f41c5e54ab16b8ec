"""Figures of quality of some rows, against numpy's own sums and quantiles."""

from __future__ import annotations

import numpy as np
import pytest

from xrm_control.reconstruction.quality_kernels import looked_over

SHAPES = [(3, 1, 1), (2, 1, 5), (4, 16, 64), (2, 60, 300)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("quantile", [0.5, 0.99, 1.0])
@pytest.mark.parametrize("kind", ["noise", "steps", "even", "bright at the sampled places"])
def test_of_each_view(shape: tuple[int, int, int], quantile: float, kind: str) -> None:
    random = np.random.default_rng(shape[2])
    values = random.normal(0.5, 0.3, shape).astype(np.float32)
    if kind == "steps":
        values = np.round(values, 1)
    elif kind == "even":
        values[:] = 0.25
    elif kind == "bright at the sampled places":
        step = max(1, shape[1] * shape[2] // 512)
        values.reshape(len(values), -1)[:, ::step] += 9
    floor = random.uniform(0, 0.5, shape[1:]).astype(np.float32)
    sums, bright, opaque = np.empty(len(values)), np.empty(len(values)), np.empty(len(values), np.int64)
    looked_over(values, floor, quantile, sums, opaque, bright)
    assert sums == pytest.approx(values.sum(axis=(1, 2), dtype=float))
    assert np.array_equal(opaque, np.count_nonzero(values <= floor, axis=(1, 2)))
    assert bright == pytest.approx(np.quantile(values.astype(float), quantile, axis=(1, 2)), abs=1e-6)
