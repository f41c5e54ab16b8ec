"""Pictures of the simulated powders: a radiograph and slices of each preset at difficulty 0, 1 and 2.

`python -m benchmarks.powder_figures [FILE]`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from simulators.optics import sampling_grid
from simulators.powder import make_specimen
from simulators.powders import known
from simulators.slices import slice_mu
from simulators.specimen import SpecimenConfig

FIGURE = Path("docs/figures/powders.png")
_SIDE_UM = 66.0


def draw(path: Path, seed: int = 3) -> None:
    """One picture: presets down, difficulties across, each a radiograph over two slices across the axis."""
    from matplotlib.figure import Figure

    names, levels = known(), (0.0, 1.0, 2.0)
    figure = Figure(figsize=(13.5, 7.2 * len(names)))
    axes = figure.subplots(3 * len(names), len(levels), height_ratios=[2.4, 1, 1] * len(names))
    for row, name in enumerate(names):
        for column, difficulty in enumerate(levels):
            config = SpecimenConfig(
                name, tape=False, strip_width_um=_SIDE_UM, strip_height_um=_SIDE_UM, difficulty=difficulty
            )
            specimen = make_specimen(config, seed)
            top, *slices = axes[3 * row : 3 * row + 3, column]
            image = np.exp(-specimen.attenuation((0.0, 0.0, 0.0), 0.0, sampling_grid(4)))
            top.imshow(image, cmap="gray", vmin=0, vmax=1, extent=(-33, 33, 33, -33))
            mean = float(image.mean())
            top.set_title(f"{name}, difficulty {difficulty:g}: {len(specimen.particles)}, transmission {mean:.2f}")
            x, z = np.arange(-33.0, 33.0, 0.06), np.arange(-1.0, 24.0, 0.06)
            for axis, y_um in zip(slices, (-8.0, 8.0), strict=True):
                mu = slice_mu(specimen, y_um, x, z)
                axis.imshow(mu, cmap="gray", origin="lower", extent=(-33, 33, -1, 24), vmin=0, vmax=0.055)
                axis.set_ylabel(f"z um, y {y_um:g}")
    figure.tight_layout()
    figure.savefig(path, dpi=60)


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURE)
