"""The mosaic as a picture for people: grey transmission, the chosen regions with their names, a scale bar in um."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Rectangle
from matplotlib.patheffects import AbstractPathEffect

from xrm_control.mosaic.tiles import Mosaic
from xrm_control.storage.durable import durable_file

RoiBox = tuple[str, float, float, float, float]
"""name, x_um, y_um (centre, stage), width_um, height_um"""

Disc = tuple[float, float, float]
"""x_um, y_um (stage), diameter_um"""


class Area(NamedTuple):
    """A place to avoid: a box about its middle, round where it is a disc; stage um."""

    name: str
    x_um: float
    y_um: float
    width_um: float
    height_um: float
    disc: bool


class Cells(NamedTuple):
    """Where particles can be counted: square cells, the first one's upper left corner (stage um), a row a text, a cell
    "0" where they cannot.
    """

    left_um: float
    top_um: float
    cell_um: float
    countable: Sequence[str]


_UNCOUNTABLE_COLOUR = "#cc79a7"
_AVOIDED_COLOUR = "#d55e00"
_REJECTED_COLOUR = "#e8e8e8"
_ROI_COLOUR = "#e69f00"
_PARTICLE_COLOUR = "#56b4e9"
_UNSEEN_COLOUR = "#7a4f6d"


def draw_mosaic(
    mosaic: Mosaic,
    rois: Sequence[RoiBox],
    particles: Sequence[Disc],
    path: Path,
    rejected: Sequence[RoiBox] = (),
    avoided: Sequence[Area] = (),
    *,
    counted: bool = True,
    cells: Cells | None = None,
) -> None:
    """Write a PNG of the mosaic in stage coordinates, x to the right, y downwards.

    Unseen places are coloured; particles are circles of their equivalent diameter. Windows that were not chosen are
    thin and dashed, places to avoid hatched. counted: whether their number may be believed; cells: where particles
    cannot be counted is crossed. Raises StorageError.
    """
    figure = mosaic_figure(mosaic, rois, particles, rejected, avoided, counted=counted, cells=cells)
    with durable_file(path, "the picture of the mosaic", replace=True) as file:
        figure.savefig(
            file,
            format="png",
            dpi=150,
            bbox_inches="tight",
            metadata={"Software": "xrm_control"},
            pil_kwargs={"compress_level": 3},
        )


def mosaic_figure(
    mosaic: Mosaic,
    rois: Sequence[RoiBox],
    particles: Sequence[Disc],
    rejected: Sequence[RoiBox] = (),
    avoided: Sequence[Area] = (),
    *,
    counted: bool = True,
    cells: Cells | None = None,
) -> Figure:
    """The figure that `draw_mosaic` writes (no pyplot, so nothing is shared between runs)."""
    rows, columns = mosaic.image.shape
    p = mosaic.pixel_size_um
    left, top = mosaic.x0_um - p / 2, mosaic.y0_um - p / 2
    right, bottom = left + columns * p, top + rows * p
    long_side = 11.0
    scale = long_side / max(rows, columns)
    figure = Figure(figsize=(columns * scale + 2.4, rows * scale + 1.3), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_facecolor(_UNSEEN_COLOUR)
    seen = mosaic.image[np.isfinite(mosaic.image)]
    low, high = np.percentile(seen, (0.5, 99.5)) if seen.size else (0.0, 1.0)
    shown = axes.imshow(
        mosaic.image, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), extent=(left, right, bottom, top),
        interpolation="nearest",
    )  # fmt: skip
    if particles:
        x, y, diameter = np.array(particles, float).T
        axes.add_collection(
            EllipseCollection(
                diameter, diameter, 0, units="x", offsets=np.column_stack((x, y)), offset_transform=axes.transData,
                facecolors="none", edgecolors=_PARTICLE_COLOUR, linewidths=0.6,
            )
        )  # fmt: skip
    if cells is not None:
        _crossed(axes, cells)
    _quietly(axes, rejected, avoided)
    halo = [patheffects.withStroke(linewidth=3.5, foreground="black")]
    for name, x_um, y_um, width_um, height_um in rois:
        corner = (x_um - width_um / 2, y_um - height_um / 2)
        axes.add_patch(
            Rectangle(corner, width_um, height_um, fill=False, edgecolor=_ROI_COLOUR, linewidth=2, path_effects=halo)
        )
        axes.text(
            corner[0] + 0.03 * width_um, corner[1] + 0.03 * height_um, name, color=_ROI_COLOUR, fontsize=11,
            fontweight="bold", ha="left", va="top", path_effects=halo,
        )  # fmt: skip
    _scale_bar(axes, (left, right, bottom, top), halo)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    axes.set_xlabel("stage x (µm)")
    axes.set_ylabel("stage y (µm)")
    title = f"{(right - left):.0f} × {(bottom - top):.0f} µm"
    if particles:
        title += f", {len(particles)} particles" if counted else f", {len(particles)} outlines; cannot be counted"
    axes.set_title(title, loc="left", fontsize=11)
    figure.colorbar(shown, ax=axes, label="transmission", fraction=0.04, pad=0.02)
    return figure


def _crossed(axes: Axes, cells: Cells) -> None:
    """What cannot be counted, as an outline filled with crosses."""
    mask = np.array([[sign == "0" for sign in row] for row in cells.countable], float)
    if not mask.any():
        return
    fine = np.kron(np.pad(mask, 1), np.ones((4, 4)))
    y, x = ((np.arange(n) + 0.5) / 4 - 1 for n in fine.shape)
    at = cells.left_um + x * cells.cell_um, cells.top_um + y * cells.cell_um
    drawn = axes.contourf(*at, fine, levels=[0.5, 1.5], colors="none", hatches=["xx"])
    drawn.set_edgecolor(_UNCOUNTABLE_COLOUR)
    drawn.set_linewidth(0.0)
    axes.contour(*at, fine, levels=[0.5], colors=_UNCOUNTABLE_COLOUR, linewidths=1.2)


def _quietly(axes: Axes, rejected: Sequence[RoiBox], avoided: Sequence[Area]) -> None:
    """What is not scanned, beneath what is: windows with their expected particles, and places to avoid."""
    halo = [patheffects.withStroke(linewidth=2.0, foreground="black", alpha=0.6)]
    for name, x_um, y_um, width_um, height_um in rejected:
        corner = (x_um - width_um / 2, y_um - height_um / 2)
        axes.add_patch(
            Rectangle(
                corner, width_um, height_um, fill=False, edgecolor=_REJECTED_COLOUR, linewidth=0.9,
                linestyle=(0, (4, 3)), path_effects=halo,
            )
        )  # fmt: skip
        axes.text(
            corner[0] + 0.97 * width_um, corner[1] + 0.97 * height_um, name, color=_REJECTED_COLOUR, fontsize=8,
            ha="right", va="bottom", path_effects=halo, clip_on=True,
        )  # fmt: skip
    for area in avoided:
        look = {"fill": False, "edgecolor": _AVOIDED_COLOUR, "linewidth": 1.0, "hatch": "///"}
        corner = (area.x_um - area.width_um / 2, area.y_um - area.height_um / 2)
        axes.add_patch(
            Ellipse((area.x_um, area.y_um), area.width_um, area.height_um, **look)
            if area.disc
            else Rectangle(corner, area.width_um, area.height_um, **look)
        )
        axes.text(
            area.x_um, corner[1], area.name, color=_AVOIDED_COLOUR, fontsize=9, fontweight="bold", ha="center",
            va="bottom", path_effects=[patheffects.withStroke(linewidth=2.5, foreground="white")], clip_on=True,
        )  # fmt: skip


def _scale_bar(axes: Axes, box: tuple[float, float, float, float], halo: Sequence[AbstractPathEffect]) -> None:
    """A round length of about a sixth of the width, in the lower right corner."""
    left, right, bottom, top = box
    wanted = (right - left) / 6
    decade = 10.0 ** np.floor(np.log10(wanted))
    length = max(step * decade for step in (1.0, 2.0, 5.0) if step * decade <= wanted)
    end, height = right - 0.04 * (right - left), bottom - 0.03 * (bottom - top)
    axes.plot([end - length, end], [height, height], color="black", linewidth=7, solid_capstyle="projecting", zorder=5)
    axes.plot([end - length, end], [height, height], color="white", linewidth=4, solid_capstyle="butt", zorder=6)
    axes.text(end - length / 2, height - 0.012 * (bottom - top), f"{length:g} µm", color="white", ha="center",
              va="bottom", fontsize=11, path_effects=list(halo), zorder=5)  # fmt: skip
