"""A first look at frames, against numpy's reductions block by block."""

from __future__ import annotations

import numpy as np
import pytest

from xrm_control.core.errors import DataError
from xrm_control.reconstruction.block_kernels import looked_at
from xrm_control.reconstruction.blocks import by_blocks, native, smaller

TYPES = ["<u2", ">u2", "u1", "i2", "<i8", "?", "<f2", "<f4", ">f4", "<f8"]


@pytest.mark.parametrize("dtype", TYPES)
def test_of_each_type(dtype: str) -> None:
    frames = np.random.default_rng(2).integers(0, 100, (3, 19, 33)).astype(dtype)
    rows, columns = np.array([0, 1, 7, 19]), np.array([0, 16, 33])
    sums, least, most = (np.empty((3, 3, 2)) for _ in range(3))
    full = np.empty(3, np.int64)
    looked_at(native(frames), rows, columns, sums, least, most, full)
    for view, frame in enumerate(frames.astype(float)):
        assert full[view] == np.count_nonzero(frame == frame.max())
        for y, x in np.ndindex(3, 2):
            block = frame[rows[y] : rows[y + 1], columns[x] : columns[x + 1]]
            assert sums[view, y, x] == pytest.approx(block.sum(), rel=1e-9)
            assert (least[view, y, x], most[view, y, x]) == (block.min(), block.max())


@pytest.mark.parametrize("count", [0, 1, 5, 16, 17])
def test_blocks_come_in_order_and_leave_nothing_out(count: int) -> None:
    found = by_blocks(count, 4, lambda block: list(range(count))[block])
    assert [number for block in found for number in block] == list(range(count))


def test_the_first_block_that_fails_is_told() -> None:
    def work(block: slice) -> None:
        if block.start >= 4:
            raise DataError("a bad frame", where=str(block.start))

    with pytest.raises(DataError, match="4"):
        by_blocks(40, 2, work)


@pytest.mark.parametrize(("down", "across"), [(1, 1), (2, 3), (5, 1), (7, 8), (19, 33)])
def test_small_pictures_are_means_of_blocks(down: int, across: int) -> None:
    images = np.random.default_rng(4).normal(100, 30, (3, 19, 33)).astype(np.float32)
    rows, columns = 19 // down, 33 // across
    cut = images[:, : rows * down, : columns * across].astype(float)
    means = cut.reshape(3, rows, down, columns, across).mean(axis=(2, 4))
    assert smaller(images[:, :, ::-1][:, :, ::-1], down, across) == pytest.approx(means, rel=1e-5)
