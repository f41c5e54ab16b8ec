"""The instrument's times and the images' quality beside the plan's and the paper's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from statistics import fmean

from xrm_control.reporting import paper
from xrm_control.reporting.formatting import MISSING, dig, duration, figure, items, mapping, number, percent, text
from xrm_control.reporting.run_data import RunData
from xrm_control.reporting.sections.components import Cell, Section, met, table


def beside_paper(run: RunData) -> Section:
    """Instrument times, sizes and image quality beside the paper's."""
    counts = mapping(run.results, "counts")
    mosaic_s = number(dig(run.results, "instrument_times", "mosaic_s"))
    tiles, seen = number(counts.get("tiles")), number(counts.get("particles_in_mosaic"))
    density = seen / tiles if tiles and seen is not None else None
    planned = _planned_s(run)
    rows: list[tuple[str | Cell, ...]] = [
        (
            "mosaic",
            duration(planned.get("mosaic")),
            duration(mosaic_s),
            "under 1 min",
            _goal(mosaic_s, lambda v: v < paper.MOSAIC_LIMIT_S),
        )
    ]
    rows += [
        (
            f"scan of {name}",
            duration(planned.get(name)),
            duration(time),
            "under 5 min",
            _goal(time, lambda v: v < paper.SCAN_LIMIT_S),
        )
        for name, time in scan_times(run).items()
    ]
    total_s = number(dig(run.results, "instrument_times", "total_s"))
    seen_text, tiles_text = text(counts.get("particles_in_mosaic")), text(counts.get("tiles"))
    expected = text(dig(run.plan, "particles_in_mosaic"))
    rows += [
        ("whole run", duration(planned.get("")), duration(total_s), MISSING, MISSING),
        ("radiographs in the mosaic", MISSING, tiles_text, f"{paper.TILES}", _goal(tiles, lambda v: v == paper.TILES)),
        (
            "particles in the mosaic",
            expected,
            seen_text,
            "over 1000",
            _goal(seen, lambda v: v > paper.PARTICLES_IN_MOSAIC),
        ),
        ("particles per radiograph", MISSING, figure(density), f"about {paper.PARTICLES_PER_TILE}", MISSING),
        (
            "projections per scan",
            text(dig(run.plan, "projections")),
            text(_projections(run)),
            f"{paper.PROJECTIONS}",
            MISSING,
        ),
        ("SNR, mean of the scans", MISSING, figure(mean_quality(run, "snr")), f"{paper.SNR}", MISSING),
        (
            "mean transmission",
            MISSING,
            percent(mean_quality(run, "transmission_mean"), 2),
            percent(paper.TRANSMISSION, 2),
            MISSING,
        ),
        (
            "transmission of the darkest view",
            MISSING,
            percent(mean_quality(run, "transmission_darkest_view"), 2),
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
    times = mapping(run.results, "instrument_times", "scan_s")
    return {name: value for name, raw in times.items() if (value := number(raw)) is not None}


def mean_quality(run: RunData, key: str) -> float | None:
    """Mean of a quality figure over the regions that state it."""
    found = [value for region in run.regions if (value := number(region.quality.get(key))) is not None]
    return fmean(found) if found else None


def _goal(value: float | None, reached: Callable[[float], bool]) -> Cell:
    return met(None if value is None else reached(value))


def _planned_s(run: RunData) -> dict[str, float]:
    """Planned instrument time by stage, the whole run's under the empty name."""
    stages = [stage for stage in items(run.plan, "stages") if isinstance(stage, Mapping)]
    raw = {str(stage.get("name")): number(stage.get("seconds")) for stage in stages}
    raw[""] = number(dig(run.plan, "total_s"))
    return {name: value for name, value in raw.items() if value is not None}


def _projections(run: RunData) -> int | None:
    """Projections of a scan: as the results count them, otherwise as the frames on disk number them."""
    stated = number(dig(run.results, "counts", "projections"))
    if stated is not None:
        return int(stated)
    by_region = [(run.folder / "frames" / region.name).glob("proj_*") for region in run.regions]
    numbers = [{match[1] for path in paths if (match := re.match(r"proj_(\d+)", path.name))} for paths in by_region]
    return max(map(len, numbers), default=0) or None
