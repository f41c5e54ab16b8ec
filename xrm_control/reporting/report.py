"""The report: one HTML page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from xrm_control.core.errors import DataError, StorageError
from xrm_control.core.rehearsal import REHEARSAL_BACKEND
from xrm_control.reporting.formatting import utc_text
from xrm_control.reporting.pages import page
from xrm_control.reporting.run_data import Beside, RunData, read_run
from xrm_control.reporting.sections.accuracy import accuracy_section
from xrm_control.reporting.sections.findings import findings
from xrm_control.reporting.sections.instrument import beside_paper
from xrm_control.reporting.sections.particles import particles_section
from xrm_control.reporting.sections.population import distributions_section, statistics_section, table1_section
from xrm_control.reporting.sections.provenance import provenance_section, quality_section
from xrm_control.reporting.sections.regions import axes_section, mosaic_section, region_views
from xrm_control.reporting.sections.shape import radii_section, roughness_section, sample_of
from xrm_control.reporting.sections.summary import headlines, incidents, lot, pauses, reanalysis, verdict
from xrm_control.reporting.sections.trust import evidence_pictures, trust_section


def build_report(run: Path, beside: Beside | None = None, doubts: Sequence[str] = ()) -> str:
    """The report on a run folder as one self-contained HTML page: no scripts needed, no network, images inside.

    run: a run folder, finished or not; what is missing or unreadable in it is named on the page. beside: a re-analysis
    in it, that the page is of. doubts: what else is wrong with its files, in a sentence each.
    Raises DataError only when `run` is not the folder of a run at all. The same folder gives the same text.
    """
    data = read_run(run, beside)
    return render(replace(data, problems=(*doubts, *data.problems)))


def render(run: RunData) -> str:
    """The page for a run as read. Volumes stay in their files: one that fails at a look is named, and left out."""
    while True:
        try:
            return _page(run)
        except (DataError, StorageError) as error:
            less = run.without(error)
            if less is None:
                raise
            run = less


def _page(run: RunData) -> str:
    sample = sample_of(run)
    sections = [
        section
        for section in (
            trust_section(run),
            radii_section(run, sample),
            roughness_section(run, sample),
            distributions_section(run),
            statistics_section(run),
            particles_section(run),
            quality_section(run),
            accuracy_section(run),
            axes_section(),
            provenance_section(run),
        )
        if section is not None
    ]
    return page(
        "report.html",
        title=run.folder.name if run.results is None else run.results.run,
        recipe_name=None if run.results is None else run.results.recipe_name,
        started=None if run.results is None else utc_text(run.results.started_utc),
        simulated=run.results is not None and run.results.simulated,
        rehearsal=run.results is not None and run.results.backend == REHEARSAL_BACKEND,
        verdict=verdict(run),
        evidence=evidence_pictures(run),
        pauses=pauses(run),
        incidents=incidents(run),
        reanalysis=reanalysis(run),
        lot=lot(run),
        findings=findings(run),
        headlines=headlines(run),
        problems=run.problems,
        not_measured=run.not_measured,
        opening=(mosaic_section(run), beside_paper(run), table1_section(run)),
        regions=region_views(run),
        sections=sections,
    )
