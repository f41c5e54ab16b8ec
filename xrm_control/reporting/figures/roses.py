"""Counterparts of the paper's Figures 1 and 2: radii by azimuth, mean diameters, roughness proxies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.projections.polar import PolarAxes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from xrm_control.contracts.tables import AZIMUTHS_DEG, PLANES, Particle
from xrm_control.reporting.figures.style import (
    BLUE,
    FONT_PT,
    INK,
    MARKERS,
    MUTED,
    RULE,
    SERIES,
    Margins,
    Picture,
    dress,
    legend,
    new_axes,
    new_figure,
    note,
    to_picture,
)
from xrm_control.reporting.radii import Sample, local_differences_um

WIDTH_PX, HEIGHT_PX = 340, 300
FLOOR_POINTS = 6
ROUND = np.linspace(0, 2 * np.pi, 73)


def rose_figure(sample: Sample, plane: str, most_um: float) -> Picture:
    """Radii of the sample's particles by azimuth in one plane, with error bars and circles of the mean radius.

    most_um: the radius that just fits the plot. Raises TypeError where matplotlib has no polar axes.
    """
    figure = new_figure(WIDTH_PX, WIDTH_PX, Margins(36, 36, 26, 46))
    axes = figure.add_subplot(projection="polar")
    if not isinstance(axes, PolarAxes):  # pragma: no cover - matplotlib's contract
        raise TypeError("matplotlib gave no polar axes")
    at = PLANES.index(plane)
    angles = np.radians([*AZIMUTHS_DEG, AZIMUTHS_DEG[0]])
    for row in range(len(sample)):
        radii = np.append(sample.radii_um[row, at], sample.radii_um[row, at, 0])
        error = sample.uncertainty_um[row]
        colour = SERIES[row % len(SERIES)]
        axes.plot(ROUND, np.full(len(ROUND), sample.radii_um[row, at].mean()), color=colour, linewidth=0.6, alpha=0.6)
        axes.plot(angles, radii, color=colour, linewidth=1.4, marker=MARKERS[row % len(MARKERS)], markersize=3.5)
        if np.isfinite(error):
            axes.errorbar(angles, radii, yerr=error, fmt="none", ecolor=colour, elinewidth=0.9, capsize=0)
    axes.set_ylim(0, most_um * 1.08)
    axes.set_thetagrids(list(AZIMUTHS_DEG), [f"{azimuth}°" for azimuth in AZIMUTHS_DEG])
    axes.tick_params(labelsize=FONT_PT - 0.5, labelcolor=INK, pad=1)
    axes.set_rlabel_position(22.5)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    for label in axes.get_yticklabels():
        label.set_color(MUTED)
    axes.grid(True, color=RULE, linewidth=0.7)
    axes.spines["polar"].set_color(RULE)
    axes.set_title(f"{plane} plane, radius (µm)", fontsize=FONT_PT + 0.5, color=INK, fontweight="bold")
    return to_picture(figure, f"Radii at eight azimuths in the {plane} plane for {len(sample)} particles")


def plane_diameters_figure(sample: Sample) -> Picture:
    """Mean diameter (twice the mean of eight radii) of each of the sample's particles in each plane."""
    figure = new_figure(WIDTH_PX, HEIGHT_PX)
    axes = new_axes(figure, x="plane", y="mean diameter (µm)", title="Mean diameter by plane")
    if not len(sample):
        note(axes, ["no particle with", "individual radii"])
        return to_picture(figure, "No particle with individual radii")
    for row in range(len(sample)):
        shift = 0.12 * (row - (len(sample) - 1) / 2)
        axes.errorbar(
            np.arange(len(PLANES)) + shift,
            2 * sample.radii_um[row].mean(-1),
            # The mean of n radii is known better than one of them by sqrt(n); a diameter is twice a radius.
            yerr=2 * sample.uncertainty_um[row] / np.sqrt(len(AZIMUTHS_DEG)),
            fmt=MARKERS[row % len(MARKERS)],
            color=SERIES[row % len(SERIES)],
            markersize=5,
            elinewidth=1,
            capsize=2,
        )
    axes.set_xticks(range(len(PLANES)), PLANES)
    axes.set_xlim(-0.5, len(PLANES) - 0.5)
    axes.set_ylim(bottom=0)
    return to_picture(figure, "Mean diameter of the particles of the sample in the three planes")


def roughness_figure(
    diameters_um: NDArray[np.float64],
    roughness: NDArray[np.float64],
    sample_diameters_um: NDArray[np.float64],
    sample_roughness: NDArray[np.float64],
    floor_um: NDArray[np.float64],
    paper_um: float,
) -> Picture:
    """Roughness proxy (largest minus smallest radius, mean of the planes) against equivalent diameter, with its floor.

    diameters_um, roughness, floor_um: (n,) of all whole particles, floor_um what a perfect sphere of that size would
    show (NaN where unknown); sample_*: (m,) of the sample, drawn in its own colours.
    """
    figure = new_figure(WIDTH_PX, HEIGHT_PX)
    axes = new_axes(figure, x="equivalent diameter (µm)", y="max − min radius (µm)", title="Roughness proxy and size")
    usable = np.isfinite(diameters_um) & np.isfinite(roughness)
    if not usable.any():
        note(axes, ["no roughness", "was measured"])
        return to_picture(figure, "No roughness was measured")
    axes.scatter(
        diameters_um[usable],
        roughness[usable],
        s=14,
        color=MUTED,
        alpha=0.55,
        linewidths=0,
        label="all whole particles",
    )
    _points(axes, sample_diameters_um, sample_roughness)
    axes.axhline(paper_um, color=INK, linewidth=1, linestyle=(0, (4, 3)), label=f"paper, about {paper_um:g} µm")
    known = np.flatnonzero(np.isfinite(diameters_um) & np.isfinite(floor_um))
    if known.size:
        # The floor differs a little from scan to scan: the line is the mean of neighbours in size.
        groups = np.array_split(known[np.argsort(diameters_um[known], kind="stable")], min(FLOOR_POINTS, known.size))
        sizes, floor = (np.array([column[group].mean() for group in groups]) for column in (diameters_um, floor_um))
        sizes[[0, -1]] = diameters_um[known].min(), diameters_um[known].max()
        axes.fill_between(sizes, 0, floor, color=BLUE, alpha=0.12, linewidth=0, label="noise floor of a sphere")
        axes.plot(sizes, floor, color=BLUE, linewidth=1)
    top = max(paper_um * 1.5, float(np.nanpercentile(roughness[usable], 99)) * 1.15)
    axes.set_ylim(0, top)
    legend(axes, loc="upper right")
    return to_picture(figure, "Roughness proxy against equivalent diameter")


def local_roughness_figure(sample: Sample) -> Picture:
    """Differences between neighbouring radii, 45 degrees apart, of the sample's particles, against their diameters."""
    figure = new_figure(WIDTH_PX, HEIGHT_PX)
    axes = new_axes(
        figure, x="equivalent diameter (µm)", y="|difference of radii| at 45° (µm)", title="Local roughness proxy"
    )
    if not len(sample):
        note(axes, ["no particle with", "individual radii"])
        return to_picture(figure, "No particle with individual radii")
    diameters = sample.particles.numbers(Particle.equivalent_diameter_um)
    spread = max(0.15, 0.012 * float(np.ptp(diameters)))
    for row, differences in enumerate(local_differences_um(sample.radii_um)):
        for at, plane in enumerate(PLANES):
            axes.scatter(
                np.full(differences.shape[1], diameters[row] + (at - 1) * spread),
                differences[at],
                s=15,
                marker=MARKERS[at],
                facecolors="none" if at == 1 else SERIES[row % len(SERIES)],
                edgecolors=SERIES[row % len(SERIES)],
                linewidths=0.8,
                alpha=0.8,
                label=plane if row == 0 else None,
            )
    axes.set_ylim(0, max(1.2, 1.15 * float(local_differences_um(sample.radii_um).max())))
    legend(axes, loc="upper right", columns=3)
    dress(axes, x="equivalent diameter (µm)", y="|difference of radii| at 45° (µm)", title="Local roughness proxy")
    return to_picture(figure, "Differences of radii 45 degrees apart against equivalent diameter")


def _points(axes: object, diameters: Sequence[float] | NDArray[np.float64], values: NDArray[np.float64]) -> None:
    for row, (diameter, value) in enumerate(zip(diameters, values, strict=True)):
        axes.plot(  # type: ignore[attr-defined]
            [diameter],
            [value],
            marker=MARKERS[row % len(MARKERS)],
            color=SERIES[row % len(SERIES)],
            markeredgecolor="white",
            markersize=7,
            linestyle="none",
        )
