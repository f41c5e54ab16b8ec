"""`xrm reconstruct` at full size, disk to disk: 1024^3 from 1571 views of spheres, with its time, memory and error."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import Row
from xrm_control.core.clock import pause, stopwatch
from xrm_control.storage.formats.registry import read_volume

SIDE, VIEWS, PIXEL_UM, MU_PER_UM = 1024, 1571, 0.064, 0.0458
AXIS_PX, GAIN_COUNTS, LIGHT_COUNTS = 530.3, 7.0, 20_000.0
TARGET_S, TARGET_GB = 60.0, 6.0
ROOT = Path(__file__).parents[1]


def rows() -> list[Row]:
    """Needs 13 GB of disk in the folder for temporary files."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "scan.h5", Path(folder) / "volume.ome.tif"
        spheres = write_scan(source)
        command = [sys.executable, "-m", "xrm_control.cli", "reconstruct", str(source), "--out", str(target)]
        passed_s = stopwatch()
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            peak_gb = 0.0
            while process.poll() is None:
                peak_gb = max(peak_gb, _memory_gb(process.pid))
                pause(0.2)
        seconds = passed_s()
        if process.returncode:
            raise RuntimeError(f"xrm reconstruct ended with {process.returncode}")
        level, offset_um = _found(target, spheres)
    return [
        Row(
            f"{SIDE}^3 from {VIEWS} views, disk to disk",
            f"xrm reconstruct, {os.cpu_count()} CPUs",
            seconds,
            TARGET_S / seconds,
            f"its target of {TARGET_S:.0f} s",
            f"{peak_gb:.1f} GB of memory (target {TARGET_GB:.0f}); attenuation of {len(spheres)} spheres "
            f"{level - 1:+.1%}, their places off by {1e3 * offset_um:.0f} nm",
        )
    ]


def write_scan(path: Path, side: int = SIDE, views: int = VIEWS) -> NDArray[np.float64]:
    """Counts with noise in a Data Exchange file; returns the spheres, (n, 4): x, y, z, radius in um, of any `side`."""
    random, spheres = np.random.default_rng(3), _spheres()
    theta_deg, pixel_um = np.linspace(-90, 90, views), PIXEL_UM * SIDE / side
    beam = LIGHT_COUNTS + 3000 * np.cos(np.linspace(0, 6, side))[None, :] * np.ones((side, 1))

    def counts(transmission: NDArray | float) -> NDArray[np.uint16]:
        mean = beam * transmission
        noise = random.standard_normal(mean.shape, dtype=np.float32) * np.sqrt(mean * GAIN_COUNTS)
        return (mean + noise + 100).clip(0, 65535).astype(np.uint16)

    with h5py.File(path, "w") as file:
        file["exchange/theta"] = theta_deg
        file["exchange/data_white"] = np.stack([counts(1.0) for _ in range(10)])
        file["exchange/data_dark"] = random.normal(100, 3, (5, side, side)).astype(np.uint16)
        file["measurement/instrument/detector/pixel_size"] = pixel_um
        frames = file.create_dataset("exchange/data", (views, side, side), "u2")
        for view, theta in enumerate(np.radians(theta_deg)):
            frames[view] = counts(np.exp(-_line_integrals(spheres, float(theta), side)))
    return spheres


def _spheres() -> NDArray[np.float64]:
    """Some forty that do not touch each other, within what the detector sees at every angle."""
    random, found = np.random.default_rng(3), []
    for x, y, z, radius in random.uniform((-22, -22, -30, 1), (22, 22, 30, 5), (400, 4)):
        apart = all(np.hypot(np.hypot(x - a, y - b), z - c) > radius + r + 0.5 for a, b, c, r in found)
        if apart and np.hypot(x, y) + radius < 28 and len(found) < 40:
            found.append((x, y, z, radius))
    return np.array(found)


def _line_integrals(spheres: NDArray[np.float64], theta: float, side: int) -> NDArray[np.float32]:
    pixel_um = PIXEL_UM * SIDE / side
    across = (np.arange(side) - AXIS_PX * side / SIDE) * pixel_um
    down = (np.arange(side) - (side - 1) / 2) * pixel_um
    total = np.zeros((side, side), np.float32)
    for x, y, z, radius in spheres:
        middle = x * np.cos(theta) - y * np.sin(theta)
        top, bottom = np.searchsorted(down, [z - radius, z + radius])
        left, right = np.searchsorted(across, [middle - radius, middle + radius])
        squared = (down[top:bottom, None] - z) ** 2 + (across[None, left:right] - middle) ** 2
        total[top:bottom, left:right] += 2 * MU_PER_UM * np.sqrt(np.maximum(radius**2 - squared, 0))
    return total


def _found(path: Path, spheres: NDArray[np.float64]) -> tuple[float, float]:
    """Attenuation within the spheres relative to what it is, and the median distance of their centres of mass."""
    volume, _ = read_volume(path)
    half, levels, distances = (SIDE - 1) / 2, [], []
    for x, y, z, radius in spheres:
        size = int(radius / PIXEL_UM) + 4
        middle = np.rint(np.array([z, y, x]) / PIXEL_UM + half).astype(int)
        low, high = np.maximum(middle - size, 0), np.minimum(middle + size + 1, SIDE)
        box = volume[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
        places = np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij")
        at_um = (np.stack(places) - half) * PIXEL_UM - np.array([z, y, x])[:, None, None, None]
        away = np.sqrt((at_um**2).sum(axis=0))
        levels.append(box[away < radius - 3 * PIXEL_UM].mean() / MU_PER_UM)
        solid = (box > MU_PER_UM / 2) & (away < radius + 2 * PIXEL_UM)
        if low.min() > 0 and high.max() < SIDE:
            distances.append(float(np.linalg.norm(at_um[:, solid].mean(axis=1))))
    return float(np.mean(levels)), float(np.median(distances))


def _memory_gb(pid: int) -> float:
    """Of a process and its children, without pages of files, which the system may take back."""
    total_kb, todo = 0, [pid]
    while todo:
        one = Path("/proc", str(todo.pop()))
        try:
            facts = dict(line.split(":", 1) for line in (one / "status").read_text().splitlines() if ":" in line)
            total_kb += int(facts["RssAnon"].split()[0])
            for thread in (one / "task").iterdir():
                todo += map(int, (thread / "children").read_text().split())
        except (OSError, KeyError):
            continue
    return total_kb / 1e6
