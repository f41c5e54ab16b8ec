"""Answers of an analysis core (csv), and hand-offs (json), in which one thing is not what it should be."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from tests.analysis.phantoms import VOXEL_UM
from tests.fuzz.mutant import Expect, Mutant, damage_file
from tests.fuzz.volumes import volume
from xrm_control import app
from xrm_control.analysis.core import AnalysisSpec

# What no number of a table can be; "" stands where a core has not measured.
_NO_NUMBERS = (
    "nan",
    "inf",
    "-inf",
    "1e400",
    "abc",
    "1,5",
    "0x10",
    "1_000",
    "--1",
    "1e",
    "\u0661",
    "None",
    "1;2",
    "5 um",
)
_REQUIRED = ("particle_id", "roi", "x_um", "y_um", "z_um", "volume_um3", "equivalent_diameter_um", "touches_boundary")
Table = list[list[str]]


@lru_cache(maxsize=1)
def answer() -> dict[str, bytes]:
    """What the built-in core writes of the volume, by the file's name."""
    folder = Path(tempfile.mkdtemp(prefix="xrm-fuzz-"))
    np.save(folder / "v.npy", volume())
    app.analyze(folder / "v.npy", folder / "out", AnalysisSpec(), VOXEL_UM)
    names = ("particles.csv", "voids.csv", "columns.json", "results.json", "quality.json")
    found = {name: (folder / "out" / name).read_bytes() for name in names if (folder / "out" / name).exists()}
    shutil.rmtree(folder)
    return found


def tables(folder: Path, rng: np.random.Generator) -> Mutant:
    """particles.csv, by cells, rows, columns or bytes."""
    for name, content in answer().items():
        (folder / name).write_bytes(content)
    path = folder / "particles.csv"
    mutant = Mutant(["handoff", "check", str(folder), "--roi", "volume"])
    if rng.random() < 0.25:
        damage_file(path, rng, mutant)
        mutant.must(Expect.FREE)  # a digit is a digit
        return mutant
    rows = list(csv.reader(io.StringIO(path.read_text())))
    path.write_text(_spoil(rows, rng, mutant), newline="")
    return mutant


def _spoil(rows: Table, rng: np.random.Generator, mutant: Mutant) -> str:
    header, first = rows[0], rows[1]
    place = int(rng.integers(0, len(header)))
    name, cell = header[place], first[place]
    number = _number(cell)
    acts = [
        "cell",
        "cell",
        "cell",
        "scale",
        "scale",
        "column",
        "twice",
        "row twice",
        "longer",
        "shorter",
        "order",
        "swap",
    ]
    act = str(
        rng.choice(
            [*acts, "bom", "crlf", "quote", "blank", "newline", "zero", "no end", "semicolons", "header", "long"]
        )
    )
    mutant.did.append(f"{act} {name}")
    end = "\n"
    if act == "cell":
        first[place] = str(rng.choice(_NO_NUMBERS))
        mutant.did.append(first[place])
        mutant.must(Expect.REFUSED if number is not None else Expect.FREE)
    elif act == "scale" and number is not None:
        factor = float(rng.choice([-1, 0, 1e6, 1e-6, 1.5, 0.5]))
        first[place] = repr(number * factor)
        mutant.did.append(f"times {factor:g}")
        tied = name in ("volume_um3", "equivalent_diameter_um") and abs(number) > 0
        mutant.must(Expect.REFUSED if tied else Expect.FREE)
    elif act == "column":
        for row in rows:
            del row[place]
        mutant.must(Expect.REFUSED if name in _REQUIRED else Expect.FREE)
    elif act == "twice":
        for row in rows:
            row.append(row[place])
        mutant.must(Expect.REFUSED)
    elif act == "row twice":
        rows.append(list(first))
        mutant.must(Expect.REFUSED)
    elif act in ("longer", "shorter"):
        rows[1] = [*first, "1"] if act == "longer" else first[:-1]
        mutant.must(Expect.REFUSED)
    elif act == "order":
        order = rng.permutation(len(header))
        rows = [[row[n] for n in order] for row in rows]
        mutant.must(Expect.FREE)
    elif act == "swap":
        a, b = header.index("volume_um3"), header.index("equivalent_diameter_um")
        header[a], header[b] = header[b], header[a]
        mutant.must(Expect.REFUSED)
    elif act == "header":
        header[place] = str(rng.choice(["", " " + name, name.upper(), "x" * 5000]))
        mutant.must(Expect.REFUSED if name in _REQUIRED else Expect.FREE)
    elif act in ("bom", "zero", "no end", "semicolons"):
        mutant.must(Expect.REFUSED)
    elif act == "crlf":
        end = "\r\n"
        mutant.must(Expect.FREE)
    elif act == "quote":
        first[place] = '"' + cell
        mutant.must(Expect.FREE)
    elif act == "blank":
        rows[1:1] = [[] for _ in range(int(rng.integers(1, 2000)))]
        mutant.must(Expect.FREE)
    elif act == "long":
        first[place] = "1" * int(10 ** rng.uniform(3, 6))
        mutant.must(Expect.FREE)
    else:
        first[place] = cell + "\n"
        mutant.must(Expect.FREE)
    text = end.join((";" if act == "semicolons" else ",").join(row) for row in rows) + end
    odd = {"bom": "\ufeff" + text, "zero": text[:50] + "\0" + text[50:], "no end": text.rstrip("\n")}
    return odd.get(act, text)


def _number(cell: str) -> float | None:
    try:
        return float(cell) if math.isfinite(float(cell)) else None
    except ValueError:
        return None


def handoff(folder: Path, rng: np.random.Generator) -> Mutant:
    """handoff.json with its volume."""
    volume_path, path = folder / "volume.ome.tif", folder / "handoff.json"
    sizes = {f"PhysicalSize{axis}": VOXEL_UM for axis in "XYZ"}
    tifffile.imwrite(volume_path, volume(), ome=True, metadata={"axes": "ZYX", **sizes}, photometric="minisblack")
    mutant = Mutant(["analyze", str(path)])
    content: dict[str, Any] = {
        "version": 1, "volume": volume_path.name, "shape": list(volume().shape), "voxel_size_um": VOXEL_UM,
        "units": "1/um", "attenuation_scale": 1.0, "roi": "roi-01", "centre_stage_um": {"x": 1.0, "y": 2.0, "z": 3.0},
        "sample": {"formula": "LiNi0.8Mn0.1Co0.1O2", "density_g_cm3": 4.7}, "quality": {"views": 141.0},
        "warnings": [], "inputs": {volume_path.name: hashlib.sha256(volume_path.read_bytes()).hexdigest()},
    }  # fmt: skip
    way = rng.random()
    if way < 0.6:
        _change(content, rng, mutant)
    text = json.dumps(content)
    if 0.6 <= way < 0.8:
        text = _odd_text(text, rng, mutant)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    if way >= 0.8:
        target = path if rng.random() < 0.6 else volume_path
        damage_file(target, rng, mutant)
        mutant.must(Expect.REFUSED if target == volume_path and target.read_bytes() != b"" else Expect.FREE)
    mutant.voxel_um = -1.0
    return mutant


def _change(content: dict[str, Any], rng: np.random.Generator, mutant: Mutant) -> None:
    """One key with another value, or gone."""
    key = str(rng.choice(list(content)))
    odd: list[Any] = [
        None,
        "",
        "x",
        -1,
        0,
        1e300,
        1e-300,
        [],
        {},
        True,
        [1, 2, 3],
        {"a": 1},
        10**400,
        "../..",
        "/dev/zero",
        ".",
    ]
    if key == "volume":
        odd += ["handoff.json", "nowhere.tif", "/dev/null", "volume.ome.tif\0", "v" * 5000, "fifo"]
    if key == "voxel_size_um":
        odd = [0, -1, 1e-9, 1e9, "0.5 um", None, [0.5], 512.0, 5.12e-7, True]
    if rng.random() < 0.15:
        del content[key]
        mutant.did.append(f"without {key}")
        # What has no default cannot be done without; what is only told can.
        mutant.must(Expect.REFUSED if key in ("volume", "voxel_size_um") else Expect.FREE)
        return
    value = odd[int(rng.integers(0, len(odd)))]
    content[key] = value
    mutant.did.append(f"{key} is {value!r:.50}")
    if key in ("volume", "shape", "voxel_size_um", "attenuation_scale", "units"):
        harmless = (key == "shape" and value is None) or (key == "attenuation_scale" and value is True)
        mutant.must(Expect.FREE if harmless else Expect.REFUSED)
    else:
        mutant.must(Expect.FREE)


def _odd_text(text: str, rng: np.random.Generator, mutant: Mutant) -> str:
    """JSON that is none, or says a thing twice."""
    depth = int(10 ** rng.uniform(2, 5.5))
    odd = {
        "twice": text.replace('"voxel_size_um"', '"voxel_size_um": 5.12, "voxel_size_um"', 1),
        "NaN": text.replace("0.512", "NaN"),
        "infinity": text.replace("0.512", "-Infinity"),
        "deep": text.replace("{}", "{}", 1)[:-1] + ', "analysis": ' + "[" * depth + "]" * depth + "}",
        "deep objects": text[:-1] + ', "analysis": ' + '{"a":' * depth + "1" + "}" * depth + "}",
        "long number": text.replace("0.512", "1" * depth),
        "comment": "// a comment\n" + text,
        "comma": text[:-1] + ",}",
        "list": f"[{text}]",
        "number": "7",
        "half": text[: len(text) // 2],
        "two": text + text,
        "surrogate": text.replace("roi-01", "\ud800"),
        "mark": "\ufeff" + text,
    }
    name = str(rng.choice(list(odd)))
    mutant.did.append(f"text {name} {depth if 'deep' in name or 'long' in name else ''}")
    mutant.must(Expect.FREE if name in ("mark", "surrogate") or "deep" in name else Expect.REFUSED)
    return odd[name]
