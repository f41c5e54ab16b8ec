"""What the mosaic's radiographs add to the voided share, in a line: beside the plain share, never in its place."""

from __future__ import annotations

from xrm_control.contracts.population import DoubleSampling
from xrm_control.reporting.formatting import figure


def radiographs_line(doubled: DoubleSampling | None, *, short: bool = False) -> str:
    """Of a population; "" where it is one region's own, or of before it was estimated. short: for a terminal."""
    if doubled is None:
        return ""
    ends = doubled.interval
    if doubled.value is None or ends is None or ends[0] is None or ends[1] is None:
        return f"The mosaic's radiographs add nothing to the voided share: {doubled.reason}."
    low, high = (f"{100 * end:.1f}" for end in (ends[0], ends[1]))
    stated = f"With the mosaic's radiographs the voided share is {100 * doubled.value:.1f} % [{low}, {high}]"
    like = f"{doubled.n} particles by CT count like {figure(doubled.worth, 3)}"
    if short:
        return f"{stated}; {like}."
    agrees = "" if doubled.correlation is None else f" (agreement r = {figure(doubled.correlation, 2)} within a size)"
    missing = (
        f"of those by CT {doubled.n_without} have no counterpart, of the mosaic's {doubled.n_lost} in the regions "
        f"were not measured whole, and {doubled.n_mosaic - doubled.n_judged} of {doubled.n_mosaic} lie under others or "
        "at the border, so that nothing is said of them"
    )
    return (
        f"{stated}: each particle's radiograph says how likely it is voided, as CT of those in other regions taught"
        f"{agrees}, and the share is put right by how the scanned ones differ from all, which adds no bias whatever "
        f"the radiographs say. {like}. {missing[0].upper()}{missing[1:]}."
    )
