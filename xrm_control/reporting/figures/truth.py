"""For simulated runs: what was measured against what was there."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from xrm_control.reporting.figures.distributions import LINE_TOP, bin_edges
from xrm_control.reporting.figures.style import (
    BLUE,
    INK,
    MUTED,
    VERMILLION,
    Picture,
    dress,
    legend,
    new_axes,
    new_figure,
    note,
    to_picture,
)
from xrm_control.reporting.formatting import figure as printed
from xrm_control.reporting.formatting import signed

WIDTH_PX, HEIGHT_PX = 340, 320
ERROR_BINS = 14


def identity_figure(
    true: NDArray[np.float64],
    measured: NDArray[np.float64],
    *,
    quantity: str,
    unit: str,
    logarithmic: bool = False,
    marked: NDArray[np.bool_] | None = None,
    mark_name: str = "",
) -> Picture:
    """Measured against true (n,) with the line on which they agree; `marked` (n,) are drawn apart, as hollow points."""
    figure = new_figure(WIDTH_PX, HEIGHT_PX)
    name = f"{quantity} ({unit})"
    axes = new_axes(figure, x=f"true {name}", y=f"measured {name}", title=f"{quantity.capitalize()}, measured and true")
    usable = np.isfinite(true) & np.isfinite(measured) & ((true > 0) & (measured > 0) | (not logarithmic))
    if not usable.any():
        note(axes, ["no matched pair"])
        return to_picture(figure, "No matched pair")
    apart = usable & marked if marked is not None else np.zeros_like(usable)
    plain = usable & ~apart
    low = float(min(true[usable].min(), measured[usable].min()))
    high = float(max(true[usable].max(), measured[usable].max()))
    low, high = (low / 1.3, high * 1.3) if logarithmic else (min(0.0, low), high * 1.06)
    if logarithmic:
        axes.set_xscale("log")
        axes.set_yscale("log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 100 else (1,)))
            axis.set_major_formatter(FuncFormatter(lambda value, _: printed(value, 1)))
            axis.set_minor_formatter(NullFormatter())
    axes.plot([low, high], [low, high], color=INK, linewidth=1, label="equal")
    axes.scatter(true[plain], measured[plain], s=14, color=BLUE, alpha=0.6, linewidths=0)
    if apart.any():
        axes.scatter(
            true[apart], measured[apart], s=14, facecolors="none", edgecolors=MUTED, linewidths=0.8, label=mark_name
        )
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_aspect("equal")
    legend(axes, loc="upper left")
    return to_picture(figure, f"{quantity.capitalize()}: measured against true")


def error_by_size_figure(
    true_um: NDArray[np.float64], error_percent: NDArray[np.float64], goal_percent: float, least_um: float
) -> Picture:
    """Error of the diameter in per cent against the true diameter (n,), with the band that the median has to keep.

    least_um: the diameter from which on the goal holds.
    """
    figure = new_figure(WIDTH_PX, HEIGHT_PX)
    axes = new_axes(figure, x="true diameter (µm)", y="diameter error (%)", title="Error and size")
    usable = np.isfinite(true_um) & np.isfinite(error_percent)
    if not usable.any():
        note(axes, ["no matched pair"])
        return to_picture(figure, "No matched pair")
    right = max(float(true_um[usable].max()) * 1.05, least_um * 1.2)
    axes.fill_between([least_um, right], -goal_percent, goal_percent, color=BLUE, alpha=0.1, linewidth=0, label="goal")
    axes.axhline(0, color=INK, linewidth=1)
    axes.scatter(true_um[usable], error_percent[usable], s=14, color=BLUE, alpha=0.6, linewidths=0)
    span = 1.25 * max(goal_percent * 1.5, float(np.abs(error_percent[usable]).max()))
    axes.set_ylim(-span, span)
    axes.set_xlim(min(least_um, float(true_um[usable].min())) * 0.9, right)
    legend(axes)
    return to_picture(figure, "Error of the diameter against the true diameter")


def error_figure(diameter_percent: NDArray[np.float64], volume_percent: NDArray[np.float64], selection: str) -> Picture:
    """Histograms of the relative errors (n,) in per cent, clipped to their central 98 %, with their medians."""
    figure = new_figure(WIDTH_PX, HEIGHT_PX)
    figure.suptitle(
        f"Error, {selection}", fontsize=9, color=INK, fontweight="bold", x=56 / WIDTH_PX, y=0.985, ha="left"
    )
    upper, lower = figure.subplots(2, 1, gridspec_kw={"hspace": 0.45})
    for axes, values, quantity, colour in (
        (upper, diameter_percent, "diameter", BLUE),
        (lower, volume_percent, "volume", VERMILLION),
    ):
        _error_panel(axes, values, quantity, colour)
    return to_picture(figure, f"Histograms of the errors of diameter and volume, {selection}")


def _error_panel(axes: Axes, values: NDArray[np.float64], quantity: str, colour: str) -> None:
    dress(axes, x=f"{quantity} error (%)", y="number")
    finite = values[np.isfinite(values)]
    if not finite.size:
        note(axes, ["no matched pair"])
        return
    shown = np.clip(finite, *np.percentile(finite, (1, 99)))
    axes.hist(
        shown, bins=list(bin_edges(shown, ERROR_BINS)), color=colour, alpha=0.75, edgecolor="white", linewidth=0.6
    )
    axes.axvline(0, 0, LINE_TOP, color=MUTED, linewidth=1)
    median = float(np.median(finite))
    axes.axvline(median, 0, LINE_TOP, color=INK, linewidth=1.4, label=f"median {signed(median, 2)} %")
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.margins(y=1 / LINE_TOP - 1 + 0.05)
    legend(axes, loc="upper right")
