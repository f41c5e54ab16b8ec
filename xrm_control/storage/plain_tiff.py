"""Where the pixels of a frame's file begin, without a decoder: frames are written as one plain strip.

A file that was held against its hash is what was written, and reading its dozen tags takes a hundredth of the time of
taking it apart. Whatever is otherwise is left to the decoder.
"""

from __future__ import annotations

import struct

import numpy as np

_HEADER = b"II*\0"
_NUMBERS = {1: "<B", 3: "<H", 4: "<I"}  # by type of tag: byte, short, long
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _STRIP, _SAMPLES, _BYTES, _FORMAT = 256, 257, 258, 259, 273, 277, 279, 339
_FILL_ORDER = 266  # of bits
_FORMATS = {"u": 1, "i": 2, "f": 3}
_ENTRY = 12


def plain_offset(data: bytes, shape: tuple[int, ...], dtype: str) -> int | None:
    """Of the only image's pixels, uncompressed, in one piece, little-endian, of just this shape and type; else None."""
    if len(shape) != 2 or data[:4] != _HEADER:
        return None
    kind = np.dtype(dtype)
    try:
        tags = _tags(data)
    except struct.error:
        return None
    said = {
        _WIDTH: shape[1],
        _HEIGHT: shape[0],
        _BITS: 8 * kind.itemsize,
        _COMPRESSION: 1,
        _SAMPLES: 1,
        _FILL_ORDER: 1,
        _BYTES: shape[0] * shape[1] * kind.itemsize,
        _FORMAT: _FORMATS.get(kind.kind, 0),
    }
    known = {_SAMPLES: 1, _FILL_ORDER: 1, _FORMAT: 1, **tags}
    start = tags.get(_STRIP, len(data))
    if any(known.get(tag) != value for tag, value in said.items()) or start + said[_BYTES] > len(data):
        return None
    return start


def _tags(data: bytes) -> dict[int, int]:
    """Those of one number each of the only directory; nothing where there is another directory."""
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    (following,) = struct.unpack_from("<I", data, at + 2 + _ENTRY * count)
    if following:
        return {}
    found: dict[int, int] = {}
    for place in range(at + 2, at + 2 + _ENTRY * count, _ENTRY):
        tag, kind, values = struct.unpack_from("<HHI", data, place)
        if values == 1 and kind in _NUMBERS:
            (found[tag],) = struct.unpack_from(_NUMBERS[kind], data, place + 8)
    return found
