"""Counterpart of the paper's Figure 3: how particles and voids are distributed, and voids against their particles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from xrm_control.reporting.figures.style import (
    INK,
    MUTED,
    VOID,
    Picture,
    legend,
    new_axes,
    new_figure,
    note,
    to_picture,
)
from xrm_control.reporting.values import figure as printed

WIDTH_PX, HEIGHT_PX = 340, 260
MOST_BINS = 30
LINE_TOP = 0.77


@dataclass(frozen=True)
class Reference:
    """A value to draw beside a distribution, and what to call it."""

    value: float
    name: str


def bin_edges(values: NDArray[np.float64], least: int = 5) -> NDArray[np.float64]:
    """Edges of equal bins by the rule of Freedman and Diaconis, `least` to 30 bins; values finite, (n,)."""
    low, high = float(values.min()), float(values.max())
    if high <= low:
        pad = abs(low) * 0.05 or 0.5
        return np.linspace(low - pad, high + pad, 6)
    quartiles = np.percentile(values, (25, 75))
    width = 2 * float(quartiles[1] - quartiles[0]) / len(values) ** (1 / 3)
    wanted = int(np.ceil((high - low) / width)) if width > 0 else least
    return np.linspace(low, high, int(np.clip(wanted, least, MOST_BINS)) + 1)


def histogram_figure(
    values: NDArray[np.float64], *, label: str, title: str, colour: str, unit: str, reference: Reference | None = None
) -> Picture:
    """Histogram of finite values (n,) with their arithmetic mean, and the paper's value where there is one."""
    finite = values[np.isfinite(values)]
    figure = new_figure(WIDTH_PX, HEIGHT_PX)
    axes = new_axes(figure, x=label, y="number", title=title)
    if not finite.size:
        note(axes, ["nothing measured"])
        return to_picture(figure, f"{title}: nothing measured")
    # A handful of far outliers would press all the rest into one bar; they are counted in the last one.
    limit = float(np.percentile(finite, 99.5)) if finite.size > 200 else float(finite.max())
    shown = np.minimum(finite, limit)
    axes.hist(shown, bins=list(bin_edges(shown)), color=colour, alpha=0.75, edgecolor="white", linewidth=0.6)
    mean = float(finite.mean())
    suffix = f" {unit}" if unit else ""
    # The lines end below the legend, which has the top to itself.
    axes.axvline(mean, 0, LINE_TOP, color=INK, linewidth=1.4, label=f"mean {printed(mean)}{suffix}")
    if reference is not None:
        axes.axvline(
            reference.value,
            0,
            LINE_TOP,
            color=INK,
            linewidth=1.2,
            linestyle=(0, (4, 3)),
            label=f"{reference.name} {reference.value:g}{suffix}",
        )
    axes.margins(y=1 / LINE_TOP - 1 + 0.05)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    legend(axes, loc="upper right")
    return to_picture(figure, f"{title}: distribution of {finite.size} values")


def void_sizes_figure(
    particle_diameters_um: NDArray[np.float64],
    void_diameters_um: NDArray[np.float64],
    kinds: tuple[str, ...],
    limit_um: float | None,
) -> Picture:
    """Diameter of each void against the diameter of the particle that holds it; all arrays (n,), one entry per void.

    limit_um: the smallest void that can be seen, drawn as a line.
    """
    figure = new_figure(WIDTH_PX, HEIGHT_PX)
    axes = new_axes(
        figure, x="particle's equivalent diameter (µm)", y="void's eq. diameter (µm)", title="Voids and their particles"
    )
    usable = np.isfinite(particle_diameters_um) & np.isfinite(void_diameters_um)
    if not usable.any():
        note(axes, ["no void with a", "measured particle"])
        return to_picture(figure, "No voids in measured particles")
    named = np.array([kind or "closed" for kind in kinds])
    styles = (("closed", VOID, "o"), ("open", MUTED, "^"), ("ambiguous", INK, "x"))
    for kind, colour, marker in styles:
        chosen = usable & (named == kind)
        if chosen.any():
            axes.scatter(
                particle_diameters_um[chosen],
                void_diameters_um[chosen],
                s=16,
                color=colour,
                marker=marker,
                alpha=0.75,
                linewidths=1.0 if marker == "x" else 0,
                label=f"{kind} ({int(chosen.sum())})",
            )
    if limit_um is not None:
        axes.axhline(limit_um, color=INK, linewidth=1, linestyle=(0, (1, 2)), label="smallest to be seen")
    axes.set_ylim(0, 1.45 * float(void_diameters_um[usable].max()) or 1.0)
    axes.set_xlim(left=0)
    legend(axes, loc="upper left")
    return to_picture(figure, "Equivalent diameter of voids against that of their particles")
