"""Counterpart of the paper's Figure 3: how particles and voids are distributed, and voids against their particles."""

from __future__ import annotations

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
from xrm_control.reporting.formatting import figure as printed

WIDTH_PX, HEIGHT_PX = 340, 275
LEAST_BINS, MOST_BINS = 12, 30
LINE_TOP = 0.7


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
    unbiased: NDArray[np.float64],
    cubic: NDArray[np.float64],
    *,
    label: str,
    title: str,
    colour: str,
    paper: float | None = None,
) -> Picture:
    """Histograms of one quantity (n,) in both conventions, each with its arithmetic mean; NaN and infinite left out.

    unbiased: filled; cubic: from voxel counts and faces as the paper does, an outline, empty where not measured;
    paper: the paper's own value, to be held against the outline.
    """
    series = [values[np.isfinite(values)] for values in (unbiased, cubic)]
    everything = np.concatenate(series)
    figure = new_figure(WIDTH_PX, HEIGHT_PX)
    axes = new_axes(figure, x=label, y="number", title=title)
    if not everything.size:
        note(axes, ["nothing measured"])
        return to_picture(figure, f"{title}: nothing measured")
    # A handful of far outliers would press all the rest into one bar; they are counted in the last one.
    limit = float(np.percentile(everything, 99.5)) if everything.size > 200 else float(everything.max())
    edges = list(bin_edges(np.minimum(everything, limit), LEAST_BINS))
    filled, outlined = (np.minimum(values, limit) for values in series)
    if filled.size:
        name = f"unbiased, mean {printed(float(series[0].mean()))}"
        axes.hist(filled, bins=edges, color=colour, alpha=0.75, edgecolor="white", linewidth=0.6, label=name)
    if outlined.size:
        name = f"cubic data, mean {printed(float(series[1].mean()))}"
        axes.hist(outlined, bins=edges, histtype="step", color=INK, linewidth=1.0, label=name)
    for values, line in zip(series, (colour, INK), strict=True):
        if values.size:
            # The lines end below the legend, which has the top to itself.
            axes.axvline(float(values.mean()), 0, LINE_TOP, color=line, linewidth=1.6)
    if paper is not None:
        dashes = (0, (4, 3))
        axes.axvline(paper, 0, LINE_TOP, color=INK, linewidth=1.2, linestyle=dashes, label=f"paper {paper:g}")
    axes.margins(y=1 / LINE_TOP - 1 + 0.05)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    legend(axes, loc="upper right")
    return to_picture(figure, f"{title}: distribution of {everything.size} values")


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
