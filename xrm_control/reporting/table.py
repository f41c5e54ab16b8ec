"""The paper's Table 1 beside this run's, in both conventions, never mixed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rich.table import Table

from xrm_control.contracts.document import Interval
from xrm_control.contracts.population import Population
from xrm_control.contracts.results import RegionResults, RunResults
from xrm_control.contracts.table1 import Table1, Table1Cells, Table1Convention, Table1Intervals
from xrm_control.reporting import paper
from xrm_control.reporting.formatting import MISSING, figure, with_interval
from xrm_control.reporting.radiographs import radiographs_line
from xrm_control.reporting.weights import weights_line

Value = Callable[[Table1Convention], float | None]
Ends = Callable[[Table1Convention], Interval | None]

PAPER_CONVENTION = (
    "the paper's convention: every whole particle counts once, with voxel counts and voxel faces; means of V, SA and "
    "dₑ, sphericity from mean V and mean SA, SA:V a mean of ratios, dead volume mean void V over mean particle V"
)
UNBIASED_CONVENTION = (
    "the unbiased convention: whole particles weighted as the population is, volumes from "
    "grey levels, areas by Crofton's formula; means of each particle's own values, dead volume over the volume of "
    "voided particles"
)
HEADINGS = ("Quantity", "Unit", "Paper (NMC622)", "This run, paper's convention", "This run, unbiased")


@dataclass(frozen=True)
class _Cell:
    """A quantity of particles, and of voids."""

    label: str
    unit: str
    mean: Callable[[Table1Cells], float | None]
    ends: Callable[[Table1Intervals], Interval | None]

    def mean_of(self, part: Callable[[Table1Convention], Table1Cells]) -> Value:
        return lambda convention: self.mean(part(convention))

    def ends_of(self, part: Callable[[Table1Convention], Table1Intervals | None]) -> Ends:
        return lambda convention: None if (found := part(convention)) is None else self.ends(found)


_CELLS = (
    _Cell("volume V", "µm³", lambda c: c.volume_um3, lambda c: c.volume_um3),
    _Cell("surface area SA", "µm²", lambda c: c.surface_area_um2, lambda c: c.surface_area_um2),
    _Cell("sphericity ψ", MISSING, lambda c: c.sphericity, lambda c: c.sphericity),
    _Cell("SA:V", "µm⁻¹", lambda c: c.surface_to_volume_per_um, lambda c: c.surface_to_volume_per_um),
    _Cell("equivalent diameter dₑ", "µm", lambda c: c.equivalent_diameter_um, lambda c: c.equivalent_diameter_um),
)


@dataclass(frozen=True)
class Table1Row:
    """One quantity: the paper's value, this run's in the paper's and in the unbiased convention; None where absent.

    over: how many the run's value is a mean of; None where nobody looked for them. paper_ends, unbiased_ends: 95 %
    intervals of the two, None where none is stated.
    """

    quantity: str
    unit: str
    paper: float | None
    paper_convention: float | None
    unbiased: float | None
    over: int | None = 0
    paper_ends: Interval | None = None
    unbiased_ends: Interval | None = None

    @property
    def measured(self) -> bool:
        """False where there was something to measure, or to look for, and the analysis core did not."""
        return not (self.paper_convention is None and self.unbiased is None and self.over != 0)

    def cells(self) -> tuple[str, str, str, str, str]:
        """The row as printed, under `HEADINGS`."""
        # The paper's values keep the digits that it prints.
        stated = MISSING if self.paper is None else f"{self.paper:g}"
        own, unbiased = self._own(self.paper_convention, self.paper_ends), self._own(self.unbiased, self.unbiased_ends)
        return self.quantity, self.unit, stated, own, unbiased

    def _own(self, value: float | None, ends: Interval | None) -> str:
        if value is not None and self.quantity.endswith("counted"):
            return figure(int(value))
        return with_interval(value, ends)


def table1_rows(table: Table1 | None) -> tuple[Table1Row, ...]:
    """Table 1 of a run beside the paper's; of a run that has none yet, the paper's alone."""
    unbiased, own = (None, None) if table is None else (table.unbiased, table.paper)
    stated = paper.TABLE1 if table is None else table.paper_values
    n_particles = 0 if unbiased is None else unbiased.n_particles
    n_voids = 0 if unbiased is None else unbiased.n_voids

    def row(name: str, unit: str, over: int | None, value: Value, ends: Ends = lambda _: None) -> Table1Row:
        if own is None or unbiased is None:
            return Table1Row(name, unit, value(stated), None, None, over)
        return Table1Row(name, unit, value(stated), value(own), value(unbiased), over, ends(own), ends(unbiased))

    return (
        *(
            row(
                f"particle {cell.label}",
                cell.unit,
                n_particles,
                cell.mean_of(lambda c: c.particle),
                cell.ends_of(lambda c: c.particle_intervals),
            )
            for cell in _CELLS
        ),
        *(
            row(
                f"void {cell.label}",
                cell.unit,
                n_voids,
                cell.mean_of(lambda c: c.void),
                cell.ends_of(lambda c: c.void_intervals),
            )
            for cell in _CELLS
        ),
        row("dead volume", "%", n_particles, lambda c: c.dead_volume_percent, lambda c: c.dead_volume_percent_interval),
        row(
            "particles with internal voids",
            "%",
            n_particles,
            lambda c: c.voided_particles_percent,
            lambda c: c.voided_particles_percent_interval,
        ),
        row("particles counted", MISSING, n_particles, lambda c: c.n_particles),
        row("voids counted", MISSING, n_voids, lambda c: c.n_voids),
    )


def not_measured(rows: Iterable[Table1Row]) -> str:
    """A sentence with the quantities that the analysis core did not measure; empty where it measured all."""
    names = [row.quantity for row in rows if not row.measured]
    return f"Not measured by this core: {', '.join(names)}." if names else ""


def _doubled(population: Population) -> str:
    """What the mosaic's radiographs add; a reason why they do not is for the report."""
    doubled = population.voided_fraction_by_mosaic
    return radiographs_line(doubled, short=True) if doubled is not None and doubled.value is not None else ""


def paper_table(results: RunResults | RegionResults) -> Table:
    """Table 1 for a terminal, with both conventions said below it; what was not measured is left out, by name."""
    name = None if results.sample is None else results.sample.name
    rows = table1_rows(results.table1)
    absent, of = not_measured(rows), results.population
    table = Table(
        title="Table 1" + (f": {name}" if name else "") + " beside the paper's",
        caption=f"Paper: {paper.CITATION}. In {PAPER_CONVENTION}. In {UNBIASED_CONVENTION}."
        + "".join(f" {line}" for line in (weights_line(of.weighting), _doubled(of), absent) if line),
        caption_justify="left",
    )
    for at, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="right" if at > 1 else "left", no_wrap=at < 2)
    for row in rows:
        if row.measured:
            table.add_row(*row.cells(), end_section="diameter" in row.quantity)
    return table
