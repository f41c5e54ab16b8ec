"""Drawings of evidence as small pictures, the same bytes for the same evidence."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from xrm_control.reporting.figures.drawing import Chart, Drawing, Panel, Panels, Series
from xrm_control.reporting.figures.slices import label_edges, outline_of
from xrm_control.reporting.figures.style import (
    BLUE,
    FONT_PT,
    INK,
    MUTED,
    ORANGE,
    VERMILLION,
    Margins,
    dress,
    new_axes,
    new_figure,
    to_picture,
)

WIDTH_PX, HEIGHT_PX = 360, 220
_ROOM = Margins(left=68)
_PANEL_TOP_PX, _EDGE_PX = 24, 6


def png(drawing: Drawing, alt: str) -> bytes:
    """A PNG of about 360 x 220 pixels of the page."""
    return _chart(drawing, alt) if isinstance(drawing, Chart) else _panels(drawing, alt)


def _chart(chart: Chart, alt: str) -> bytes:
    figure = new_figure(WIDTH_PX, HEIGHT_PX, _ROOM)
    axes = new_axes(figure, x=chart.x, y=chart.y, title=chart.title)
    for low, high in chart.spans:
        axes.axvspan(low, high, color=ORANGE, alpha=0.35, linewidth=0)
    for series in chart.series:
        _draw(axes, series)
    for limit in chart.limits:
        axes.axhline(limit.value, color=VERMILLION, linewidth=0.9, linestyle="--", label=limit.name or None)
    for limit in chart.upright:
        axes.axvline(limit.value, color=VERMILLION, linewidth=0.9, linestyle="--", label=limit.name or None)
    if chart.log and any((series.points[1] > 0).any() for series in chart.series):
        axes.set_yscale("log")
    if not chart.x:
        axes.set_xticks([])
    if axes.get_legend_handles_labels()[0]:
        # Where it hides least.
        axes.legend(fontsize=FONT_PT - 1, loc="best", framealpha=0.7, edgecolor="none", handlelength=1.4, borderpad=0.2)
    return to_picture(figure, alt).data


def _draw(axes: Axes, series: Series) -> None:
    x, y = series.points
    colour, name = VERMILLION if series.odd else MUTED if series.muted else BLUE, series.name or None
    if series.style == "line":
        axes.plot(x, y, color=colour, linewidth=1.0, label=name)
    elif series.style == "bars":
        width = 0.9 * float(np.median(np.diff(x))) if len(x) > 1 else 0.9
        axes.bar(x, y, width, color=colour, label=name)
    else:
        size = 30 if series.odd else 8 if len(x) < 400 else 3
        axes.scatter(x, y, s=size, color=colour, alpha=0.9 if len(x) < 400 else 0.4, linewidths=0, label=name)


def _panels(drawing: Panels, alt: str) -> bytes:
    count = len(drawing.panels)
    width = (WIDTH_PX - _EDGE_PX * (count + 1)) / count
    tallest = max(panel.image.shape[0] / panel.image.shape[1] for panel in drawing.panels)
    high = float(np.clip(width * tallest, 60, 2 * HEIGHT_PX))
    height = high + _PANEL_TOP_PX + _EDGE_PX
    figure = new_figure(WIDTH_PX, round(height))
    for at, panel in enumerate(drawing.panels):
        left = (_EDGE_PX + at * (width + _EDGE_PX)) / WIDTH_PX
        axes = figure.add_axes((left, _EDGE_PX / height, width / WIDTH_PX, high / height))
        _show(axes, panel)
    return to_picture(figure, alt).data


def _show(axes: Axes, panel: Panel) -> None:
    image = np.asarray(panel.image, np.float32)
    finite = image[np.isfinite(image)]
    low, high = panel.window or (np.percentile(finite, (1, 99)) if finite.size else (0.0, 1.0))
    rows, columns = image.shape
    axes.imshow(
        image, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), extent=(0, columns, rows, 0), interpolation="nearest"
    )
    if panel.outline is not None:
        axes.add_collection(outline_of(label_edges(panel.outline), ORANGE))
    dress(axes)
    axes.grid(False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(panel.title, fontsize=FONT_PT - 0.5, color=INK, loc="left")
    for spine in axes.spines.values():
        spine.set_color(MUTED)
