"""Pictures of the simulated powders: a radiograph and slices of each preset at difficulty 0, 1 and 2; of beds of
several layers, and of what is light among the particles.

`python -m benchmarks.powder_figures [FOLDER]`.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from simulators.optics import sampling_grid
from simulators.powder import make_specimen
from simulators.powders import known
from simulators.slices import slice_mu
from simulators.specimen import SpecimenConfig

FIGURES = Path("docs/figures")
_SIDE_UM = 66.0


def draw(path: Path, seed: int = 3) -> None:
    """One picture: presets down, difficulties across, each a radiograph over two slices across the axis."""
    shown = [
        [(f"{name}, difficulty {difficulty:g}", _piece(name, difficulty=difficulty)) for difficulty in (0.0, 1.0, 2.0)]
        for name in known()
    ]
    _draw(path, shown, 24.0, seed)


def draw_beds(path: Path, seed: int = 3) -> None:
    """Beds of one, three and eight layers, and powders with graphite and binder, drawn brighter than it is."""
    beds = [
        (f"nmc622, {layers} layers", _piece("nmc622", difficulty=1.0, layers=layers)) for layers in (1, 3, 8)
    ]  # fmt: skip
    light = [
        (f"{name}, {graphite:g} + {binder:g} %", _piece(
            name, difficulty=1.0, graphite_weight_percent=graphite, binder_weight_percent=binder))
        for name, graphite, binder in (("nmc811", 8.0, 4.0), ("silicon", 30.0, 4.0), ("lfp", 5.0, 5.0))
    ]  # fmt: skip
    _draw(path, [beds, light], 70.0, seed, brighter=(1.0, 4.0))


def _piece(name: str, **changed: float) -> SpecimenConfig:
    plain = SpecimenConfig(name, tape=False, strip_width_um=_SIDE_UM, strip_height_um=_SIDE_UM)
    return replace(plain, **changed)


def _draw(
    path: Path,
    shown: list[list[tuple[str, SpecimenConfig]]],
    high_um: float,
    seed: int,
    brighter: tuple[float, ...] = (),
) -> None:
    from matplotlib.figure import Figure

    slice_height = high_um / 24.0
    figure = Figure(figsize=(13.5, (4.0 + 3.2 * slice_height) * len(shown)))
    heights = [2.4, slice_height, slice_height] * len(shown)
    axes = figure.subplots(3 * len(shown), len(shown[0]), height_ratios=heights)
    for row, pieces in enumerate(shown):
        for column, (title, config) in enumerate(pieces):
            specimen = make_specimen(config, seed)
            top, *slices = axes[3 * row : 3 * row + 3, column]
            image = np.exp(-specimen.attenuation((0.0, 0.0, 0.0), 0.0, sampling_grid(4)))
            top.imshow(image, cmap="gray", vmin=0, vmax=1, extent=(-33, 33, 33, -33))
            mean = float(image.mean())
            top.set_title(f"{title}: {len(specimen.particles)}, transmission {mean:.2f}")
            x, z = np.arange(-33.0, 33.0, 0.06), np.arange(-1.0, high_um, 0.06)
            most = 0.055 / (brighter[row] if brighter else 1.0)
            for axis, y_um in zip(slices, (-8.0, 8.0), strict=True):
                mu = slice_mu(specimen, y_um, x, z)
                axis.imshow(mu, cmap="gray", origin="lower", extent=(-33, 33, -1, high_um), vmin=0, vmax=most)
                axis.set_ylabel(f"z um, y {y_um:g}")
    figure.tight_layout()
    figure.savefig(path, dpi=60)


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURES
    draw(folder / "powders.png")
    draw_beds(folder / "beds.png")
