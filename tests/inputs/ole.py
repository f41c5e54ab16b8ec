"""OLE2 containers as the Xradia software writes them, small: for readers, which are held against it.

[MS-CFB] 2.1 to 2.6: sectors of 512 bytes, streams below 4096 bytes in mini sectors of 64.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

_FREE, _END, _FAT, _NONE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFF


def write_ole(path: Path, streams: dict[str, bytes]) -> Path:
    """Streams by path ("ImageInfo/PixelSize"), in storages one deep."""
    mini, minifat = b"", []
    large: list[tuple[str, bytes]] = []
    starts: dict[str, int] = {}
    for name, data in streams.items():
        if len(data) >= 4096:
            large.append((name, data))
            continue
        count = -(-len(data) // 64)
        starts[name] = len(minifat) if count else _END
        minifat += [len(minifat) + n + 1 for n in range(count - 1)] + [_END] * (count > 0)
        mini += data.ljust(64 * count, b"\0")
    tree: dict[str, list[str]] = {}
    for name in streams:
        tree.setdefault(name.partition("/")[0], []).append(name)
    entries = 1 + len(tree) + len(streams)
    fat: list[int] = []
    body = b""

    def place(data: bytes) -> int:
        nonlocal body
        count = -(-len(data) // 512)
        if not count:
            return _END
        first = len(fat)
        fat.extend([first + n + 1 for n in range(count - 1)] + [_END])
        body += data.ljust(512 * count, b"\0")
        return first

    for name, data in large:
        starts[name] = place(data)
    mini_start = place(mini)
    minifat_bytes = struct.pack(f"<{len(minifat)}I", *minifat)
    minifat_start = place(minifat_bytes.ljust(-(-len(minifat_bytes) // 512) * 512, b"\xff"))
    names, children = list(tree), {}
    number = 1 + len(names)
    for name in names:
        children[name] = number
        number += len(tree[name])
    directory = _entry("Root Entry", 5, 1 if names else _NONE, _NONE, mini_start, len(mini))
    for n, name in enumerate(names):
        directory += _entry(name, 1, children[name], n + 2 if n + 1 < len(names) else _NONE, 0, 0)
    for name in names:
        for n, full in enumerate(tree[name]):
            right = children[name] + n + 1 if n + 1 < len(tree[name]) else _NONE
            directory += _entry(full.partition("/")[2], 2, _NONE, right, starts[full], len(streams[full]))
    assert len(directory) == 128 * entries
    directory_start = place(directory)
    fats = 1
    while 128 * fats < len(fat) + fats:
        fats += 1
    fat_start = len(fat)
    table = fat + [_FAT] * fats
    body += struct.pack(f"<{128 * fats}I", *table, *[_FREE] * (128 * fats - len(table)))
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack(
        "<IIIIIIIII", 0, fats, directory_start, 0, 4096, minifat_start, -(-len(minifat) // 128), _END, 0
    )
    header += struct.pack("<109I", *range(fat_start, fat_start + fats), *[_FREE] * (109 - fats))
    path.write_bytes(header + body)
    return path


def _entry(name: str, kind: int, child: int, right: int, start: int, size: int) -> bytes:
    text = name.encode("utf-16-le") + b"\0\0"
    return (
        text.ljust(64, b"\0")
        + struct.pack("<HBBIII", len(text), kind, 1, _NONE, right, child)
        + bytes(36)
        + struct.pack("<IQ", start, size)
    )


def xradia(path: Path, frames: np.ndarray, **facts: object) -> Path:
    """Images with ImageInfo: `Angles`, `PixelSize`, ...; facts named `ReferenceData__...` go there; None: left out."""
    codes = {"uint16": 5, "float32": 10, "uint8": 3}
    info: dict[str, object] = {
        "ImageInfo/ImageWidth": np.int32(frames.shape[2]),
        "ImageInfo/ImageHeight": np.int32(frames.shape[1]),
        "ImageInfo/NoOfImages": np.int32(len(frames)),
        "ImageInfo/ImagesTaken": np.int32(len(frames)),
        "ImageInfo/DataType": np.int32(codes[str(frames.dtype)]),
    }
    for name, value in facts.items():
        stored = np.asarray(value)
        info[name.replace("__", "/") if "__" in name else f"ImageInfo/{name}"] = (
            None if value is None else stored if stored.dtype == np.int32 else stored.astype("<f4")
        )
    streams = {name: np.asarray(value).tobytes() for name, value in info.items() if value is not None}
    images = {f"ImageData{n // 100 + 1}/Image{n + 1}": frame.tobytes() for n, frame in enumerate(frames)}
    return write_ole(path, {**streams, **images})
