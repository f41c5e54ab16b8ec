"""The first screen: is the run good, what came out, and how it compares with the paper's instrument."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean

from xrm_control.reporting import paper
from xrm_control.reporting.radii import whole
from xrm_control.reporting.run_data import RunData
from xrm_control.reporting.sections.parts import Cell, Section, met, table
from xrm_control.reporting.values import MISSING, dig, duration, figure, items, mapping, number, percent, text


@dataclass(frozen=True)
class Verdict:
    """The run's verdict as shown: a word, whether it is good, and the reasons."""

    word: str
    good: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Headline:
    """A number in large type, what it counts, and the paper's."""

    value: str
    name: str
    beside: str = ""


def verdict(run: RunData) -> Verdict:
    """What results.json says; without one the run is unfinished, and with parts missing it is not complete."""
    status = dig(run.results, "verdict", "status")
    reasons = tuple(text(reason) for reason in items(run.results, "verdict", "reasons"))
    if not run.has_results:
        return Verdict(
            "unfinished", False, ("there is no results.json: the run is still going, or ended before its end",)
        )
    if status is None:
        return Verdict("unknown", False, ("results.json holds no verdict", *reasons))
    if status == "complete" and run.problems:
        return Verdict(
            "incomplete", False, (*reasons, "the run says it is complete, but parts of it are missing (below)")
        )
    return Verdict(text(status), status == "complete", reasons)


def headlines(run: RunData) -> tuple[Headline, ...]:
    """The numbers an operator asks for first."""
    counts = mapping(run.results, "counts")
    scans = _scan_times(run)
    measured = len(run.particles)
    found = (
        Headline(text(counts.get("particles_in_mosaic")), "particles in the mosaic", "paper: over 1000"),
        Headline(text(counts.get("rois", len(run.regions))), "regions scanned", "paper: 4 (NMC811), 1 (NMC622)"),
        Headline(
            text(counts.get("whole_particles", int(whole(run.particles).sum()))),
            "whole particles measured",
            f"of {text(counts.get('particles', measured))} with the cut ones",
        ),
        Headline(text(counts.get("voids", len(run.voids))), "voids", ""),
        Headline(duration(dig(run.results, "instrument_times", "mosaic_s")), "mosaic", "paper: under 1 min"),
        Headline(duration(max(scans.values(), default=None)), "longest scan", "paper: under 5 min"),
        Headline(figure(_mean(run, "snr")), "SNR, mean of the scans", f"paper: {paper.SNR}"),
    )
    return tuple(item for item in found if item.value != MISSING)


def beside_paper(run: RunData) -> Section:
    """Instrument times, sizes and image quality beside the paper's."""
    counts = mapping(run.results, "counts")
    mosaic_s = number(dig(run.results, "instrument_times", "mosaic_s"))
    tiles, seen = number(counts.get("tiles")), number(counts.get("particles_in_mosaic"))
    density = seen / tiles if tiles and seen is not None else None
    rows: list[tuple[str | Cell, ...]] = [
        (
            "mosaic, instrument time",
            duration(mosaic_s),
            "under 1 min",
            _goal(mosaic_s, lambda v: v < paper.MOSAIC_LIMIT_S),
        ),
        (
            "radiographs in the mosaic",
            text(counts.get("tiles")),
            f"{paper.TILES}",
            _goal(tiles, lambda v: v == paper.TILES),
        ),
        (
            "particles in the mosaic",
            text(counts.get("particles_in_mosaic")),
            "over 1000",
            _goal(seen, lambda v: v > paper.PARTICLES_IN_MOSAIC),
        ),
        ("particles per radiograph", figure(density), f"about {paper.PARTICLES_PER_TILE}", Cell(MISSING)),
    ]
    rows += [
        (
            f"scan of {name}, instrument time",
            duration(time),
            "under 5 min",
            _goal(time, lambda v: v < paper.SCAN_LIMIT_S),
        )
        for name, time in _scan_times(run).items()
    ]
    rows += [
        ("projections per scan", text(_projections(run)), f"{paper.PROJECTIONS}", Cell(MISSING)),
        ("SNR, mean of the scans", figure(_mean(run, "snr")), f"{paper.SNR}", Cell(MISSING)),
        ("mean transmission", percent(_mean(run, "transmission_mean")), percent(paper.TRANSMISSION), Cell(MISSING)),
        (
            "whole run, instrument time",
            duration(dig(run.results, "instrument_times", "total_s")),
            MISSING,
            Cell(MISSING),
        ),
    ]
    planned = _planned_s(run)
    if planned is not None:
        rows.append(("whole run, planned", duration(planned), MISSING, Cell(MISSING)))
    return Section(
        "times",
        "Instrument beside the paper’s",
        (f"The paper is {paper.CITATION}. Its limits are goals; its other figures are there to compare.",),
        (table(("", "this run", "paper", "within"), rows),),
    )


def _scan_times(run: RunData) -> dict[str, float]:
    times = mapping(run.results, "instrument_times", "scan_s")
    return {name: value for name, raw in times.items() if (value := number(raw)) is not None}


def _mean(run: RunData, key: str) -> float | None:
    found = [value for region in run.regions if (value := number(region.quality.get(key))) is not None]
    return fmean(found) if found else None


def _goal(value: float | None, reached: Callable[[float], bool]) -> Cell:
    return met(None if value is None else reached(value))


def _planned_s(run: RunData) -> float | None:
    return number(dig(run.plan, "total_s")) or number(dig(run.plan, "time", "total_s"))


def _projections(run: RunData) -> int | None:
    """Projections of a scan: as the results count them, otherwise as the frames on disk number them."""
    stated = number(dig(run.results, "counts", "projections"))
    if stated is not None:
        return int(stated)
    by_region = [(run.folder / "frames" / region.name).glob("proj_*") for region in run.regions]
    numbers = [{match[1] for path in paths if (match := re.match(r"proj_(\d+)", path.name))} for paths in by_region]
    return max(map(len, numbers), default=0) or None
