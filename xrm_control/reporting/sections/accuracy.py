"""For simulated runs: measured against true, with the goals that the project holds itself to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xrm_control.contracts.headings import heading
from xrm_control.contracts.tables import Particle
from xrm_control.contracts.truth import Pair, TruthMatch
from xrm_control.reporting.figures.truth import error_by_size_figure, error_figure, identity_figure
from xrm_control.reporting.formatting import figure, percent, text
from xrm_control.reporting.run_data import RunData
from xrm_control.reporting.sections.components import Cell, Section, Shown, Table, met, table

GOAL_SIZE_UM = 6.0
MOST_MISSED = 12
DIAMETER_GOAL_PERCENT, VOLUME_GOAL_PERCENT, MATCHED_GOAL, AXIS_GOAL_PX = 2.0, 5.0, 0.95, 0.15
# What has its own place in the section; a figure that comes to the model shows among the further ones.
_ELSEWHERE = {
    *("pairs", "matched_fraction", "n_true", "n_matched", "diameter_error_percent_median", "missed", "voids"),
    *("volume_error_percent_median", "rotation_axis_error_px", "min_diameter_um"),
}


def accuracy_section(run: RunData) -> Section | None:
    """Scatter, errors, matched fraction and rotation axis; None for a run on a real instrument."""
    if run.results is None:
        return None
    truth = run.results.truth
    if truth is None:
        if not run.results.simulated:
            return None
        return Section(
            "truth", "Measured against true", ("This run is simulated, but was not held against its truth.",)
        )
    pairs = truth.pairs
    measured, true = (np.array(v, float) for v in ([p.diameter_um for p in pairs], [p.true_diameter_um for p in pairs]))
    volume, true_volume = (
        np.array(v, float) for v in ([p.volume_um3 for p in pairs], [p.true_volume_um3 for p in pairs])
    )
    cut = _cut(run, pairs)
    fit = ~cut & (true >= GOAL_SIZE_UM)
    with np.errstate(invalid="ignore", divide="ignore"):
        diameter_percent, volume_percent = 100 * (measured / true - 1), 100 * (volume / true_volume - 1)
    selection = f"whole, true diameter ≥ {GOAL_SIZE_UM:g} µm, n = {int(fit.sum())}"
    pictures = (
        Shown(
            identity_figure(true, measured, quantity="diameter", unit="µm", marked=cut, mark_name="cut by the volume")
        ),
        Shown(
            identity_figure(
                true_volume,
                volume,
                quantity="volume",
                unit="µm³",
                logarithmic=True,
                marked=cut,
                mark_name="cut by the volume",
            )
        ),
        Shown(error_by_size_figure(true[~cut], diameter_percent[~cut], DIAMETER_GOAL_PERCENT, GOAL_SIZE_UM)),
        Shown(error_figure(diameter_percent[fit], volume_percent[fit], selection)),
    )
    after = tuple(part for part in (_further(truth), _missed(truth), _voids(truth)) if part.rows)
    lead = (
        "The simulated microscope knows its specimen: whole particles of at least "
        f"{truth.min_diameter_um:g} µm are matched one to one with the true ones.",
        "Surface areas read lower than the true ones: the truth counts the texture of the primary particles, which is "
        "finer than these volumes resolve.",
    )
    return Section("truth", "Measured against true", lead, (_goals(truth),), pictures, after)


def _goals(truth: TruthMatch) -> Table:
    matched, diameter = truth.matched_fraction, truth.diameter_error_percent_median
    volume = truth.volume_error_percent_median
    rows: list[tuple[str | Cell, ...]] = [
        (
            f"matched one to one ({text(truth.n_matched)} of {text(truth.n_true)})",
            percent(matched),
            f"≥ {MATCHED_GOAL:.0%}".replace("%", " %"),
            met(None if matched is None else matched >= MATCHED_GOAL),
        ),
        (
            "median error of the diameter",
            _signed(diameter, "%"),
            "within 2 %",
            _within(diameter, DIAMETER_GOAL_PERCENT),
        ),
        ("median error of the volume", _signed(volume, "%"), "within 5 %", _within(volume, VOLUME_GOAL_PERCENT)),
    ]
    rows += [
        (
            f"rotation axis, error {name}",
            _signed(error, "px"),
            f"within {AXIS_GOAL_PX} px",
            _within(error, AXIS_GOAL_PX),
        )
        for name, error in truth.rotation_axis_error_px.items()
    ]
    return table(("", "this run", "goal", "met"), rows)


def _further(truth: TruthMatch) -> Table:
    figures = [(name, value) for name, value in truth if name not in _ELSEWHERE]
    return table(("further figures", "value"), [(heading(name), text(value)) for name, value in figures])


def _missed(truth: TruthMatch) -> Table:
    missed = truth.missed
    return table(
        ("true particle not found", "region", "diameter (µm)"),
        [(text(one.true_id), text(one.roi), figure(one.true_diameter_um)) for one in missed[:MOST_MISSED]],
        f"and {len(missed) - MOST_MISSED} more" if len(missed) > MOST_MISSED else "",
    )


def _voids(truth: TruthMatch) -> Table:
    """Probability of detection by size class."""
    rows: list[tuple[str | Cell, ...]] = []
    for entry in truth.voids:
        low, high = entry.diameter_um
        size = f"{low:g} to {high:g}" if high is not None else f"{low:g} and more"
        rows.append((size, text(entry.n_true), percent(entry.detected_fraction), figure(entry.volume_ratio_median)))
    head = ("true voids by diameter (µm)", "number", "detected", "measured / true volume, median")
    return table(head, rows)


def _cut(run: RunData, pairs: Sequence[Pair]) -> np.ndarray:
    """Which pairs' particles the volume cuts, (n,), looked up in the tables."""
    particles = run.particles
    keys = zip(particles.texts(Particle.roi), particles.ids(Particle.particle_id), strict=True)
    flags = dict(zip(keys, particles.flags(Particle.touches_boundary), strict=True))
    return np.array([bool(flags.get((pair.roi, pair.particle_id), False)) for pair in pairs], bool)


def _signed(value: float | None, unit: str) -> str:
    return figure(value) if value is None else f"{'+' if value > 0 else ''}{figure(value)} {unit}"


def _within(value: float | None, limit: float) -> Cell:
    return met(None if value is None else abs(value) <= limit)
