"""Planes across a volume come of slabs: each is the volume's own, none is read twice, and few are kept."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.dashboard.slabs import Slabs
from xrm_control.storage.formats.planes_on_disk import PlanesOnDisk

SHAPE = (5, 70, 90)
PLANE_BYTES = {1: 5 * 90 * 2, 2: 5 * 70 * 2}


@pytest.fixture
def volume(tmp_path: Path) -> PlanesOnDisk:
    path = tmp_path / "volume"
    np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE).tofile(path)
    return PlanesOnDisk.of(path, SHAPE, np.dtype(np.uint16), 0)


def doubled(values: NDArray[np.generic]) -> NDArray[np.generic]:
    return values.astype(np.uint16) * np.uint16(2)


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("planes", [0.5, 1, 7, 64, 1000])
def test_each_plane_is_the_volume_s(volume: PlanesOnDisk, axis: int, planes: float) -> None:
    slabs = Slabs(slab_bytes=int(planes * PLANE_BYTES[axis]), kept_bytes=3 * int(planes * PLANE_BYTES[axis]))
    for index in [*range(SHAPE[axis]), *range(0, SHAPE[axis], 13)]:
        found = slabs.plane("one", volume, axis, index, doubled, 2)
        assert np.array_equal(found, doubled(np.take(volume[:], index, axis)))


def test_a_slab_is_read_once_for_all_who_ask(volume: PlanesOnDisk) -> None:
    reads: list[int] = []
    began = threading.Barrier(6, timeout=60)

    def counted(values: NDArray[np.generic]) -> NDArray[np.generic]:
        reads.append(1)
        return values

    slabs = Slabs(slab_bytes=10 * PLANE_BYTES[2])

    def ask(index: int) -> None:
        began.wait()
        slabs.plane("one", volume, 2, index, counted, 2)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(ask, range(6)))
    assert len(reads) == SHAPE[0]
    # Another volume under another name, or the same after it has changed.
    slabs.plane("two", volume, 2, 0, counted, 2)
    assert len(reads) == 2 * SHAPE[0]


def test_a_volume_that_is_cut_is_told_and_read_again_when_it_is_whole(volume: PlanesOnDisk) -> None:
    whole = volume.path.read_bytes()
    slabs = Slabs()
    volume.path.write_bytes(whole[:-1])
    with pytest.raises(DataError, match="not as long"):
        slabs.plane("one", volume, 2, 3, doubled, 2)
    volume.path.write_bytes(whole)
    assert slabs.plane("one", volume, 2, 3, doubled, 2).shape == (SHAPE[0], SHAPE[1])
