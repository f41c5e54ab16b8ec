"""`python -m benchmarks.lost_slices HANDOFF...`: how often a slice that is taken out of a measured region is told.

Twelve single slices of each region, at even distances in its middle three quarters, one at a time; and it whole.
The labels are those of the region itself, less the same slice.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from xrm_control.analysis.continuity import lost_slices
from xrm_control.analysis.field import find_field
from xrm_control.analysis.handoff_volume import handed_volume
from xrm_control.contracts.handoff import HANDOFF

_SLICES = 12


def main() -> None:
    """A line for each region, and the sum."""
    import tifffile

    told_of_all = lost_of_all = 0
    for path in map(Path, sys.argv[1:]):
        handed = HANDOFF.read_foreign(path)[0]
        volume = handed_volume(handed, path)
        if volume is None:
            print(f"{path}: its volume is not there")
            continue
        labels = tifffile.imread(path.parent / "labels.ome.tif")
        field = find_field(volume, "cylinder")
        count = len(volume)
        lost = np.linspace(count / 8, count * 7 / 8, _SLICES).round().astype(int)
        told = sum(bool(lost_slices(np.delete(volume, z, 0), np.delete(labels, z, 0), field)) for z in lost)
        sound = lost_slices(volume, labels, field)
        told_of_all, lost_of_all = told_of_all + told, lost_of_all + len(lost)
        name = path.parent.parent.name
        print(f"{name} {handed.roi}: {told} of {len(lost)} told; whole: {sound[0] if sound else 'sound'}", flush=True)
    print(f"{told_of_all} of {lost_of_all} told")


if __name__ == "__main__":
    main()
