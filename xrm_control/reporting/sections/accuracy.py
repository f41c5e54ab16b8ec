"""For simulated runs: measured against true, with the goals that the project holds itself to."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from xrm_control.reporting.figures.truth import error_by_size_figure, error_figure, identity_figure
from xrm_control.reporting.formatting import dig, field_label, figure, items, mapping, number, percent, text
from xrm_control.reporting.run_data import RunData
from xrm_control.reporting.sections.components import Cell, Section, Shown, Table, met, table

GOAL_SIZE_UM = 6.0
MOST_MISSED = 12
DIAMETER_GOAL_PERCENT, VOLUME_GOAL_PERCENT, MATCHED_GOAL, AXIS_GOAL_PX = 2.0, 5.0, 0.95, 0.15
_SHOWN = (
    "pairs",
    "matched_fraction",
    "n_true",
    "n_matched",
    "diameter_error_percent_median",
    "volume_error_percent_median",
    "rotation_axis_error_px",
    "min_diameter_um",
    "missed",
    "voids",
)


def accuracy_section(run: RunData) -> Section | None:
    """Scatter, errors, matched fraction and rotation axis; None for a run on a real instrument."""
    truth = mapping(run.results, "truth")
    if not truth:
        if not dig(run.results, "simulated"):
            return None
        return Section(
            "truth", "Measured against true", ("This run is simulated, but was not held against its truth.",)
        )
    pairs = [pair for pair in items(truth, "pairs") if isinstance(pair, Mapping)]
    measured, true = _column(pairs, "diameter_um"), _column(pairs, "true_diameter_um")
    volume, true_volume = _column(pairs, "volume_um3"), _column(pairs, "true_volume_um3")
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
        f"{number(truth.get('min_diameter_um')) or GOAL_SIZE_UM:g} µm are matched one to one with the true ones.",
        "Surface areas read lower than the true ones: the truth counts the texture of the primary particles, which is "
        "finer than these volumes resolve.",
    )
    return Section("truth", "Measured against true", lead, (_goals(truth),), pictures, after)


def _goals(truth: Mapping[str, object]) -> Table:
    matched = number(truth.get("matched_fraction"))
    diameter = number(truth.get("diameter_error_percent_median"))
    volume = number(truth.get("volume_error_percent_median"))
    counts = f"{text(truth.get('n_matched'))} of {text(truth.get('n_true'))}"
    rows: list[tuple[str | Cell, ...]] = [
        (
            f"matched one to one ({counts})",
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
    axis = truth.get("rotation_axis_error_px")
    errors = axis if isinstance(axis, Mapping) else {"": axis}
    for name, raw in errors.items():
        error = number(raw)
        rows.append(
            (
                f"rotation axis, error {name}".strip(),
                _signed(error, "px"),
                f"within {AXIS_GOAL_PX} px",
                _within(error, AXIS_GOAL_PX),
            )
        )
    return table(("", "this run", "goal", "met"), rows)


def _further(truth: Mapping[str, object]) -> Table:
    return table(
        ("further figures", "value"),
        [(field_label(key), text(value)) for key, value in truth.items() if key not in _SHOWN],
    )


def _missed(truth: Mapping[str, object]) -> Table:
    missed = [item for item in items(truth, "missed") if isinstance(item, Mapping)]
    return table(
        ("true particle not found", "region", "diameter (µm)"),
        [(text(i.get("true_id")), text(i.get("roi")), figure(i.get("true_diameter_um"))) for i in missed[:MOST_MISSED]],
        f"and {len(missed) - MOST_MISSED} more" if len(missed) > MOST_MISSED else "",
    )


def _voids(truth: Mapping[str, object]) -> Table:
    """Probability of detection by size class."""
    rows: list[tuple[str | Cell, ...]] = []
    for entry in items(truth, "voids"):
        low, high = (number(bound) for bound in (*items(entry, "diameter_um"), None, None)[:2])
        if low is None:
            continue
        size = f"{low:g} to {high:g}" if high is not None else f"{low:g} and more"
        detected = percent(dig(entry, "detected_fraction"))
        rows.append((size, text(dig(entry, "n_true")), detected, figure(dig(entry, "volume_ratio_median"))))
    head = ("true voids by diameter (µm)", "number", "detected", "measured / true volume, median")
    return table(head, rows)


def _cut(run: RunData, pairs: list[Mapping[str, object]]) -> np.ndarray:
    """Which pairs' particles the volume cuts, (n,), looked up in the tables."""
    particles = run.particles
    keys = zip(particles.texts("roi"), particles.texts("particle_id"), strict=True)
    flags = dict(zip(keys, particles.flags("touches_boundary"), strict=True))
    return np.array([bool(flags.get((str(p.get("roi")), str(p.get("particle_id"))), False)) for p in pairs], bool)


def _column(pairs: list[Mapping[str, object]], key: str) -> np.ndarray:
    values = (number(pair.get(key)) for pair in pairs)
    return np.array([np.nan if value is None else value for value in values], float)


def _signed(value: float | None, unit: str) -> str:
    return figure(value) if value is None else f"{'+' if value > 0 else ''}{figure(value)} {unit}"


def _within(value: float | None, limit: float) -> Cell:
    return met(None if value is None else abs(value) <= limit)
