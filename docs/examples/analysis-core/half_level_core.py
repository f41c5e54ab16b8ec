"""An analysis core of one's own, complete: particles are what lies above half of the bright level.

As a command:      python half_level_core.py HANDOFF.json FOLDER
As an entry point: `half_level` in the group xrm_control.analysis_cores (pyproject.toml beside this file)

It measures what every core must, and one column of its own, of which columns.json tells unit and meaning.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import tifffile
from scipy import ndimage

LEAST_VOXELS = 50
COLUMNS = {
    "particles": [
        {
            "name": "elongation",
            "label": "elongation",
            "meaning": "longest over shortest edge of the box around the particle",
            "source": "half-level core",
            "statistics": "whole",
        }
    ]
}


def measure(handoff: Path, out: Path) -> None:
    """Read the hand-off and its volume, and write particles.csv, results.json and columns.json into `out`."""
    about = json.loads(handoff.read_text())
    volume = tifffile.imread(handoff.parent / about["volume"]) * about["attenuation_scale"]
    voxel_um = about["voxel_size_um"]
    bright = ndimage.gaussian_filter(volume, 1) > np.percentile(volume, 99.5) / 2
    labels, count = ndimage.label(bright)
    sizes = np.bincount(labels.ravel())
    rows = []
    for label, box in zip(range(1, count + 1), ndimage.find_objects(labels), strict=True):
        if sizes[label] < LEAST_VOXELS:
            continue
        # The centre of the volume is the origin; arrays are (z, y, x).
        centre = np.array(ndimage.center_of_mass(labels == label)) - (np.array(volume.shape) - 1) / 2
        z_um, y_um, x_um = centre * voxel_um
        volume_um3 = float(sizes[label]) * voxel_um**3
        cut = any(edge.start == 0 or edge.stop == side for edge, side in zip(box, volume.shape, strict=True))
        edges = [edge.stop - edge.start for edge in box]
        rows.append(
            {
                "particle_id": len(rows) + 1,
                "roi": about["roi"],
                "x_um": x_um,
                "y_um": y_um,
                "z_um": z_um,
                "volume_um3": volume_um3,
                "equivalent_diameter_um": (6 * volume_um3 / np.pi) ** (1 / 3),
                "touches_boundary": int(cut),
                # A core that does not correct for large particles being cut more often says 1.
                "weight": int(not cut),
                "elongation": max(edges) / min(edges),
            }
        )
    if not rows:
        sys.exit("no particle above half of the bright level")
    with (out / "particles.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (out / "columns.json").write_text(json.dumps(COLUMNS))
    (out / "results.json").write_text(json.dumps({"particles": len(rows)}))


if __name__ == "__main__":
    measure(Path(sys.argv[1]), Path(sys.argv[2]))
