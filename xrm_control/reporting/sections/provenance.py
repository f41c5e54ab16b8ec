"""What the numbers rest on: frame accounting, quality by region, and provenance."""

from __future__ import annotations

from xrm_control.contracts.headings import heading
from xrm_control.contracts.outcomes import FrameOutcomes
from xrm_control.contracts.quality import FrameCounts
from xrm_control.core.version import version_of
from xrm_control.reporting.formatting import MISSING, duration, figure, percent, text
from xrm_control.reporting.run_data import RunData
from xrm_control.reporting.sections.components import Cell, Section, table
from xrm_control.reporting.sections.instrument import scan_times

_PACKAGES = ("xrm_control", "numpy", "tifffile", "matplotlib", "jinja2")
MOST_HASHES = 6


def quality_section(run: RunData) -> Section:
    """Per region: image quality, and what became of every planned frame."""
    quality: list[tuple[str | Cell, ...]] = []
    frames: list[tuple[str | Cell, ...]] = []
    counted: list[FrameCounts] = []
    times = scan_times(run)
    for region in run.regions:
        of = region.quality
        quality.append(
            (
                region.name,
                figure(of.snr),
                percent(of.transmission_mean),
                percent(of.opaque_fraction),
                figure(of.rotation_axis_px, 5),
                figure(of.threshold_per_um),
                duration(times.get(region.name)),
            )
        )
        if of.frames is not None:
            counted.append(of.frames)
        frames.append((region.name, *_fate(of.frames)))
    if len(frames) > 1:
        total = FrameCounts(
            kept=sum(one.kept for one in counted),
            retaken=sum(one.retaken for one in counted),
            missing=sum(one.missing for one in counted),
        )
        frames.append(("all", *_fate(total)))
    outcomes = {} if run.results is None else run.results.frames
    fates = [(kind, *_outcomes(one)) for kind, one in outcomes.items()]
    if fates:
        fates.append(("all", *_outcomes(sum(outcomes.values(), FrameOutcomes()))))
    head = ("region", "SNR", "transmission", "opaque pixels", "rotation axis (px)", "threshold (1/µm)", "scan time")
    tables = (table(head, quality), table(("region", "frames kept", "retaken", "missing"), frames)) if quality else ()
    if fates:
        tables += (table(("frames", "planned", "kept at once", "kept when retaken", "missing", "not reached"), fates),)
    lead = (
        "SNR: mean inside the particles minus mean of the background in the powder layer, over that background’s "
        "standard deviation, in the volume. Every planned frame has one outcome, and their sum is the plan.",
    )
    return Section("quality", "Quality and frames", lead if quality else ("No region was scanned.",), tables)


def provenance_section(run: RunData) -> Section:
    """Recipe, hashes and versions; `extra["recipe"]` is the recipe's text."""
    results = run.results
    about: list[tuple[str | Cell, ...]] = [("run", text(run.folder.name if results is None else results.run))]
    if results is not None:
        about += [
            ("recipe", text(results.recipe_name)),
            ("SHA-256 of the recipe", text(results.recipe_sha256)),
            ("instrument backend", text(results.backend)),
            ("started", text(results.started_utc)),
        ]
        if results.chain is not None:
            about.append((f"chain of the journal's first {results.chain.rows} rows", text(results.chain.sha256)))
        about += [(f"sample {heading(key)}", text(value)) for key, value in results.sample]
        about += [(f"version of {name}", text(value)) for name, value in results.versions.items()]
    about.append(("report written with", ", ".join(_versions())))
    hashes: list[tuple[str | Cell, ...]] = []
    for region in run.regions:
        digests = [] if region.handoff is None else list(region.handoff.inputs.items())
        shown = [item for item in digests if not item[0].startswith("frames/")][:MOST_HASHES]
        hashes += [(region.name, name, digest) for name, digest in shown]
        if len(digests) > len(shown):
            hashes.append((region.name, f"{len(digests) - len(shown)} frames and others", "in handoff.json"))
    tables = (table(("", ""), about),) + ((table(("region", "input", "SHA-256"), hashes),) if hashes else ())
    return Section("provenance", "Provenance", (), tables, (), (), {"recipe": run.recipe})


def _outcomes(one: FrameOutcomes) -> tuple[str | Cell, ...]:
    missing, left = (Cell(text(count), "bad" if count else "") for count in (one.missing, one.not_reached))
    return text(one.planned), text(one.kept), text(one.retaken), missing, left


def _fate(frames: FrameCounts | None) -> tuple[str | Cell, ...]:
    if frames is None:
        return (MISSING, MISSING, MISSING)
    return text(frames.kept), text(frames.retaken), Cell(text(frames.missing), "bad" if frames.missing else "")


def _versions() -> list[str]:
    return [f"{name} {found}" for name in _PACKAGES if (found := version_of(name)) is not None]
