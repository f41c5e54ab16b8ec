"""The instrument's times and the images' quality beside the plan's and the paper's."""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean

from xrm_control.reporting import paper
from xrm_control.reporting.formatting import MISSING, duration, figure, percent, text
from xrm_control.reporting.run_data import RunData
from xrm_control.reporting.sections.components import Cell, Section, met, table


def beside_paper(run: RunData) -> Section:
    """Instrument times, sizes and image quality beside the paper's."""
    results, plan = run.results, run.plan
    counts = None if results is None else results.counts
    mosaic_s = None if results is None else results.instrument_times.mosaic_s
    tiles, seen = (None, None) if counts is None else (counts.tiles, counts.particles_in_mosaic)
    density = seen / tiles if tiles and seen is not None else None
    rows: list[tuple[str | Cell, ...]] = [
        (
            "mosaic",
            duration(_planned_s(run, "mosaic")),
            duration(mosaic_s),
            "under 1 min",
            _goal(mosaic_s, lambda v: v < paper.MOSAIC_LIMIT_S),
        )
    ]
    rows += [
        (
            f"scan of {name}",
            duration(_planned_s(run, name)),
            duration(time),
            "under 5 min",
            _goal(time, lambda v: v < paper.SCAN_LIMIT_S),
        )
        for name, time in scan_times(run).items()
    ]
    planned_s = None if plan is None else plan.total_s
    total_s = None if results is None else results.instrument_times.total_s
    expected = None if plan is None else plan.particles_in_mosaic
    rows += [
        ("whole run", duration(planned_s), duration(total_s), MISSING, MISSING),
        ("radiographs in the mosaic", MISSING, text(tiles), f"{paper.TILES}", _goal(tiles, lambda v: v == paper.TILES)),
        (
            "particles in the mosaic",
            text(expected),
            text(seen),
            "over 1000",
            _goal(seen, lambda v: v > paper.PARTICLES_IN_MOSAIC),
        ),
        ("particles per radiograph", MISSING, figure(density), f"about {paper.PARTICLES_PER_TILE}", MISSING),
        (
            "projections per scan",
            text(None if plan is None else plan.projections),
            text(_projections(run)),
            f"{paper.PROJECTIONS}",
            MISSING,
        ),
        ("SNR, mean of the scans", MISSING, figure(mean_snr(run)), f"{paper.SNR}", MISSING),
        (
            "mean transmission",
            MISSING,
            percent(_mean([region.quality.transmission_mean for region in run.regions]), 2),
            percent(paper.TRANSMISSION, 2),
            MISSING,
        ),
        (
            "transmission of the darkest view",
            MISSING,
            percent(_mean([region.quality.transmission_darkest_view for region in run.regions]), 2),
            MISSING,
            MISSING,
        ),
    ]
    return Section(
        "times",
        "Instrument beside the paper’s",
        (
            f"Times are the instrument’s own. The paper is {paper.CITATION}; its limits are goals, its other figures "
            "are there to compare.",
        ),
        (table(("", "planned", "this run", "paper", "met"), rows),),
    )


def scan_times(run: RunData) -> dict[str, float]:
    """Instrument time of each scan in s."""
    return {} if run.results is None else run.results.instrument_times.scan_s


def mean_snr(run: RunData) -> float | None:
    """Mean SNR of the regions that state it."""
    return _mean([region.quality.snr for region in run.regions])


def _mean(stated: list[float | None]) -> float | None:
    found = [value for value in stated if value is not None]
    return fmean(found) if found else None


def _goal(value: float | None, reached: Callable[[float], bool]) -> Cell:
    return met(None if value is None else reached(value))


def _planned_s(run: RunData, stage: str) -> float | None:
    """Planned instrument time of a stage."""
    planned = None if run.plan is None else run.plan.stage(stage)
    return None if planned is None else planned.seconds


def _projections(run: RunData) -> int | None:
    """Projections of a scan: as the results count them, otherwise as the frames on disk number them."""
    if run.results is not None:
        return run.results.counts.projections
    by_region = [(run.folder / "frames" / region.name).glob("proj_*.tif") for region in run.regions]
    # Several attempts of a frame share its name up to the first dot.
    frames = [{path.name.partition(".")[0] for path in paths} for paths in by_region]
    return max(map(len, frames), default=0) or None
