"""The first screen: is the run good, and what came out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xrm_control.reporting import paper
from xrm_control.reporting.formatting import MISSING, dig, duration, figure, items, mapping, number, text
from xrm_control.reporting.radii import whole
from xrm_control.reporting.run_data import RunData
from xrm_control.reporting.sections.instrument import mean_quality, scan_times


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
    doubts = tuple(_doubts(run)) if status == "complete" else ()
    if doubts:
        return Verdict("incomplete", False, (*reasons, *doubts))
    return Verdict(text(status), status == "complete", reasons)


def _doubts(run: RunData) -> Iterator[str]:
    """Why a run that calls itself complete is not believed."""
    if run.problems:
        yield "the run calls itself complete, but parts of it are missing (below)"
    for region in run.regions:
        missing = number(dig(region.quality, "frames", "missing"))
        if missing:
            yield f"the run calls itself complete, but {figure(int(missing))} frames of {region.name} are missing"


def headlines(run: RunData) -> tuple[Headline, ...]:
    """The numbers an operator asks for first."""
    counts = mapping(run.results, "counts")
    scans = scan_times(run)
    measured = len(run.particles)
    found = (
        Headline(text(counts.get("particles_in_mosaic")), "particles in the mosaic", "paper: over 1000"),
        Headline(text(counts.get("rois", len(run.regions))), "regions", "paper: 4 (NMC811), 1 (NMC622)"),
        Headline(
            text(counts.get("whole_particles", int(whole(run.particles).sum()))),
            "whole particles measured",
            f"of {text(counts.get('particles', measured))} with the cut ones",
        ),
        Headline(text(counts.get("voids", len(run.voids))), "voids", ""),
        Headline(duration(dig(run.results, "instrument_times", "mosaic_s")), "mosaic", "paper: under 1 min"),
        Headline(duration(max(scans.values(), default=None)), "longest scan", "paper: under 5 min"),
        Headline(figure(mean_quality(run, "snr")), "SNR, mean of the scans", f"paper: {paper.SNR}"),
    )
    return tuple(item for item in found if item.value != MISSING)
