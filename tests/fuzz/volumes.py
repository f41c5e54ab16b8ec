"""Volumes of two balls in which one thing is not what it should be."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from tests.analysis.phantoms import VOXEL_UM, ball, render
from tests.fuzz.mutant import Expect, Mutant, damage_file

SHAPE = (36, 48, 48)
Volume = np.ndarray


@lru_cache(maxsize=1)
def volume() -> Volume:
    """Balls of 9 and 7 um, with noise."""
    return render([ball(-3.5, -3.5, 0, 4.5), ball(4.5, 3.5, 2, 3.5)], SHAPE, snr=20)


def spoilt(rng: np.random.Generator, mutant: Mutant) -> Volume:
    """The volume with one thing wrong."""
    values = volume().copy()
    z = int(rng.integers(0, SHAPE[0]))
    acts = [
        "nan",
        "inf",
        "slice",
        "slab",
        "box",
        "negative",
        "offset",
        "scale",
        "type",
        "swap",
        "roll",
        "repeat",
        "lose",
    ]
    act = str(rng.choice([*acts, "turn", "mirror", "hot", "row", "half", "slope", "threshold", "wrap", "constant"]))
    if act in ("nan", "inf"):
        values[z, 10] = np.nan if act == "nan" else np.inf
        mutant.must(Expect.REFUSED)
    elif act == "slice":
        values[z] = rng.choice([0, 0.05, 1, -1])
    elif act == "slab":
        values[z : z + 1 + int(rng.integers(0, 12))] = 0
    elif act == "box":
        corner = rng.integers(4, 28, 3)
        values[tuple(slice(int(c), int(c) + int(rng.integers(3, 12))) for c in corner)] = rng.choice([0, 0.05])
    elif act == "negative":
        values = -values
    elif act == "offset":
        values = values + np.float32(rng.choice([0.01, 1, -1, 100]))
    elif act == "scale":
        values = values * np.float32(rng.choice([0.1, 10, 1000, 1e5, 1e-6, 1e30]))
        mutant.must(Expect.FREE)  # other grey values, the same shapes
    elif act == "type":
        kind = str(rng.choice(["uint8", "uint16", "int16", ">f4", "float64", "float16", ">u2", "int64", "complex64"]))
        counts = kind.lstrip(">")[0] in "ui"
        values = (
            (1000 + values * (2000 if kind == "uint8" else 200_000)).clip(0).astype(kind)
            if counts
            else values.astype(kind)
        )
    elif act == "swap":
        values[[z, z - 5]] = values[[z - 5, z]]
    elif act == "roll":
        values[z:] = np.roll(values[z:], 1 + int(rng.integers(0, 20)), axis=int(rng.integers(1, 3)))
    elif act == "repeat":
        values[z : z + 6] = values[z]
    elif act == "lose":
        values = np.delete(values, np.s_[z : z + 1 + int(rng.integers(0, 6))], axis=0)
        mutant.must(Expect.FREE)  # a flatter body is one too
    elif act == "turn":
        values = values.transpose(*rng.permutation(3))
    elif act == "mirror":
        values = values[:, ::-1]
    elif act == "hot":
        values[z, 20, 20] = rng.choice([1e3, 1e30, -1e30])
    elif act == "row":
        values[:, int(rng.integers(0, 48))] = 0
    elif act == "half":
        values = values[:, :, : 20 + int(rng.integers(0, 20))]
        mutant.must(Expect.FREE)  # a smaller crop
    elif act == "slope":
        values = values * np.linspace(0.2, 1.8, SHAPE[0], dtype=np.float32)[:, None, None]
    elif act == "threshold":
        values = (values > 0.023).astype(np.uint8)
    elif act == "wrap":
        values = (values * 5_000_000).astype(np.int64).astype(np.uint16)
    else:
        values[:] = 0.05
        mutant.must(Expect.REFUSED)
    mutant.did.append(f"volume {act} {z}")
    return np.ascontiguousarray(values)


def npy(folder: Path, rng: np.random.Generator) -> Mutant:
    """A NumPy file: values, header or bytes."""
    path = folder / "v.npy"
    mutant = Mutant(["analyze", str(path), "--voxel-size-um", f"{VOXEL_UM}"])
    way = rng.random()
    values: Any = spoilt(rng, mutant) if way < 0.6 else volume()
    if 0.6 <= way < 0.75:
        values = _odd_array(rng, mutant)
    np.save(path, values, allow_pickle=True)
    if way >= 0.75:
        damage_file(path, rng, mutant)
    return mutant


def _odd_array(rng: np.random.Generator, mutant: Mutant) -> Any:
    values = volume()
    odd: dict[str, Any] = {
        "objects": np.array([{}, 1], dtype=object),
        "text": np.array(["a", "b"]),
        "two": values[0],
        "one of many": values[None],
        "empty": np.zeros((0, 4, 4), np.float32),
        "flat": values[:1],
        "thin": values[:, :2],
        "Fortran": np.asfortranarray(values),
        "records": np.zeros((4, 4, 4), [("a", "f4")]),
        "dates": np.zeros((4, 4, 4), "M8[s]"),
        "scalar": np.float64(1),
    }
    name = str(rng.choice(list(odd)))
    mutant.did.append(f"array {name}")
    mutant.must(Expect.SAME if name in ("Fortran", "one of many") else Expect.REFUSED)
    return odd[name]


def tif(folder: Path, rng: np.random.Generator) -> Mutant:
    """OME, ImageJ's or a plain file: values, metadata or bytes."""
    path = folder / "v.tif"
    mutant = Mutant(["analyze", str(path)])
    way, kind = rng.random(), str(rng.choice(["ome", "imagej", "plain"]))
    values = spoilt(rng, mutant) if way < 0.4 else volume()
    if values.dtype.kind == "c" or values.dtype.itemsize == 8:
        values = np.real(values).astype(np.float32)
        mutant.expect = Expect.FREE
    if kind == "imagej" and (values.dtype.kind == "i" or (values.dtype.itemsize == 2 and values.dtype.kind == "f")):
        kind = "plain"
    _write(path, values, kind)
    if kind == "plain":
        mutant.arguments += ["--voxel-size-um", f"{VOXEL_UM}"]
    if 0.4 <= way < 0.7 and kind != "plain":
        _edit(path, rng, mutant)
    elif way >= 0.4:
        damage_file(path, rng, mutant)
    return mutant


def _write(path: Path, values: Volume, kind: str) -> None:
    sizes = {f"PhysicalSize{axis}": VOXEL_UM for axis in "XYZ"}
    if kind == "ome":
        tifffile.imwrite(path, values, ome=True, metadata={"axes": "ZYX", **sizes}, photometric="minisblack")
    elif kind == "imagej":
        about = {"axes": "ZYX", "spacing": VOXEL_UM, "unit": "um"}
        tifffile.imwrite(
            path,
            values.astype(values.dtype.newbyteorder("=")),
            imagej=True,
            metadata=about,
            resolution=(1 / VOXEL_UM, 1 / VOXEL_UM),
        )
    else:
        tifffile.imwrite(path, values, metadata=None, photometric="minisblack")


# Words of the descriptions, and what they become: of the same length, so that nothing else moves.
_EDITS = (
    (b'PhysicalSizeX="0.512"', b'PhysicalSizeX="5.120"'), (b'PhysicalSizeZ="0.512"', b'PhysicalSizeZ="51.20"'),
    (b'PhysicalSizeX="0.512"', b'PhysicalSizeX="-.512"'), (b'PhysicalSizeY="0.512"', b'PhysicalSizeY="NaN  "'),
    (b'PhysicalSizeY="0.512"', b'PhysicalSizeQ="0.512"'), (b'SizeZ="36"', b'SizeZ="18"'),
    (b'SizeZ="36"', b'SizeT="36"'),
    (b'SizeC="1"', b'SizeC="2"'), (b'SizeX="48"', b'SizeX="84"'), (b'Type="float"', b'Type="int16"'),
    (b'DimensionOrder="XYZCT"', b'DimensionOrder="XYCZT"'), (b"</OME>", b"</OMX>"), (b"<Pixels", b"<Pixelz"),
    (b"unit=um", b"unit=mm"), (b"unit=um", b"unit=pm"), (b"spacing=0.512", b"spacing=5.120"),
    (b"spacing=0.512", b"spacing=nan  "),
    (b"images=36", b"images=35"), (b"slices=36", b"frames=36"), (b"slices=36", b"slices=18"), (b"ImageJ=", b"Image_="),
    (b'PlaneCount="36"', b'PlaneCount="12"'), (b'FirstZ="0"', b'FirstZ="9"'),
)  # fmt: skip


def _edit(path: Path, rng: np.random.Generator, mutant: Mutant) -> None:
    data = path.read_bytes()
    fitting = [edit for edit in _EDITS if edit[0] in data]
    if not fitting:
        return
    old, new = fitting[int(rng.integers(0, len(fitting)))]
    path.write_bytes(data.replace(old, new, 1))
    mutant.did.append(f"{old!r} became {new!r}")
    mutant.voxel_um = -1.0
