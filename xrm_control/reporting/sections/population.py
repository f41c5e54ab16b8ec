"""Counterpart of the paper's Figure 3 and Table 1, and what can be said of the powder as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from xrm_control.reporting import paper
from xrm_control.reporting.figures.distributions import histogram_figure, void_sizes_figure
from xrm_control.reporting.figures.style import PARTICLE, VOID
from xrm_control.reporting.formatting import MISSING, dig, field_label, figure, interval, mapping, number, text
from xrm_control.reporting.radii import whole
from xrm_control.reporting.rows import Rows
from xrm_control.reporting.run_data import RunData
from xrm_control.reporting.sections.components import Cell, Section, Shown, flatten, table
from xrm_control.reporting.table import (
    HEADINGS,
    PAPER_CONVENTION,
    UNBIASED_CONVENTION,
    net_dead_volume_percent,
    table1_rows,
)

INTERNAL = ("closed", "ambiguous", "")
_MEASURES = (
    ("equivalent_diameter_um", "equivalent diameter (µm)"),
    ("sphericity", "sphericity"),
    ("surface_to_volume_per_um", "SA:V (µm⁻¹)"),
)


def table1_section(run: RunData) -> Section:
    """Table 1 in both conventions beside the paper's, and the consequence that the paper draws from it."""
    rows: list[tuple[str | Cell, ...]] = [row.cells() for row in table1_rows(run.results)]
    lead = [
        "Two conventions, never mixed.",
        f"{PAPER_CONVENTION[0].upper()}{PAPER_CONVENTION[1:]}.",
        f"{UNBIASED_CONVENTION[0].upper()}{UNBIASED_CONVENTION[1:]}.",
    ]
    if not is_paper_powder(run):
        lead.append("The paper’s column is NMC622; this run’s sample is another, so the columns need not agree.")
    if not mapping(run.results, "table1"):
        lead.append("This run has no Table 1 yet.")
    return Section("table1", "Table 1", tuple(lead), (table(HEADINGS, rows),), (), (), {"after": _consequence(run)})


def distributions_section(run: RunData) -> Section:
    """Histograms of whole particles and of their internal voids, and void size against particle size."""
    particles = run.particles.where(whole(run.particles))
    voids = run.voids.where(np.array([kind in INTERNAL for kind in run.voids.texts("kind")], bool))
    limit_um = _detection_limit_um(run)
    beside = is_paper_powder(run)
    pictures = [_histogram("particle", particles, measure, PARTICLE, beside) for measure in _MEASURES]
    lead = [
        "Counterpart of the paper’s Figure 3: whole particles and internal voids, each counted once and not weighted. "
        "Filled: unbiased convention. Outline: the paper’s cubic data, from voxel counts and voxel faces.",
        f"The paper’s text gives {paper.TEXT_PARTICLE_DIAMETER_UM} µm particles and {paper.TEXT_VOID_DIAMETER_UM:g} µm "
        f"voids of sphericity about {paper.TEXT_VOID_SPHERICITY}; its Table 1 gives 6.4 and 2.4 µm (NMC622). "
        "Table 1’s sphericity is that of the mean volume and mean area, larger than the mean over the particles.",
    ]
    if len(run.voids):
        pictures += [_histogram("void", voids, measure, VOID, beside) for measure in _MEASURES]
        hosts, sizes = _hosts(run.particles, run.voids)
        pictures.append(Shown(void_sizes_figure(hosts, sizes, run.voids.texts("kind"), limit_um)))
    elif all(region.voids is None for region in run.regions):
        lead.append("Voids were not looked for, or their tables are missing.")
    else:
        lead.append("No void was found.")
    if limit_um is not None:
        lead.append(
            f"At this blur a void of less than {figure(limit_um, 2)} µm is lost to a half-way threshold, so the share "
            "of particles with voids is a lower bound."
        )
    return Section("distributions", "Particles and voids", tuple(lead), (), tuple(pictures))


def statistics_section(run: RunData) -> Section:
    """Population statistics with their intervals, as the analysis states them."""
    spreads: list[tuple[str | Cell, ...]] = []
    singles: list[tuple[str | Cell, ...]] = []
    for name, entry in mapping(run.results, "population").items():
        if isinstance(entry, Mapping) and any(key in entry for key in ("mean", "median", "d50")):
            median = {"d50": entry.get("median"), "d50_interval": entry.get("median_interval"), **entry}
            spreads.append(
                (
                    field_label(name),
                    text(entry.get("n")),
                    *_with_interval(entry, "mean"),
                    *_with_interval(median, "d50"),
                    *(figure(entry.get(key)) for key in ("d10", "d90", "standard_deviation", "sigma_ln")),
                )
            )
        elif isinstance(entry, Mapping) and "value" in entry:
            singles.append((field_label(name), text(entry["value"]), interval(entry.get("interval"))))
        elif isinstance(entry, Mapping) and entry.get("n") != 0:
            label, parts = field_label(name), flatten(entry).items()
            singles += [(f"{label}, {field_label(key)}", text(value), MISSING) for key, value in parts]
        elif not isinstance(entry, Mapping):
            singles.append((field_label(name), text(entry), MISSING))
    head = ("quantity", "n", "mean", "95 % interval", "D50", "95 % interval", "D10", "D90", "σ", "σ of ln")
    tables = ((table(head, spreads),) if spreads else ()) + (
        (table(("quantity", "value", "95 % interval"), singles),) if singles else ()
    )
    lead = (
        ("Whole particles of all regions, unbiased convention; weighted against the loss of large ones at the border.",)
        if tables
        else ("There are no population statistics.",)
    )
    return Section("statistics", "Population", lead, tables)


def is_paper_powder(run: RunData) -> bool:
    """Whether the sample is the paper's NMC622, by what the run calls it."""
    named = " ".join(map(str, [*flatten(mapping(run.results, "sample")).values(), dig(run.results, "recipe_name")]))
    return "622" in named or "Ni0.6Mn0.2Co0.2" in named


def _detection_limit_um(run: RunData) -> float | None:
    """The largest of the regions' smallest visible voids."""
    stated = (number(region.quality.get("void_detection_limit_um")) for region in run.regions)
    return max((value for value in stated if value is not None), default=None)


def _with_interval(entry: Mapping[str, Any], key: str) -> tuple[str, str]:
    return figure(entry.get(key)), interval(entry.get(f"{key}_interval"))


def _histogram(phase: str, rows: Rows, measure: tuple[str, str], colour: str, beside: bool) -> Shown:
    column, label = measure
    cubic = _cubic(rows, column)
    # The paper's value belongs to its convention: without that outline there is nothing to hold it against.
    paper_value = number(dig(paper.TABLE1, phase, column)) if beside and np.isfinite(cubic).any() else None
    title = f"{phase.capitalize()}s: {label.split(' (')[0]}"
    return Shown(
        histogram_figure(rows.numbers(column), cubic, label=label, title=title, colour=colour, paper=paper_value)
    )


def _cubic(rows: Rows, column: str) -> np.ndarray:
    """The quantity in the paper's convention (n,), from voxel counts and voxel faces; NaN where they are not stated."""
    volume, area = rows.numbers("volume_voxels_um3"), rows.numbers("surface_faces_um2")
    with np.errstate(divide="ignore", invalid="ignore"):
        match column:
            case "equivalent_diameter_um":
                return np.cbrt(6 * volume / np.pi)
            case "sphericity":
                return np.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / area
            case _:
                return area / volume


def _hosts(particles: Rows, voids: Rows) -> tuple[np.ndarray, np.ndarray]:
    """For each void the diameter of the particle that holds it, and its own (n,)."""
    diameters = particles.numbers("equivalent_diameter_um")
    keys = zip(particles.texts("roi"), particles.texts("particle_id"), strict=True)
    known = {key: diameters[at] for at, key in enumerate(keys)}
    wanted = zip(voids.texts("roi"), voids.texts("particle_id"), strict=True)
    return np.array([known.get(key, np.nan) for key in wanted], float), voids.numbers("equivalent_diameter_um")


def _consequence(run: RunData) -> str:
    """Dead volume as lost range, as the paper reckons: 3.8 % in 55 % of the particles is 2 %, or 6 of 300 miles."""
    parts = []
    for convention, name in (("paper", "paper’s convention"), ("unbiased", "unbiased")):
        net = net_dead_volume_percent(run.results, convention)
        if net:
            parts.append(f"{figure(net, 2)} % ({name}), {figure(net / 100 * paper.RANGE_MILES, 2)} of 300 miles")
    if not parts:
        return ""
    return f"Net dead volume, share times frequency: {'; '.join(parts)}. The paper: about 2 %, 6 of 300 miles."
