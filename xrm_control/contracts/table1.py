"""The paper's Table 1 (Heenan et al. 2020) as a model: the paper's values, and a run's in both conventions."""

from __future__ import annotations

from typing import Final

from xrm_control.contracts.document import Figure, Interval, Record


class Table1Cells(Record):
    """Means over particles, or over voids; None where they cannot be computed."""

    volume_um3: Figure
    surface_area_um2: Figure
    sphericity: Figure
    surface_to_volume_per_um: Figure
    equivalent_diameter_um: Figure


class Table1Intervals(Record):
    """95 % intervals of `Table1Cells`; None where there is none to state."""

    volume_um3: Interval | None = None
    surface_area_um2: Interval | None = None
    sphericity: Interval | None = None
    surface_to_volume_per_um: Interval | None = None
    equivalent_diameter_um: Interval | None = None


class Table1Convention(Record):
    """The table in one convention; n_voids: None where nobody looked for voids. Intervals are 95 %: None in the paper's
    own values, and in results of before they were stated.
    """

    particle: Table1Cells
    void: Table1Cells
    dead_volume_percent: Figure
    voided_particles_percent: Figure
    n_particles: int | None
    n_voids: int | None
    particle_intervals: Table1Intervals | None = None
    void_intervals: Table1Intervals | None = None
    dead_volume_percent_interval: Interval | None = None
    voided_particles_percent_interval: Interval | None = None

    @property
    def net_dead_volume_percent(self) -> float | None:
        """Per cent of the active material that is empty: dead volume of the voided particles times their share."""
        if self.dead_volume_percent is None or self.voided_particles_percent is None:
            return None
        return self.dead_volume_percent * self.voided_particles_percent / 100


PAPER: Final = Table1Convention(
    particle=Table1Cells(
        volume_um3=238.0,
        surface_area_um2=234.0,
        sphericity=0.8,
        surface_to_volume_per_um=1.7,
        equivalent_diameter_um=6.4,
    ),
    void=Table1Cells(
        volume_um3=9.0,
        surface_area_um2=30.0,
        sphericity=0.7,
        surface_to_volume_per_um=4.1,
        equivalent_diameter_um=2.4,
    ),
    dead_volume_percent=3.8,
    voided_particles_percent=55.0,
    n_particles=None,
    n_voids=None,
)
"""As the paper prints it, for NMC622."""


class Table1(Record):
    """A run's table in the unbiased and in the paper's convention, and the paper's own values."""

    unbiased: Table1Convention
    paper: Table1Convention
    paper_values: Table1Convention = PAPER
