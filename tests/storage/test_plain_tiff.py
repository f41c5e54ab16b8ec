"""Where a plain frame's pixels begin, held against tifffile; whatever else a TIFF may be is left to the decoder."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
import tifffile

from xrm_control.storage.plain_tiff import plain_offset

SHAPE = (7, 9)


def written(dtype: str = "uint16", pages: int = 1, **options: Any) -> tuple[bytes, np.ndarray[Any, Any]]:
    image = np.random.default_rng(3).integers(0, 200, SHAPE).astype(dtype)
    buffer = io.BytesIO()
    with tifffile.TiffWriter(
        buffer, byteorder=options.pop("byteorder", "<"), bigtiff=options.pop("big", False)
    ) as file:
        for _ in range(pages):
            file.write(image, metadata=None, contiguous=False, **{"photometric": "minisblack", **options})
    return buffer.getvalue(), image


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32", "float64"])
def test_the_pixels_of_a_plain_file_are_where_it_is_said(dtype: str) -> None:
    data, image = written(dtype, description="a frame")
    offset = plain_offset(data, SHAPE, dtype)
    assert offset is not None
    found = np.frombuffer(data, dtype, image.size, offset).reshape(SHAPE)
    assert np.array_equal(found, image)
    assert np.array_equal(found, tifffile.imread(io.BytesIO(data)))


@pytest.mark.parametrize(
    ("options", "shape", "dtype"),
    [
        ({"compression": "zlib"}, SHAPE, "uint16"),
        ({"byteorder": ">"}, SHAPE, "uint16"),
        ({"big": True}, SHAPE, "uint16"),
        ({"tile": (16, 16)}, SHAPE, "uint16"),
        ({"rowsperstrip": 2}, SHAPE, "uint16"),
        ({"pages": 2}, SHAPE, "uint16"),
        ({}, SHAPE[::-1], "uint16"),
        ({}, (*SHAPE, 1), "uint16"),
        ({}, SHAPE, "int16"),
        ({}, SHAPE, "uint32"),
        ({"dtype": "float32"}, SHAPE, "uint32"),
    ],
)
def test_what_is_otherwise_is_left_to_the_decoder(options: dict[str, Any], shape: tuple[int, ...], dtype: str) -> None:
    assert plain_offset(written(**options)[0], shape, dtype) is None


@pytest.mark.parametrize(("tag", "value"), [(259, 5), (277, 3), (258, 12)])
def test_what_another_tag_says_counts(tag: int, value: int) -> None:
    data, _ = written()
    entry = struct.pack("<HHI", tag, 3, 1)
    at = data.index(entry) + len(entry)
    assert plain_offset(data[:at] + struct.pack("<H", value) + data[at + 2 :], SHAPE, "uint16") is None


def test_no_part_of_a_file_is_an_image() -> None:
    data, _ = written(description="a frame")
    assert all(plain_offset(data[:length], SHAPE, "uint16") is None for length in range(len(data)))
