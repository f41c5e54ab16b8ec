"""Which voids this run could have found: those of known size that were put into its volumes."""

from __future__ import annotations

from xrm_control.contracts.quality import VoidDetection
from xrm_control.reporting.formatting import figure, percent
from xrm_control.reporting.run_data import RunData
from xrm_control.reporting.sections.components import Cell, Table, table

_TELLING = 0.01
_HEADINGS = ("void put in, diameter (µm)", "found", "probability, 95 %, of the single regions")


def detection_table(run: RunData) -> tuple[Table, ...]:
    """One row a size; larger ones than those of which all were found are not tried. None where nobody tried."""
    sizes: dict[str, list[VoidDetection]] = {}
    for one in sorted((one for region in run.regions for one in region.quality.void_detection), key=_diameter):
        sizes.setdefault(figure(one.diameter_um, 3), []).append(one)
    rows: list[tuple[str | Cell, ...]] = [
        (
            size,
            f"{sum(one.found for one in tried)} of {sum(one.tried for one in tried)}",
            f"{100 * min(one.low for one in tried):.0f} to {100 * max(one.high for one in tried):.0f} %",
        )
        for size, tried in sizes.items()
    ]
    return (table(_HEADINGS, rows),) if rows else ()


def detection_line(run: RunData) -> str:
    """From which size on nine of ten were found, in the worst region; empty where nobody tried."""
    stated = [region.quality.void_pod_90_um for region in run.regions if region.quality.void_detection]
    if not stated:
        return ""
    into = "Voids were put into the volumes, at random places behind walls of two voxels and more, and looked for"
    known = [one for one in stated if one is not None]
    if len(known) < len(stated):
        return f"{into}: in some region nine of ten were found of no size that fits into its particles."
    return f"{into}: nine of ten were found from {figure(max(known), 2)} µm on.{_averaged(run)}"


def _averaged(run: RunData) -> str:
    """What rays of few photons cost: those are averaged before the volume is made, voids put into it are not."""
    most = max(run.regions, key=lambda region: region.quality.averaged_fraction or 0.0).quality
    if (most.averaged_fraction or 0.0) < _TELLING or most.averaged_width_px is None:
        return ""
    return (
        f" So few photons passed {percent(most.averaged_fraction)} of the rays that they were averaged over "
        f"{figure(most.averaged_width_px, 2)} pixels: across those views real voids are blurred a little more."
    )


def _diameter(one: VoidDetection) -> float:
    return one.diameter_um
