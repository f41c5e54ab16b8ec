"""How soon after its last frame a region is a volume on the disk, and measured: a whole run on the wall clock."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.timing import Row
from xrm_control import app

ROOT = Path(__file__).parents[1]
REGIONS, SPEED = 3, "10"
VOLUME_S, PARTICLES_S = 1.0, 3.0


def rows() -> list[Row]:
    """References before the scan alone; its last frame is the repeated view. The last region counts: while the others
    are measured the simulated microscope draws pictures for the next scan, which a real one does not.
    """
    changes = {"roi.count": str(REGIONS), "scan.references.kind": "before"}
    with tempfile.TemporaryDirectory() as folder:
        loaded = app.load(ROOT / "recipes" / "nmc811_screening.yaml", changes)
        outcome = app.run(loaded, Path(folder), SPEED)
        region = f"roi-{REGIONS:02d}"
        frames = (outcome.folder / "frames" / region).glob("*.tif")
        last_s = max(frame.stat().st_mtime for frame in frames)
        place = outcome.folder / region
        volume_s = (place / "handoff.json").stat().st_ctime - last_s
        particles_s = max(path.stat().st_ctime for path in place.glob("*.csv")) - last_s
    what = "from the last frame on the disk to"
    return [
        Row(f"{what} the volume on the disk", "128^3, 141 views", volume_s, VOLUME_S / volume_s, "its target of 1 s"),
        Row(f"{what} its particles measured", "", particles_s, PARTICLES_S / particles_s, "its target of 3 s"),
    ]
