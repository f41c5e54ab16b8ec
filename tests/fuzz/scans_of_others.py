"""The same ball as an Xradia file and as pictures, in which one thing is not what it should be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from tests.fuzz.mutant import Expect, Mutant, damage_file
from tests.fuzz.scans import CONTENT, VIEWS, angles, references, scan, some, views
from tests.inputs.ole import xradia


def txrm(folder: Path, rng: np.random.Generator) -> Mutant:
    """An Xradia scan with its reference."""
    path = folder / "scan.txrm"
    mutant = Mutant(["reconstruct", str(path)])
    one, way = scan(), rng.random()
    one["views"] = np.maximum(one["views"].astype(int) - 100, 0).astype(np.uint16)
    one["flats"] = (one["flats"] - 100).astype(np.uint16)
    facts: dict[str, Any] = {}
    if way < 0.5:
        act = CONTENT[some(rng, len(CONTENT))]
        act(one, rng, mutant)
        if mutant.did[0] == "angles long":
            mutant.expect = Expect.SAME  # the software writes more of them than images
        if mutant.did[0].startswith(("unit", "references swap", "references bright", "views nan", "angles short")):
            mutant.expect = Expect.FREE if mutant.did[0].startswith(("unit", "references")) else mutant.expect
            mutant.voxel_um = None
    elif way < 0.75:
        name, value = _odd_fact(rng)
        facts[name] = value
        mutant.did.append(f"{name} is {value!r:.60}")
        mutant.voxel_um = -1.0 if name == "PixelSize" else None
        if name in ("ReferenceData__ExpTime", "ExpTimes", "Energy"):
            mutant.must(Expect.FREE)  # another exposure is what the file says
    frames = np.ascontiguousarray(one["views"])
    if str(frames.dtype) not in ("uint16", "float32", "uint8"):
        frames = frames.astype(np.float32)
    mean = None if one["flats"] is None else np.asarray(one["flats"], float).mean(axis=0).astype(np.float32)
    own: dict[str, Any] = {
        "Angles": one["theta"], "PixelSize": one["pixel"], "ExpTimes": np.ones(VIEWS, "<f4"), "Energy": 5400.0,
        "ReferenceData__Image": mean, "ReferenceData__DataType": np.int32(10), "ReferenceData__ExpTime": 1.0,
    }  # fmt: skip
    xradia(path, frames, **(own | facts))
    if way >= 0.75:
        damage_file(path, rng, mutant)
    return mutant


def _odd_fact(rng: np.random.Generator) -> tuple[str, Any]:
    name = str(
        rng.choice(
            ["Angles", "PixelSize", "ExpTimes", "Energy", "ImageWidth", "ImageHeight", "NoOfImages", "ImagesTaken",
             "DataType", "ReferenceData__Image", "ReferenceData__DataType", "ReferenceData__ExpTime", "StoRADistance"]
        )
    )  # fmt: skip
    whole = name in ("ImageWidth", "ImageHeight", "NoOfImages", "ImagesTaken", "DataType", "ReferenceData__DataType")
    if whole:
        odd = rng.choice([0, 1, -1, 2**31 - 1, 60, 62, 20, 40, 3, 5, 11])
        return name, (None if rng.random() < 0.2 else np.int32(odd))
    values: list[Any] = [None, np.nan, np.inf, 0.0, -1.0, 1e30, np.zeros(0), np.zeros(7), np.full(VIEWS, np.nan), 5.0]
    return name, values[some(rng, len(values))]


def pictures(folder: Path, rng: np.random.Generator) -> Mutant:
    """Projections as TIFF: a folder, or one file of pages with its references in a second."""
    one, way = scan(), rng.random()
    mutant = Mutant([])
    if way < 0.5:
        act = (angles, views, references)[some(rng, 3)]
        act(one, rng, mutant)
    flats, views_ = folder / "flats.tif", folder / "views.tif"
    if one["flats"] is None or (
        one["darks"] is not None and np.shape(one["darks"]) == np.shape(one["flats"]) and way < 0.1
    ):
        one["flats"] = scan()["flats"]
        mutant.expect = Expect.FREE
    white = np.clip(np.asarray(one["flats"], float) - 100, 0, None).astype(np.float32)
    tifffile.imwrite(flats, white, photometric="minisblack", metadata=None)
    frames = np.asarray(one["views"])
    shown = frames.astype(np.float32) - 100
    options: dict[str, Any] = {"photometric": str(rng.choice(["minisblack"] * 9 + ["miniswhite"]))}
    if options["photometric"] == "miniswhite":
        mutant.did.append("white is zero")
    tifffile.imwrite(views_, shown, metadata=None, **options)
    if way >= 0.6:
        damage_file(views_ if rng.random() < 0.7 else flats, rng, mutant)
    list_ = folder / "angles.txt"
    list_.write_text("\n".join(f"{float(value):.6f}" for value in one["theta"]))
    if 0.5 <= way < 0.6:
        damage_file(list_, rng, mutant)
    mutant.arguments = [
        "reconstruct", str(views_), "--angles", str(list_), "--references", str(flats), "--pixel-size-um", "0.5",
    ]  # fmt: skip
    return mutant
