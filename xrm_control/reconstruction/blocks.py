"""Frames taken some at a time, shared out among the CPUs; and what blocks of their pixels show."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.cpus import cpus

Found = TypeVar("Found")


def by_blocks(count: int, size: int, work: Callable[[slice], Found]) -> list[Found]:
    """What `work` gives of each block of `size` out of `count`, in order; by as many threads as there are CPUs.

    Raises what the first block raises that fails, in order.
    """
    blocks = [slice(start, min(start + size, count)) for start in range(0, count, size)]
    threads = min(cpus(), len(blocks))
    if threads < 2:
        return [work(block) for block in blocks]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, blocks))


def native(frames: NDArray[Any]) -> NDArray[Any]:
    """Frames in one of three types, for compiled loops: uint16 and float32 as they are, others in float64."""
    wanted = np.dtype({"u2": np.uint16, "f4": np.float32}.get(frames.dtype.str[1:], np.float64))
    return np.ascontiguousarray(frames, wanted)


def smaller(images: NDArray[np.float32], down: int, across: int) -> NDArray[np.float32]:
    """Means of `down` x `across` pixels of images (n, rows, columns); what is left over at the ends is dropped."""
    if down == across == 1:
        return images
    from xrm_control.reconstruction.block_kernels import block_means

    count, rows, columns = images.shape
    out = np.empty((count, rows // down, columns // across), np.float32)
    block_means(np.ascontiguousarray(images, np.float32), down, across, out)
    return out
