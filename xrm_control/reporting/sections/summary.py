"""The first screen: is the run good, and what came out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xrm_control.core import states
from xrm_control.reporting import paper
from xrm_control.reporting.formatting import MISSING, duration, figure, interval, text
from xrm_control.reporting.lot import lot_mark, lot_why, lot_word
from xrm_control.reporting.radii import whole
from xrm_control.reporting.run_data import RunData
from xrm_control.reporting.sections.components import Cell, Table, table
from xrm_control.reporting.sections.instrument import mean_snr, scan_times


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
    if not run.has_results:
        return Verdict(
            "unfinished", False, ("there is no results.json: the run is still going, or ended before its end",)
        )
    if run.results is None:
        return Verdict("unknown", False, ("results.json cannot be used (below)",))
    stated = run.results.verdict
    complete = stated.status is states.Verdict.COMPLETE
    doubts = tuple(_doubts(run)) if complete or stated.status is states.Verdict.DOUBT else ()
    if doubts:
        return Verdict("incomplete", False, (*stated.reasons, *doubts))
    return Verdict(stated.status, complete, stated.reasons)


def _doubts(run: RunData) -> Iterator[str]:
    """Why a run that calls itself complete is not believed."""
    if run.problems:
        yield "the run calls itself complete, but parts of it are missing (below)"
    for region in run.regions:
        frames = region.quality.frames
        if frames is not None and frames.missing:
            yield f"the run calls itself complete, but {figure(frames.missing)} frames of {region.name} are missing"


def headlines(run: RunData) -> tuple[Headline, ...]:
    """The numbers an operator asks for first."""
    counts = None if run.results is None else run.results.counts
    mosaic_s = None if run.results is None else run.results.instrument_times.mosaic_s
    scans = scan_times(run)
    particles, complete, voids = len(run.particles), int(whole(run.particles).sum()), len(run.voids)
    seen, between, regions = None, None, len(run.regions)
    cut = f"of {text(particles)} with the cut ones"
    if counts is not None:
        particles, complete, voids = counts.particles, counts.whole_particles, counts.voids
        cut = f"of {text(particles)} with the cut ones"
        cut += f"; {text(counts.moved_particles)} moved and left out" if counts.moved_particles else ""
        seen, between, regions = counts.particles_in_mosaic, counts.particles_in_mosaic_between, counts.rois
    uncounted = bool(run.rois and run.rois.mosaic.count_doubt) and between is None
    how_many = "found, but cannot be counted; " if uncounted else ""
    if between is not None:
        how_many = f"between {between[0]} and {between[1]}; "
    found = (
        Headline(text(seen), "particles in the mosaic", f"{how_many}paper: over 1000"),
        Headline(text(regions), "region" if regions == 1 else "regions", "paper: 4 (NMC811), 1 (NMC622)"),
        Headline(text(complete), "whole particles measured", cut),
        Headline(text(voids), "voids", ""),
        Headline(duration(mosaic_s), "mosaic", "paper: under 1 min"),
        Headline(duration(max(scans.values(), default=None)), "longest scan", "paper: under 5 min"),
        Headline(figure(mean_snr(run)), "SNR, mean of the scans", f"paper: {paper.SNR}"),
    )
    return tuple(item for item in found if item.value != MISSING)


@dataclass(frozen=True)
class LotView:
    """The verdict on the lot as shown: a word, how it looks, what speaks against it, and its lines."""

    word: str
    mark: str
    why: tuple[str, ...]
    table: Table


def lot(run: RunData) -> LotView | None:
    """None where the recipe specifies nothing."""
    stated = None if run.results is None else run.results.lot
    if stated is None:
        return None
    rows: list[tuple[str | Cell, ...]] = [
        (
            line.quantity,
            Cell(line.decision, lot_mark(line.decision)),
            figure(line.value),
            interval(line.guard),
            line.limits,
            f"{line.reason}; {line.scope}" if line.scope else line.reason,
        )
        for line in stated.lines
    ]
    head = ("quantity", "decision", "value", "guard band", "specified", "why")
    errors = ", ".join(sorted({f"{line.alpha:.0%} and {line.beta:.0%}" for line in stated.lines}))
    caption = (
        f"Error rates declared: a lot just within is rejected, one just beyond is accepted, in {errors} of cases. The "
        f"guard band is one-sided at either end; from {stated.regions} regions."
    )
    return LotView(lot_word(stated), lot_mark(stated.decision), lot_why(stated), table(head, rows, caption))


def pauses(run: RunData) -> tuple[str, ...]:
    """Where the run was gone on with, and what was found then."""
    stated = () if run.results is None else run.results.pauses
    return tuple(
        f"Paused from {duration(pause.from_s)} to {duration(pause.to_s)} of its time: {'; '.join(pause.found)}"
        for pause in stated
    )


def incidents(run: RunData) -> tuple[str, ...]:
    """What went otherwise than planned, in order of time."""
    stated = () if run.results is None else run.results.incidents
    return tuple(f"{duration(one.t_s)}: {one.text}" for one in stated)


def reanalysis(run: RunData) -> str | None:
    """That the page is of a re-analysis, of what and with which settings; None for a run's own."""
    note = None if run.results is None else run.results.reanalysis
    if run.results is None or note is None:
        return None
    settings = ", ".join(f"{key}={value}" for key, value in note.settings.items()) or "the settings of its recipe"
    chain = "" if run.results.chain is None else f", whose chain is {run.results.chain.sha256}"
    return f"Re-analysis {note.key} of the volumes of run {run.results.run}{chain}, with {settings}"
