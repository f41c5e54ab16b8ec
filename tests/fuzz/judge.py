"""What must be true of a command's end: nothing escapes, nothing hangs, and nothing false is given as good."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from tests.analysis.phantoms import VOXEL_UM
from tests.fuzz.mutant import Expect, Mutant
from tests.fuzz.worker import MOST_CPU_S, Ended
from tests.inputs.files import MU, PIXEL_UM, RADIUS_UM

_CODES = {
    "reconstruct": (0, 1, 2, 5),
    "analyze": (0, 1, 2, 5),
    "handoff": (0, 1, 2),
    "check": (0, 2, 4),
    "plan": (0, 2, 4),
}
_CLOSE = 0.04
_DIAMETERS_UM = (7.0, 9.0)


def findings(mutant: Mutant, ended: Ended, out: Path) -> list[str]:
    """What is wrong with how a command ended."""
    command = mutant.arguments[0]
    if ended.traceback:
        return [f"traceback: {_last(ended.traceback)}"]
    found: list[str] = []
    if ended.cpu_s > MOST_CPU_S:
        found.append(f"slow: {ended.cpu_s:.1f} s")
    if "Traceback (most recent call last)" in ended.err or "Warning: " in ended.err:
        found.append(f"leaked: {ended.err[:300]}")
    if ended.code not in _CODES[command]:
        found.append(f"exit code {ended.code}")
    if ended.code:
        # Doubts (5) stand with the figures, as what a hand-off lacks does.
        said = ended.err + ended.out if command == "handoff" or ended.code == 5 else ended.err
        if not re.search(r"\S+: \S", said):
            found.append(f"a message without a place: {said[:200]!r}")
        return found
    if mutant.expect is Expect.REFUSED:
        found.append("accepted: " + _notes(command, ended.out))
    if mutant.expect is Expect.SAME and not _notes(command, ended.out):
        wrong = _wrong(mutant, command, ended.out, out)
        if wrong:
            found.append(f"silent: {wrong}")
    return found


def kind_of(finding: str) -> str:
    """What findings of one kind have in common."""
    return re.sub(r"[-+]?\d[\d.e+-]*", "#", finding)[:90]


def _last(trace: str) -> str:
    lines = [line.strip() for line in trace.strip().splitlines()]
    ours = [line for line in lines if "xrm_control" in line and line.startswith("File")]
    return f"{lines[-1][:200]} at {ours[-1].rpartition('xrm_control/')[2] if ours else '?'}"


def _notes(command: str, out: str) -> str:
    if command not in ("reconstruct", "analyze"):
        return ""
    content = json.loads(out)
    notes = content.get("notes") or content.get("warnings") or ""
    return str(notes)[:300] if notes else ""


def _wrong(mutant: Mutant, command: str, out: str, folder: Path) -> str:
    if command == "reconstruct":
        return _wrong_volume(json.loads(out), folder, mutant.voxel_um)
    if command == "analyze":
        return _wrong_particles(json.loads(out), folder, mutant.voxel_um)
    return ""


def _wrong_volume(said: dict[str, Any], folder: Path, voxel_um: float | None) -> str:
    """Of the reconstructed ball, wherever it is: attenuation and radius, in voxels, and the voxel."""
    voxel = said["voxel_size_um"]
    # -1: whatever the file says now, if it is said from where.
    if (voxel_um or PIXEL_UM) > 0 and not math.isclose(voxel, voxel_um or PIXEL_UM, rel_tol=1e-3):
        return f"voxel of {voxel}"
    values = tifffile.imread(folder / "v.ome.tif").astype(float)
    depth, radius_px = measured(values * voxel)
    if not math.isclose(depth, MU * PIXEL_UM, rel_tol=_CLOSE):
        return f"attenuation {depth / PIXEL_UM:.4g} for {MU}"
    if not math.isclose(radius_px, RADIUS_UM / PIXEL_UM, rel_tol=_CLOSE):
        return f"radius {radius_px * PIXEL_UM:.3g} um for {RADIUS_UM}"
    return ""


def measured(values: np.ndarray) -> tuple[float, float]:
    """Attenuation a voxel inside the brightest body, and its radius in voxels from the integral; wherever it is."""
    high = values > 0.5 * np.quantile(values, 0.995)
    if not high.any():
        return 0.0, 0.0
    centre = [float(np.median(axis)) for axis in np.nonzero(high)]
    away = np.sqrt(sum((grid - middle) ** 2 for grid, middle in zip(np.indices(values.shape), centre, strict=True)))
    radius = RADIUS_UM / PIXEL_UM
    depth = float(values[away < 0.75 * radius].mean())
    mass = float(np.where(away < 1.25 * radius, values, 0).sum())
    return depth, (max(mass / depth, 0.0) * 3 / (4 * math.pi)) ** (1 / 3) if depth else 0.0


def _wrong_particles(said: dict[str, Any], folder: Path, voxel_um: float | None) -> str:
    lines = (folder / "out" / "particles.csv").read_text().splitlines()
    column = lines[0].split(",").index("equivalent_diameter_um")
    sizes = sorted(float(line.split(",")[column]) for line in lines[1:])
    if voxel_um == -1.0 and sizes:
        # Another voxel is what the file says: the ratio of the two tells whether the shapes are right.
        scale = sizes[-1] / _DIAMETERS_UM[1]
        sizes = [size / scale for size in sizes]
    if len(sizes) != 2 or not np.allclose(sizes, _DIAMETERS_UM, rtol=_CLOSE):
        return f"diameters {[round(size, 2) for size in sizes]} um for {_DIAMETERS_UM} (voxel {VOXEL_UM})"
    voids = said["counts"]["voids"]
    return f"{voids} voids" if voids else ""
