"""Scans of the ball (`tests.inputs.files`) in which one thing is not what it should be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.fuzz.mutant import Expect, Mutant, damage_file
from tests.inputs.files import PIXEL_UM, THETA, Quantity, ball_scan, changed, data_exchange, nxtomo_content, write_hdf5

VIEWS = len(THETA)
# Spellings and how many um they are; None: no length at all.
UNITS: dict[str, float | None] = {
    **{"um": 1.0, "micrometer": 1.0, "Microns": 1.0, "µm": 1.0, "nm": 1e-3, "mm": 1e3, "m": 1e6, "cm": 1e4},
    **{"": None, "parsec": None, "pixel": None, "kg": None, "s": None, "um um": None, "\0": None, "1": None},
}
Frames = np.ndarray
Scan = dict[str, Any]


def scan() -> Scan:
    """Sound arrays by their role."""
    of = ball_scan()
    return {
        "views": of.projections[:].copy(),
        "flats": of.flats[:].copy(),
        "darks": of.darks[:].copy(),
        "theta": THETA.copy(),
        "pixel": PIXEL_UM,
        "unit": "um",
    }


def some(rng: np.random.Generator, count: int) -> int:
    return int(rng.integers(0, count))


def angles(one: Scan, rng: np.random.Generator, mutant: Mutant) -> None:
    """Something is wrong with the angles."""
    theta = one["theta"]
    act = str(
        rng.choice(["swap", "shuffle", "reverse", "shift", "scale", "nan", "same", "short", "long", "step", "radians"])
    )
    if act == "swap":
        a, b = rng.integers(0, VIEWS, 2)
        theta[[a, b]] = theta[[b, a]]
    elif act == "shuffle":
        theta = rng.permutation(theta)
    elif act == "reverse":
        theta = theta[::-1].copy()
        mutant.must(Expect.FREE)  # the ball in a mirror
    elif act == "shift":
        theta = theta + rng.uniform(-400, 400)
    elif act == "scale":
        factor = float(rng.choice([0.5, 2.0, 0.9, 1.1, -1.0, 0.1, 10.0, 1e6]))
        theta = theta * factor
        if factor in (0.9, 1.1):
            mutant.must(Expect.FREE)  # a rotation that is calibrated wrongly agrees with itself
    elif act == "nan":
        theta[some(rng, VIEWS)] = rng.choice([np.nan, np.inf, -np.inf, 1e300])
        mutant.must(Expect.REFUSED)
    elif act == "same":
        theta[:] = theta[0]
        mutant.must(Expect.REFUSED)
    elif act == "short":
        theta = theta[: some(rng, VIEWS)]
        mutant.must(Expect.REFUSED)
    elif act == "long":
        theta = np.append(theta, theta[: 1 + some(rng, 5)])
        mutant.must(Expect.REFUSED)
    elif act == "step":
        first = 1 + some(rng, VIEWS - 2)
        theta[first:] += rng.uniform(-40, 40)
    else:
        theta = np.radians(theta)
        mutant.must(Expect.REFUSED)
    one["theta"] = theta
    mutant.did.append(f"angles {act}")


def views(one: Scan, rng: np.random.Generator, mutant: Mutant) -> None:
    """Something is wrong with projections."""
    frames: Frames = one["views"]
    number = some(rng, VIEWS)
    acts = ["zero", "repeat", "swap", "shift", "dim", "full", "nan", "type", "up", "mirror", "turn", "lose", "half"]
    act = str(rng.choice([*acts, "block", "wrap", "scale", "as flats", "invert", "less", "crop", "noise", "gap"]))
    if act == "zero":
        frames[number] = 0
    elif act == "repeat":
        frames[number] = frames[number - 1]
    elif act == "swap":
        other = some(rng, VIEWS)
        frames[[number, other]] = frames[[other, number]]
    elif act == "shift":
        frames[number] = np.roll(frames[number], some(rng, 10), axis=int(rng.integers(0, 2)))
    elif act == "dim":
        frames[number] = (frames[number] * rng.uniform(0, 1)).astype(frames.dtype)
    elif act == "full":
        frames[number:] = 65535
    elif act == "nan":
        frames = frames.astype(np.float32)
        frames[number, some(rng, frames.shape[1])] = rng.choice([np.nan, np.inf])
        mutant.must(Expect.REFUSED)
    elif act == "type":
        frames = frames.astype(str(rng.choice(["float32", ">u2", "int32", ">f8", "uint64", "float16"])))
    elif act in ("up", "mirror"):
        frames = frames[:, ::-1] if act == "up" else frames[:, :, ::-1]
        mutant.must(Expect.FREE)
    elif act == "turn":
        frames = frames.transpose(*rng.permutation(3))
    elif act == "lose":
        frames = np.delete(frames, np.s_[number : number + 1 + some(rng, 20)], axis=0)
        mutant.must(Expect.REFUSED)
    elif act == "half":
        frames[number:] = np.roll(frames[number:], 1 + some(rng, 12), axis=2)
    elif act == "block":
        frames[number:] = 0
    elif act == "wrap":
        frames = (frames.astype(np.int64) * 8).astype(np.uint16)
    elif act == "scale":
        frames = frames * float(rng.choice([0.1, 0.5, 0.8, 1.5, 3, 16]))
    elif act == "as flats":
        frames[:] = one["flats"].mean(axis=0)
        mutant.must(Expect.FREE)  # there is nothing in the beam
    elif act == "invert":
        frames = 65535 - frames
    elif act == "less":
        frames = frames.astype(np.uint8)
    elif act == "crop":
        frames = frames[:, :, : frames.shape[2] - 1 - some(rng, 20)]
        mutant.must(Expect.REFUSED)
    elif act == "noise":
        frames = rng.integers(0, 65535, frames.shape).astype(np.uint16)
        mutant.must(Expect.FREE)  # another sample, of noise
    else:
        keep = np.r_[0:number, min(VIEWS, number + 1 + some(rng, 30)) : VIEWS]
        frames, one["theta"] = frames[keep], one["theta"][keep]
    one["views"] = frames
    mutant.did.append(f"views {act} {number}")


def references(one: Scan, rng: np.random.Generator, mutant: Mutant) -> None:
    """Something is wrong with flats or darks."""
    white, black = one["flats"], one["darks"]
    acts = ["swap", "sample", "dark", "none", "one", "scale", "nan", "type", "shape", "zero", "bright darks", "shift"]
    act = str(rng.choice(acts))
    if act == "swap":
        white, black = black, white
        mutant.must(Expect.REFUSED)
    elif act == "sample":
        white = one["views"][:: 1 + some(rng, 20)].copy()
    elif act == "dark":
        white[some(rng, len(white)) :] = black[0]
    elif act == "none":
        white = None
        mutant.must(Expect.REFUSED)
    elif act == "one":
        white[some(rng, len(white))] = rng.choice([0, 65535, 1000, 40000])
    elif act == "scale":
        white = (white * float(rng.choice([0.5, 0.8, 0.9, 1.25, 2, 16, 0.01]))).astype(np.float32)
        mutant.must(
            Expect.FREE
        )  # a beam that fell by a tenth looks the same; far off is refused, as `test_intensities` has
    elif act == "nan":
        white = white.astype(np.float32)
        white[0, some(rng, white.shape[1])] = np.nan
        mutant.must(Expect.REFUSED)
    elif act == "type":
        white = white.astype(str(rng.choice(["float32", ">u2", "int32", "float64"])))
    elif act == "shape":
        white = white[:, :, : -1 - some(rng, 10)]
        mutant.must(Expect.REFUSED)
    elif act == "zero":
        white[:] = 0
        mutant.must(Expect.REFUSED)
    elif act == "bright darks":
        black = white + 1
        mutant.must(Expect.REFUSED)
    else:
        white = np.roll(white, 1 + some(rng, 10), axis=2)
    one["flats"], one["darks"] = white, black
    mutant.did.append(f"references {act}")


def scale(one: Scan, rng: np.random.Generator, mutant: Mutant) -> None:
    """Another pixel size or unit: as the file says, or refused."""
    if rng.random() < 0.5:
        factor = float(rng.choice([1.5, 0.1, 10, 1e3, 1e-3, 1e6, 0, -1, np.nan, np.inf, 1e300]))
        one["pixel"] = PIXEL_UM * factor
        mutant.must(Expect.SAME if 0.01 <= factor <= 200 else Expect.REFUSED)
        mutant.voxel_um = one["pixel"] if 0.01 <= factor <= 200 else None
        mutant.did.append(f"pixel times {factor:g}")
        return
    unit = str(rng.choice(list(UNITS)))
    um = UNITS[unit]
    sound = um is not None and 0.005 <= PIXEL_UM * um <= 100
    one["unit"] = unit
    mutant.must(Expect.SAME if sound or unit == "" else Expect.REFUSED)
    mutant.voxel_um = PIXEL_UM * um if um is not None and sound else None
    mutant.did.append(f"unit {unit!r}")


CONTENT: tuple[Callable[[Scan, np.random.Generator, Mutant], None], ...] = (angles, views, views, references, scale)


def hdf5(folder: Path, rng: np.random.Generator, kind: str) -> Mutant:
    """Data Exchange (h5) or NXtomo (nx): its content, its structure or its bytes."""
    path = folder / f"scan.{kind}"
    mutant = Mutant(["reconstruct", str(path)])
    one, way = scan(), rng.random()
    if way < 0.6:
        CONTENT[some(rng, len(CONTENT))](one, rng, mutant)
    content = _data_exchange(one) if kind == "h5" else _nxtomo(one, rng, mutant)
    write_hdf5(path, {name: item for name, item in content.items() if item is not None})
    if 0.6 <= way < 0.8:
        structure(path, rng, mutant)
    elif way >= 0.8:
        damage_file(path, rng, mutant)
    return mutant


def _data_exchange(one: Scan) -> dict[str, Any]:
    return {
        "exchange/data": one["views"],
        "exchange/data_white": one["flats"],
        "exchange/data_dark": one["darks"],
        "exchange/theta": Quantity(one["theta"], "degrees"),
        "measurement/instrument/detection_system/objective/resolution": Quantity(one["pixel"], one["unit"]),
    }


def _nxtomo(one: Scan, rng: np.random.Generator, mutant: Mutant) -> dict[str, Any]:
    """In one stack, where shapes and lengths must agree; else the stack itself is at odds with its keys."""
    white = np.empty((0, *one["views"].shape[1:])) if one["flats"] is None else one["flats"]
    try:
        of = changed(
            ball_scan(), projections=lambda _: one["views"], flats=lambda _: white, darks=lambda _: one["darks"],
            theta_deg=lambda _: np.resize(one["theta"], len(one["views"])),
        )  # fmt: skip
        content = nxtomo_content(of)
    except (ValueError, TypeError):
        content = nxtomo_content(ball_scan())
        content["entry/instrument/detector/data"] = content["entry/instrument/detector/data"][:-3]
        mutant.did.append("a stack too short")
        mutant.must(Expect.REFUSED)
    if len(one["theta"]) != len(one["views"]):
        angle = content["entry/sample/rotation_angle"]
        content["entry/sample/rotation_angle"] = Quantity(angle.value[: len(one["theta"])], "degree")
    if rng.random() < 0.1:
        key = content["entry/instrument/detector/image_key"].copy()
        key[some(rng, len(key)) :] = rng.choice([-1, 0, 1, 2, 3, 7])
        content["entry/instrument/detector/image_key"] = key
        mutant.did.append("other keys")
    content["entry/instrument/detector/x_pixel_size"] = Quantity(one["pixel"], one["unit"])
    if one["unit"] == "":
        mutant.must(Expect.REFUSED)  # metres, where none is stated
    return content


def structure(path: Path, rng: np.random.Generator, mutant: Mutant) -> None:
    """A dataset that is gone, of another kind, compressed, elsewhere, or not written."""
    with h5py.File(path, "a") as file:
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        name = str(rng.choice(names))
        whole: Any = file[name]
        values, attributes = whole[()], dict(whole.attrs)
        act = str(
            rng.choice(
                ["gone", "text", "group", "dangling", "external", "packed", "empty", "four", "scalar", "unwritten",
                 "bool", "compound", "loop", "attribute", "resizable", "complex", "renamed", "huge"]
            )
        )  # fmt: skip
        del file[name]
        if act == "text":
            file[name] = "0.5"
        elif act == "group":
            file.create_group(name)
        elif act == "dangling":
            file[name] = h5py.SoftLink("/nowhere")
        elif act == "external":
            file[name] = h5py.ExternalLink("nowhere.h5", "/data")
        elif act == "packed" and np.ndim(values):
            file.create_dataset(name, data=values, compression="gzip", shuffle=True)
        elif act == "empty":
            file[name] = h5py.Empty("f4")
        elif act == "four":
            file[name] = values[None]
        elif act == "scalar":
            file[name] = np.asarray(values).reshape(-1)[0]
        elif act == "unwritten":
            file.create_dataset(
                name, shape=np.shape(values), dtype=values.dtype, chunks=True if np.ndim(values) else None
            )
        elif act == "bool":
            file[name] = np.asarray(values).astype(bool)
        elif act == "compound":
            file[name] = np.zeros(np.shape(values) or (1,), [("a", "f4"), ("b", "i2")])
        elif act == "loop":
            file[name] = h5py.SoftLink(f"/{name}")
        elif act == "attribute":
            file[name] = values
            words = ["a", "", "\u7fff", "1/0", "m" * 3000]
            odd: Any = words[some(rng, len(words))]
            attributes["units"] = odd if rng.random() < 0.5 else rng.choice([np.nan, 7.0, 1e300], 3)
        elif act == "resizable" and np.ndim(values):
            longer = file.create_dataset(name, data=values, maxshape=(None,) * np.ndim(values), chunks=True)
            longer.resize(len(values) + 7, axis=0)
        elif act == "complex":
            file[name] = np.asarray(values).astype(complex)
        elif act == "renamed":
            file[name + "_"] = values
        elif act == "huge" and np.ndim(values):
            file.create_dataset(name, shape=(10**6, *np.shape(values)[1:]), dtype=values.dtype, chunks=True)
        item = file.get(name) if act not in ("loop", "external") else None
        if isinstance(item, h5py.Dataset):
            for key, value in attributes.items():
                item.attrs[key] = value
        mutant.did.append(f"{name} {act}")
        mutant.voxel_um = -1.0 if "pixel" in name or "resolution" in name else mutant.voxel_um  # whatever it says now


def check_sound(folder: Path) -> Path:
    """A scan without any mutation."""
    return data_exchange(folder / "sound.h5")
