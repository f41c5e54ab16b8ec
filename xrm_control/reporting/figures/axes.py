"""What x, y, z and theta are: the stage's frame at a strip of powder, and the volume's at one region of it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from xrm_control.core.geometry import Pose, lateral_um, volume_to_stage
from xrm_control.reporting.figures.style import (
    BLUE,
    FONT_PT,
    GREEN,
    INK,
    MUTED,
    RULE,
    VERMILLION,
    Margins,
    Picture,
    new_figure,
    to_picture,
)

# Stage x, y, z on the page: y down as in the image, the beam (z) away from the reader.
_SEEN = np.array([[0.92, -0.16], [0.0, -1.0], [0.50, 0.42]])
_COLOURS = (VERMILLION, GREEN, BLUE)
_HERE = Pose(0.0, 0.0, 0.0, 0.0)
_TURN_DEG = np.linspace(0.0, 90.0, 30)

Points = NDArray[np.float64]


@lru_cache(maxsize=1)
def axes_figure() -> Picture:
    """Both frames as they are seen from the source's side, from `core.geometry`; the same for every run."""
    figure = new_figure(640, 270, Margins(6, 6, 6, 22))
    stage, volume = figure.subplots(1, 2)
    for axes, title in ((stage, "Stage: mosaic, regions, motors"), (volume, "Volume: slices, particles.csv")):
        axes.set_title(title, fontsize=FONT_PT + 0.5, color=INK, loc="left", fontweight="bold")
        axes.set_aspect("equal")
        axes.set_axis_off()
        axes.set_xlim(-1.45, 2.0)
        axes.set_ylim(-1.5, 1.3)
    _stage(stage)
    _volume(volume)
    return to_picture(
        figure,
        "Stage: x to the right, y down along the rotation axis, z along the beam; theta turns z towards x. "
        "Volume: x as the stage's, y against the beam, z down along the rotation axis, slice by slice.",
    )


def _stage(axes: Axes) -> None:
    strip = _page([(-0.8, -1.0, 0), (0.8, -1.0, 0), (0.8, 1.0, 0), (-0.8, 1.0, 0)])
    axes.fill(*strip.T, facecolor="#f1f3f4", edgecolor=MUTED, linewidth=0.8)
    grains = np.random.default_rng(3).uniform(-0.75, 0.75, (40, 2)) * (1.0, 1.25)
    axes.scatter(*_page([(x, y, 0) for x, y in grains]).T, s=9, color=MUTED, linewidths=0)
    _line(axes, [(0, -1.25, 0), (0, 1.45, 0)], "rotation axis", MUTED)
    _line(axes, [(0, 0, -1.7), (0, 0, 0)], "beam", INK, start=True)
    _arrows(axes, np.eye(3), ("x", "y", "z"))
    turned = [(0.62 * lateral_um(0.0, 1.0, theta), 0.0, 0.62 * lateral_um(1.0, 0.0, theta)) for theta in _TURN_DEG]
    arc = _page(turned)
    axes.plot(*arc[:-1].T, color=INK, linewidth=1.0)
    axes.annotate("", arc[-1], arc[-4], arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1.0})
    axes.text(arc[15, 0] + 0.06, arc[15, 1] + 0.06, "θ", fontsize=FONT_PT + 1, color=INK)


def _volume(axes: Axes) -> None:
    units = volume_to_stage(np.eye(3), _HERE)
    corners = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float) * 0.62
    for at, one in enumerate(corners):
        for other in corners[at + 1 :]:
            if (one != other).sum() == 1:
                axes.plot(*_page([one, other]).T, color=MUTED, linewidth=0.7)
    for height in (-0.3, 0.0, 0.3):
        plane = volume_to_stage(np.array([(-0.62, -0.62, height), (0.62, -0.62, height)]), _HERE)
        back = volume_to_stage(np.array([(0.62, 0.62, height), (-0.62, 0.62, height)]), _HERE)
        axes.fill(*_page([*plane, *back]).T, facecolor=RULE, edgecolor=MUTED, linewidth=0.5, alpha=0.6)
    _arrows(axes, units, ("x", "y", "z (slice by slice)"))


def axes_words() -> str:
    """What the volume's axes are of the stage's, from the region's centre: ``x = x, y = −z, z = y``."""
    units = volume_to_stage(np.eye(3), _HERE)
    return ", ".join(f"{name} = {_of_stage(unit)}" for name, unit in zip("xyz", units, strict=True))


def _of_stage(unit: Points) -> str:
    at = int(np.abs(unit).argmax())
    return f"{'−' if unit[at] < 0 else ''}{'xyz'[at]}"


def _page(points: object) -> Points:
    """Points of the stage frame (n, 3) on the page (n, 2)."""
    return np.asarray(points, float) @ _SEEN


def _line(axes: Axes, ends: object, name: str, colour: str, *, start: bool = False) -> None:
    line = _page(ends)
    axes.plot(*line.T, color=colour, linewidth=0.9, linestyle=(0, (5, 3)))
    x, y = line[0] + (0.0, -0.17) if start else line[1] + (0.08, 0.0)
    axes.text(x, y, name, fontsize=FONT_PT, color=colour)


def _arrows(axes: Axes, units: Points, names: tuple[str, ...]) -> None:
    for unit, name, colour in zip(units, names, _COLOURS, strict=True):
        ((x, y),) = _page([1.15 * unit])
        axes.annotate("", (x, y), (0, 0), arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 1.6})
        axes.text(
            x + (0.07 if x > -0.1 else -0.2), y - 0.03, name, fontsize=FONT_PT + 1, color=colour, fontweight="bold"
        )
