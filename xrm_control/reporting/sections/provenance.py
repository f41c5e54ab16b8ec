"""What the numbers rest on: frame accounting, quality by region, and provenance."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from xrm_control.reporting.formatting import dig, duration, field_label, figure, mapping, number, percent, text
from xrm_control.reporting.run_data import RunData
from xrm_control.reporting.sections.components import Cell, Section, flatten, table

_PACKAGES = ("xrm_control", "numpy", "tifffile", "matplotlib", "jinja2")
_DOCUMENTS = {
    "recipe_name": "recipe",
    "recipe_sha256": "SHA-256 of the recipe",
    "backend": "instrument backend",
    "started_utc": "started",
}
MOST_HASHES = 6


def quality_section(run: RunData) -> Section:
    """Per region: image quality, and what became of every planned frame."""
    quality: list[tuple[str | Cell, ...]] = []
    frames: list[tuple[str | Cell, ...]] = []
    totals: dict[str, float] = {}
    for region in run.regions:
        of = region.quality
        quality.append(
            (
                region.name,
                figure(of.get("snr")),
                percent(of.get("transmission_mean")),
                percent(of.get("opaque_fraction")),
                figure(of.get("rotation_axis_px"), 5),
                figure(of.get("threshold_per_um")),
                duration(dig(run.results, "instrument_times", "scan_s", region.name)),
            )
        )
        outcome = mapping(of, "frames")
        for key in ("kept", "retaken", "missing"):
            totals[key] = totals.get(key, 0) + (number(outcome.get(key)) or 0)
        frames.append(
            (region.name, text(outcome.get("kept")), text(outcome.get("retaken")), _missing(outcome.get("missing")))
        )
    if len(frames) > 1:
        kept, retaken, missing = (int(totals[key]) for key in ("kept", "retaken", "missing"))
        frames.append(("all", text(kept), text(retaken), _missing(missing)))
    head = ("region", "SNR", "transmission", "opaque pixels", "rotation axis (px)", "threshold (1/µm)", "scan time")
    tables = (table(head, quality), table(("region", "frames kept", "retaken", "missing"), frames)) if quality else ()
    lead = (
        "SNR: mean inside the particles minus mean of the background in the powder layer, over that background’s "
        "standard deviation, in the volume. Every planned frame ends as kept, retaken or missing.",
    )
    return Section("quality", "Quality and frames", lead if tables else ("No region was scanned.",), tables)


def provenance_section(run: RunData) -> Section:
    """Recipe, hashes and versions; `extra["recipe"]` is the recipe's text."""
    about: list[tuple[str | Cell, ...]] = [("run", text(dig(run.results, "run") or run.folder.name))]
    about += [(name, text(run.results[key])) for key, name in _DOCUMENTS.items() if key in run.results]
    about += [
        (f"sample {field_label(key)}", text(value)) for key, value in flatten(mapping(run.results, "sample")).items()
    ]
    about += [(f"version of {name}", text(value)) for name, value in mapping(run.results, "versions").items()]
    about.append(("report written with", ", ".join(_versions())))
    hashes: list[tuple[str | Cell, ...]] = []
    for region in run.regions:
        digests = [(str(name), text(digest)) for name, digest in flatten(mapping(region.handoff, "inputs")).items()]
        shown = [item for item in digests if not item[0].startswith("frames/")][:MOST_HASHES]
        hashes += [(region.name, name, digest) for name, digest in shown]
        if len(digests) > len(shown):
            hashes.append((region.name, f"{len(digests) - len(shown)} frames and others", "in handoff.json"))
    tables = (table(("", ""), about),) + ((table(("region", "input", "SHA-256"), hashes),) if hashes else ())
    return Section("provenance", "Provenance", (), tables, (), (), {"recipe": run.recipe})


def _missing(value: Any) -> Cell:
    count = number(value)
    return Cell(text(value), "bad" if count else "")


def _versions() -> list[str]:
    found = []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found
