"""By what the particles of a population count, and why, in one line."""

from __future__ import annotations

from xrm_control.contracts.population import Weighting


def weights_line(weighting: Weighting | None) -> str:
    """Of a population; "" where it is one region's own, or of before the weights were told."""
    if weighting is None:
        return ""
    if weighting.kind == "border":
        return f"Weights: the field's border alone, so the choice of regions may show in them: {weighting.reason}."
    line = f"Weights: the field's border and {weighting.classes} size classes of the mosaic"
    if weighting.reason:
        return f"{line}, and yet the choice of regions may show: {weighting.reason}."
    if weighting.volume_reason:
        return f"{line}, so that the choice of regions does not show, but in D by volume: {weighting.volume_reason}."
    return f"{line}, so that the choice of regions does not show."
