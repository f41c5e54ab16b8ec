"""Recipes in which something is not what it should be: values, keys, structure, bytes."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import numpy as np

from tests.fuzz.mutant import Expect, Mutant, damage_file

FOLDER = Path(__file__).parents[2] / "recipes"
_NAMES = ("nmc811_screening", "nmc622_statistics", "high_resolution", "overnight")
_NUMBER = re.compile(r"(?<=[ \[,:])-?\d+(?:\.\d+)?(?=[\s,\]}])")
_KEY = re.compile(r"^( *(?:- )?)([a-z_0-9]+):", re.M)
_ODD = (
    *("0", "-1", "1e300", "-1e300", ".nan", ".inf", "-.inf", "1e-300", "9" * 400, "1e5", "100000", "0.0001"),
    *("''", "null", "~", "yes", "[]", "{}", "[1, 2, 3]", "true", "'5'", "5 mm", "1:30", "010", "1_000", "0x10"),
    *("!!python/object:os.system {}", "&a [*a]", "*nowhere", "|\n  text", "2024-01-01", '"\\ud800"', "\u0661"),
    *("'" + "x" * 3000 + "'", "[" * 60 + "]" * 60, "{a: {a: {a: 1}}}"),
)


@lru_cache(maxsize=8)
def _sound(name: str) -> str:
    return (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


def recipe(folder: Path, rng: np.random.Generator) -> Mutant:
    """One to three mutations of a recipe that comes with the program, through `xrm check` or `xrm plan`."""
    text = _sound(str(rng.choice(_NAMES)))
    path = folder / "recipe.yaml"
    command = "check" if rng.random() < 0.9 else "plan"
    mutant = Mutant([command, str(path)], expect=Expect.FREE)
    for _ in range(int(rng.integers(1, 4))):
        text = _changed(text, rng, mutant)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    if rng.random() < 0.15:
        damage_file(path, rng, mutant)
    return mutant


def _changed(text: str, rng: np.random.Generator, mutant: Mutant) -> str:
    acts = [
        "number",
        "number",
        "number",
        "odd",
        "odd",
        "key",
        "delete",
        "twice",
        "indent",
        "move",
        "add",
        "flow",
        "many",
        "cut",
    ]
    act = str(rng.choice([*acts, "huge", "alias", "tabs", "unit"]))
    numbers, keys = list(_NUMBER.finditer(text)), list(_KEY.finditer(text))
    lines = text.splitlines(keepends=True) or ["\n"]
    line = int(rng.integers(0, len(lines)))
    if act in ("number", "odd", "unit") and numbers:
        hit = numbers[int(rng.integers(0, len(numbers)))]
        value = float(hit.group()) * float(rng.choice([-1, 0, 0.001, 0.1, 0.5, 2, 10, 1000, 1e6, 1e12]))
        new = {
            "number": f"{value:g}",
            "odd": str(rng.choice(_ODD)),
            "unit": hit.group() + str(rng.choice([" um", "mm", " s", "%"])),
        }[act]
        mutant.did.append(f"{text[: hit.start()].splitlines()[-1].strip()} {hit.group()} became {new:.40}")
        return text[: hit.start()] + new + text[hit.end() :]
    if act == "key" and keys:
        hit = keys[int(rng.integers(0, len(keys)))]
        mutant.did.append(f"key {hit.group(2)}")
        new = str(
            rng.choice([hit.group(2)[:-1], hit.group(2) + "s", "", "? ", "<<", "x" * 2000, "__class__", "1", "é"])
        )
        return text[: hit.start(2)] + new + text[hit.end(2) :]
    if act == "delete":
        del lines[line : line + int(rng.integers(1, 4))]
    elif act == "twice":
        lines[line:line] = lines[line : line + int(rng.integers(1, 4))]
    elif act == "indent":
        lines[line] = " " * int(rng.integers(0, 9)) + lines[line].lstrip()
    elif act == "move":
        moved = lines.pop(line)
        lines.insert(int(rng.integers(0, len(lines) + 1)), moved)
    elif act == "add":
        lines.insert(
            line,
            str(
                rng.choice(["x: 1\n", "- 1\n", "---\n", "...\n", "%YAML 1.1\n", "}\n", ": :\n", "? a\n: b\n", "\x07\n"])
            ),
        )
    elif act == "flow":
        depth = int(10 ** rng.uniform(1, 4))
        lines.append("deep: " + "[" * depth + "]" * depth + "\n")
    elif act == "many":
        lines += [f"key_{n}: {n}\n" for n in range(int(10 ** rng.uniform(1, 3.8)))]
    elif act == "huge":
        lines.append(f"name_{'k' * int(10 ** rng.uniform(2, 5))}: {'9' * int(10 ** rng.uniform(2, 5))}\n")
    elif act == "alias":
        lines.append("a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40)))
    elif act == "tabs":
        lines[line] = "\t" + lines[line]
    elif act == "cut":
        return "".join(lines)[: int(rng.integers(0, len(text) + 1))]
    mutant.did.append(f"{act} at {line + 1}")
    return "".join(lines)
