"""Counterpart of the paper's Figure 3 and Table 1, and what can be said of the powder as a whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.contracts.column import Column
from xrm_control.contracts.headings import heading
from xrm_control.contracts.population import Distribution
from xrm_control.contracts.rows import Rows
from xrm_control.contracts.table1 import Table1Cells
from xrm_control.contracts.tables import INTERNAL, Particle, Void
from xrm_control.reporting import paper
from xrm_control.reporting.figures.distributions import histogram_figure, void_sizes_figure
from xrm_control.reporting.figures.style import PARTICLE, VOID
from xrm_control.reporting.formatting import MISSING, figure, interval, text, with_interval
from xrm_control.reporting.radii import whole
from xrm_control.reporting.radiographs import radiographs_line
from xrm_control.reporting.run_data import RunData
from xrm_control.reporting.sections.components import Cell, Section, Shown, table
from xrm_control.reporting.sections.detection import detection_line, detection_table
from xrm_control.reporting.table import (
    HEADINGS,
    PAPER_CONVENTION,
    UNBIASED_CONVENTION,
    not_measured,
    table1_rows,
)
from xrm_control.reporting.weights import weights_line

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class _Measure:
    """One quantity of the histograms, in both conventions: its column, and how it follows from voxels and faces."""

    column: Column
    label: str
    cubic: Callable[[Numbers, Numbers], Numbers]
    paper: Callable[[Table1Cells], float | None]


_MEASURES = (
    _Measure(
        Particle.equivalent_diameter_um,
        "equivalent diameter (µm)",
        lambda volume, _: np.cbrt(6 * volume / np.pi),
        lambda cells: cells.equivalent_diameter_um,
    ),
    _Measure(
        Particle.sphericity,
        "sphericity",
        lambda volume, area: np.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / area,
        lambda cells: cells.sphericity,
    ),
    _Measure(
        Particle.surface_to_volume_per_um,
        "SA:V (µm⁻¹)",
        lambda volume, area: area / volume,
        lambda cells: cells.surface_to_volume_per_um,
    ),
)


def table1_section(run: RunData) -> Section:
    """Table 1 in both conventions beside the paper's, and the consequence that the paper draws from it."""
    stated = table1_rows(None if run.results is None else run.results.table1)
    rows: list[tuple[str | Cell, ...]] = [row.cells() for row in stated if row.measured]
    lead = [
        "Two conventions, never mixed.",
        f"{PAPER_CONVENTION[0].upper()}{PAPER_CONVENTION[1:]}.",
        f"{UNBIASED_CONVENTION[0].upper()}{UNBIASED_CONVENTION[1:]}.",
    ]
    if not is_paper_powder(run):
        lead.append("The paper’s column is NMC622; this run’s sample is another, so the columns need not agree.")
    if run.results is None:
        lead.append("This run has no Table 1 yet.")
    if absent := not_measured(stated):
        lead.append(absent)
    return Section("table1", "Table 1", tuple(lead), (table(HEADINGS, rows),), (), (), {"after": _consequence(run)})


def distributions_section(run: RunData) -> Section:
    """Histograms of whole particles and of their internal voids, and void size against particle size."""
    particles = run.particles.where(whole(run.particles))
    voids = run.voids.where(np.array([kind in INTERNAL for kind in run.voids.texts(Void.kind)], bool))
    limit_um = detection_limit_um(run)
    beside = is_paper_powder(run)
    pictures = [
        _histogram("particle", paper.TABLE1.particle, particles, measure, PARTICLE, beside)
        for measure in _measured(particles)
    ]
    lead = [
        "Counterpart of the paper’s Figure 3: whole particles and internal voids, each counted once and not weighted. "
        "Filled: unbiased convention. Outline: the paper’s cubic data, from voxel counts and voxel faces.",
        f"The paper’s text gives {paper.TEXT_PARTICLE_DIAMETER_UM} µm particles and {paper.TEXT_VOID_DIAMETER_UM:g} µm "
        f"voids of sphericity about {paper.TEXT_VOID_SPHERICITY}; its Table 1 gives 6.4 and 2.4 µm (NMC622). "
        "Table 1’s sphericity is that of the mean volume and mean area, larger than the mean over the particles.",
    ]
    if len(run.voids):
        pictures += [
            _histogram("void", paper.TABLE1.void, voids, measure, VOID, beside) for measure in _measured(run.voids)
        ]
        hosts, sizes = _hosts(run.particles, run.voids)
        pictures.append(Shown(void_sizes_figure(hosts, sizes, run.voids.texts(Void.kind), limit_um)))
    elif all(region.voids is None for region in run.regions):
        lead.append("Voids were not looked for, or their tables are missing.")
    else:
        lead.append("No void was found.")
    if limit_um is not None:
        lead.append(
            f"At this blur and noise voids of less than {figure(limit_um, 2)} µm are missed more or less often, so the "
            "share of particles with voids is a lower bound."
        )
    if in_noise := sum(region.quality.voids_in_noise or 0 for region in run.regions):
        lead.append(
            f"What looked like a void {in_noise} more times does not stand out of the noise of the solid around it, "
            "and is none."
        )
    if told := detection_line(run):
        lead.append(told)
    return Section("distributions", "Particles and voids", tuple(lead), detection_table(run), tuple(pictures))


def statistics_section(run: RunData) -> Section:
    """Population statistics with their intervals, as the analysis states them."""
    spreads: list[tuple[str | Cell, ...]] = []
    singles: list[tuple[str | Cell, ...]] = []
    population = None if run.results is None else run.results.population
    if population is not None:
        spreads = [
            (heading(name, run.particles.columns), *_spread(entry))
            for name, entry in population.quantities.items()
            if entry.n
        ]
        counts = (("n_particles", population.n_particles), ("n_whole", population.n_whole))
        singles += [(heading(name), text(count), MISSING) for name, count in (*counts, ("n_voids", population.n_voids))]
        if (share := population.voided_fraction) is not None:
            singles.append((heading("voided_fraction"), text(share.value), interval(share.interval)))
        if (share := population.cracked_fraction) is not None:
            singles.append((heading("cracked_fraction"), text(share.value), interval(share.interval)))
        doubled = population.voided_fraction_by_mosaic
        if doubled is not None and doubled.value is not None:
            singles.append((heading("voided_fraction_by_mosaic"), text(doubled.value), interval(doubled.interval)))
        if (weighted := population.volume_weighted_diameter_um) is not None:
            cells = [
                _cell(value, ends)
                for value, ends in (
                    (weighted.d10, weighted.d10_interval),
                    (weighted.d50, weighted.d50_interval),
                    (weighted.d90, weighted.d90_interval),
                )
            ]
            label = heading("volume_weighted_diameter_um")
            spreads.append((label, text(weighted.n), MISSING, *cells, MISSING, MISSING))
    head = ("quantity", "n", "mean", "D10", "D50", "D90", "σ", "σ of ln")
    tables = ((table(head, spreads),) if spreads else ()) + (
        (table(("quantity", "value", "95 % interval"), singles),) if singles else ()
    )
    lead = (
        tuple(
            line
            for line in (
                "Whole particles of all regions, grey-level volumes and Crofton areas; intervals are 95 %.",
                weights_line(None if population is None else population.weighting),
                radiographs_line(None if population is None else population.voided_fraction_by_mosaic),
                _BELOW_FLOOR,
            )
            if line
        )
        if tables
        else ("There are no population statistics.",)
    )
    return Section("statistics", "Population", lead, tables)


_BELOW_FLOOR = (
    "Roughness is what is left above the floor that a perfect sphere shows; a minus sign means less than that floor, "
    "which half of all perfect spheres show: read it as none."
)


def is_paper_powder(run: RunData) -> bool:
    """Whether the sample is the paper's NMC622, by what the run calls it."""
    if run.results is None:
        return False
    sample = run.results.sample
    named = f"{sample.name} {sample.formula} {run.results.recipe_name}"
    return "622" in named or "Ni0.6Mn0.2Co0.2" in named


def detection_limit_um(run: RunData) -> float | None:
    """The largest of the regions' sizes from which on hardly a void is missed."""
    stated = (region.quality.voids_seen_from_um for region in run.regions)
    return max((value for value in stated if value is not None), default=None)


def _spread(entry: Distribution) -> tuple[str, ...]:
    stated = (
        (entry.mean, entry.mean_interval),
        (entry.d10, entry.d10_interval),
        (entry.d50, entry.median_interval),
        (entry.d90, entry.d90_interval),
        (entry.standard_deviation, entry.standard_deviation_interval),
        (entry.sigma_ln, entry.sigma_ln_interval),
    )
    return (text(entry.n), *(_cell(value, ends) for value, ends in stated))


def _cell(value: object, ends: object) -> str:
    """A number and its interval, which goes into the next line as a whole where there is no room."""
    return with_interval(value, ends).replace(" to ", "\u00a0to\u00a0")


def _measured(rows: Rows) -> tuple[_Measure, ...]:
    """The quantities of which a histogram can be drawn; all of them where there is no table at all."""
    return tuple(measure for measure in _MEASURES if not len(rows) or rows.has(measure.column))


def _histogram(phase: str, printed: Table1Cells, rows: Rows, measure: _Measure, colour: str, beside: bool) -> Shown:
    volume, area = rows.numbers(Particle.volume_voxels_um3), rows.numbers(Particle.surface_faces_um2)
    with np.errstate(divide="ignore", invalid="ignore"):
        cubic = measure.cubic(volume, area)
    # The paper's value belongs to its convention: without that outline there is nothing to hold it against.
    paper_value = measure.paper(printed) if beside and np.isfinite(cubic).any() else None
    title = f"{phase.capitalize()}s: {measure.label.split(' (')[0]}"
    values = rows.numbers(measure.column)
    return Shown(histogram_figure(values, cubic, label=measure.label, title=title, colour=colour, paper=paper_value))


def _hosts(particles: Rows, voids: Rows) -> tuple[Numbers, Numbers]:
    """For each void the diameter of the particle that holds it, and its own (n,)."""
    keys = zip(particles.texts(Particle.roi), particles.ids(Particle.particle_id), strict=True)
    known = dict(zip(keys, particles.numbers(Particle.equivalent_diameter_um), strict=True))
    wanted = zip(voids.texts(Void.roi), voids.ids(Void.particle_id), strict=True)
    return np.array([known.get(key, np.nan) for key in wanted], float), voids.numbers(Void.equivalent_diameter_um)


def _consequence(run: RunData) -> str:
    """Dead volume as lost range, as the paper reckons: 3.8 % in 55 % of the particles is 2 %, or 6 of 300 miles."""
    parts = []
    if run.results is None:
        return ""
    table1 = run.results.table1
    for convention, name in ((table1.paper, "paper’s convention"), (table1.unbiased, "unbiased")):
        net = convention.net_dead_volume_percent
        if net:
            parts.append(f"{figure(net, 2)} % ({name}), {figure(net / 100 * paper.RANGE_MILES, 2)} of 300 miles")
    if not parts:
        return ""
    return f"Net dead volume, share times frequency: {'; '.join(parts)}. The paper: about 2 %, 6 of 300 miles."
