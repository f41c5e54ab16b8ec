"""A volume that stays in its file is what an array is; a file that fails is an error, never the process' end."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xrm_control.core.errors import DataError
from xrm_control.storage.formats.ome_tiff import write_volume
from xrm_control.storage.formats.planes_on_disk import PlanesOnDisk

VOLUME = np.random.default_rng(1).normal(0.02, 0.02, (5, 7, 9)).astype(np.float32)
CUTS: list[Any] = [
    0,
    -1,
    np.s_[2:4],
    np.s_[::2],
    np.s_[::-1],
    np.s_[3:3],
    np.s_[:],
    np.array([3, 0]),
    (2, slice(1, 5), slice(2, 8)),
    (slice(None), 3),
    (slice(None), slice(None), 8),
    (slice(1, 4), slice(6, 2, -1), slice(None, None, 3)),
    (slice(None), slice(4, 4)),
    (1, 2, 3),
    (slice(0, 1), slice(0, 3), slice(0, 2)),
    np.s_[1:, -3],
]


@pytest.fixture
def there(tmp_path: Path) -> PlanesOnDisk:
    found = PlanesOnDisk.of_tiff(write_volume(tmp_path / "volume.ome.tif", VOLUME, 0.5))
    assert found is not None
    return found


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_it_is_indexed_as_an_array(there: PlanesOnDisk, cut: Any) -> None:
    found = there[cut]
    assert found.shape == VOLUME[cut].shape
    assert found.dtype == VOLUME.dtype
    assert np.array_equal(found, VOLUME[cut])


def test_it_is_as_long_as_an_array_also_in_another_process(there: PlanesOnDisk) -> None:
    again = pickle.loads(pickle.dumps(there))
    assert (len(again), again.ndim, again.nbytes, again.shape) == (5, 3, VOLUME.nbytes, VOLUME.shape)
    assert (again.min(), again.max()) == (VOLUME.min(), VOLUME.max())
    assert np.array_equal(np.asarray(again), VOLUME)
    assert np.array_equal(np.stack(list(again)), VOLUME)


@pytest.mark.parametrize("cut", [9, -6, (0, 7), (0, 0, 9)], ids=str)
def test_beyond_its_end_there_is_nothing(there: PlanesOnDisk, cut: Any) -> None:
    with pytest.raises(IndexError):
        there[cut]


def test_the_other_order_of_bytes_and_labels_are_read(tmp_path: Path) -> None:
    import tifffile

    labels = np.arange(315, dtype=np.uint16).reshape(5, 7, 9)
    tifffile.imwrite(tmp_path / "labels.tif", labels, byteorder=">", metadata={"axes": "ZYX"}, ome=True)
    found = PlanesOnDisk.of_tiff(tmp_path / "labels.tif")
    assert found is not None
    assert np.array_equal(found[:], labels)


def test_what_is_packed_does_not_lie_in_one_piece(tmp_path: Path) -> None:
    import tifffile

    tifffile.imwrite(tmp_path / "packed.tif", VOLUME, compression="zlib", metadata={"axes": "ZYX"}, ome=True)
    assert PlanesOnDisk.of_tiff(tmp_path / "packed.tif") is None


@pytest.mark.parametrize("left", [0, 500, 900])
def test_a_file_that_is_cut_under_its_reader_is_an_error_that_names_it(there: PlanesOnDisk, left: int) -> None:
    os.truncate(there.path, left)
    with pytest.raises(DataError, match=rf"volume.ome.tif: .* not as long .*value {left} bytes"):
        there[4]


def test_a_file_that_is_cut_before_is_refused(there: PlanesOnDisk) -> None:
    os.truncate(there.path, 900)
    with pytest.raises(DataError, match="not as long"):
        PlanesOnDisk.of(there.path, there.shape, there.dtype, there.start)


def test_a_file_that_is_taken_away_is_an_error(there: PlanesOnDisk) -> None:
    there.path.unlink()
    with pytest.raises(DataError, match="gone"):
        there[0]
