"""A run as the window's server tells of it, moved on by hand: what the page shows is then known exactly."""

from __future__ import annotations

import io
import struct
import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

HOSTILE = "<img src=x onerror=window.stolen=1>"
TILE_UM = 60.0
COLUMNS, ROWS = 4, 3
SIDE = 24
PARTICLES = 12_000
ACTIONS = ("pause", "continue", "resume", "skip", "order", "add", "until", "stop", "abort")
STARTED = "2026-11-26T18:00:00+00:00"


@dataclass
class FakeRun:
    """A run in its mosaic; `changed` wakes streams."""

    name: str = "demo"
    recipe_name: str = "nmc811_screening"
    state: str = "mosaicking"
    reason: str = ""
    alive: bool = True
    tiles: int = 0
    lines: list[dict[str, Any]] = field(default_factory=list)
    regions: list[dict[str, Any]] = field(default_factory=list)
    alarms: list[dict[str, Any]] = field(default_factory=list)
    impossible: dict[str, str] = field(default_factory=lambda: {"continue": "nothing is paused", "resume": "it runs"})
    version: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def touch(self) -> None:
        """Tell the streams."""
        with self.changed:
            self.version += 1
            self.changed.notify_all()

    def say(self, text: str, level: str = "info", kind: str = "frame.kept") -> None:
        """One more line."""
        number = len(self.lines) + 1
        utc = f"2026-11-26T18:{number // 60 % 60:02d}:{number % 60:02d}+00:00"
        self.lines.append({"id": number, "t_s": float(number), "utc": utc, "level": level, "kind": kind, "text": text})
        self.touch()

    def keep_tiles(self, count: int) -> None:
        """So many more tiles."""
        for _ in range(count):
            self.tiles += 1
            self.say(f"tile {self.tiles} kept")

    def add_region(self, x_um: float, y_um: float, side_um: float = 50.0, **other: Any) -> None:
        """One more region in the queue."""
        name = f"roi-{len(self.regions) + 1:02d}"
        region = {
            "name": name, "x_um": x_um, "y_um": y_um, "z_um": 10.0, "width_um": side_um, "height_um": side_um,
            "state": "waiting", "reason": "", "why": "varied sizes", "added_by": "", "done": 0, "planned": 100,
            "expected_particles": 20, "particles": None, "voided": None, "voided_percent": None,
            "equivalent_diameter_um": None,
            "trust": "", "preview": "", "volume": True, "doubts": [],
        }  # fmt: skip
        self.regions.append({**region, **other})
        self.touch()

    def view(self) -> dict[str, Any]:
        """RunView."""
        done = sum(region["done"] for region in self.regions)
        return {
            "name": self.name, "folder": "/data/runs/demo", "recipe_name": self.recipe_name, "sample": "NMC811",
            "simulated": True,
            "started_utc": STARTED, "state": self.state, "state_reason": self.reason, "state_utc": STARTED,
            "before_waiting": "scanning" if self.state in ("paused", "held", "aborted", "failed") else None,
            "alive": self.alive, "died": False, "ended": not self.alive, "verdict": None, "reasons": [],
            "t_s": 120.0, "planned_s": 3600.0, "remaining_s": 3480.0, "kept": self.tiles + done, "planned": 212,
            "retaken": 0, "missing": 0,
            "stages": [{"name": "mosaic", "roi": "", "done": self.tiles, "planned": COLUMNS * ROWS}],
            "last_frame": None if not self.tiles else {
                "frame_id": f"mosaic/tile_{self.tiles - 1:02d}", "kind": "tile", "theta_deg": 0.0,
                "mean_counts": 37000.0, "t_s": 100.0, "picture": f"frames/mosaic/tile_{self.tiles - 1:02d}.png",
                "file": f"frames/mosaic/tile_{self.tiles - 1:02d}.tif",
            },
            "flux": 0.99,
            "actions": [
                {"name": name, "possible": name not in self.impossible, "reason": self.impossible.get(name, "")}
                for name in ACTIONS
            ],
            "alarms": self.alarms, "disk_free_bytes": 64_000_000_000, "report": False, "results": True,
            "voided_share": None,
        }  # fmt: skip

    def mosaic(self) -> dict[str, Any]:
        """MosaicView: tiles from (0, 0) on, row by row."""
        tiles = [
            {
                "frame_id": f"mosaic/tile_{i:02d}", "row": i // COLUMNS, "column": i % COLUMNS,
                "x_um": (i % COLUMNS) * TILE_UM, "y_um": (i // COLUMNS) * TILE_UM,
                "width_um": TILE_UM, "height_um": TILE_UM, "outcome": "kept" if i < self.tiles else "open",
                "picture": f"frames/mosaic/tile_{i:02d}.png" if i < self.tiles else "",
            }
            for i in range(COLUMNS * ROWS)
        ]  # fmt: skip
        return {"tiles": tiles, "picture": "", "x0_um": 0, "y0_um": 0, "width_um": 0, "height_um": 0, "particles": None}

    def card(self) -> dict[str, Any]:
        """RunCard."""
        told = self.view()
        names = ("name", "recipe_name", "sample", "started_utc", "state", "alive", "died", "simulated", "kept")
        return {**{name: told[name] for name in names}, "planned": 212, "particles": 87, "verdict": None, "problem": ""}


def picture(number: int) -> bytes:
    """A tile in one grey of its own, so that a test can tell which tile is where."""
    file = io.BytesIO()
    Image.fromarray(np.full((32, 32), 60 + 15 * number, np.uint8)).save(file, "PNG")
    return file.getvalue()


def plane(kind: str, which: str, index: int) -> bytes:
    """Grey equal to the plane's index; labels: a square of particle 7."""
    if kind == "planes":
        return np.full((SIDE, SIDE), 10 * index % 256, np.uint8).tobytes()
    labels = np.zeros((SIDE, SIDE), "<u2")
    labels[6:18, 6:18] = 7
    return labels.tobytes()


def table(wanted: str = "") -> dict[str, Any]:
    """Particles of known sizes: the largest is number 12000. wanted: columns, with commas; none: all."""
    columns = [
        ("particle_id", "particle", "", "its number"), ("roi", "region", "", "the region scanned"),
        ("x_um", "x", "µm", "about the centre"), ("y_um", "y", "µm", ""), ("z_um", "z", "µm", ""),
        ("equivalent_diameter_um", "equivalent diameter", "µm", "of the sphere of the same volume"),
        ("void_count", "internal voids", "", "closed ones"), ("touches_boundary", "cut", "", "1: cut"),
        ("stage_x_um", "stage x", "µm", ""), ("stage_y_um", "stage y", "µm", ""),
    ]  # fmt: skip
    rows = [[i, "roi-01", 0.0, 0.0, 0.0, 1 + i / 1000, i % 3, 0, i % 180, i % 120] for i in range(1, PARTICLES + 1)]
    about = [
        {**dict(zip(("name", "heading", "unit", "meaning"), column, strict=True)), "numeric": column[0] != "roi"}
        for column in columns
    ]
    here = [at for at, column in enumerate(columns) if not wanted or column[0] in wanted.split(",")]
    return {
        "columns": [about[at] for at in here],
        "others": [column for at, column in enumerate(about) if at not in here],
        "rows": [[row[at] for at in here] for row in rows],
        "total": PARTICLES,
    }


def mesh() -> bytes:
    """An octahedron of 5 um as binary STL."""
    tips = 5 * np.array([[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0]], float)
    poles = np.array([[0, 0, 5.0], [0, 0, -5.0]])
    triangles = [(tips[i], tips[(i + 1) % 4], pole) for pole in poles for i in range(4)]
    packed = b"".join(struct.pack("<12fH", *np.zeros(3), *np.concatenate(corners), 0) for corners in triangles)
    return b"octahedron".ljust(80) + struct.pack("<I", len(triangles)) + packed
