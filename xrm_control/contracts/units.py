"""Names carry their units; this is the one place that knows which ending means which unit."""

from __future__ import annotations

_UNITS = (
    ("_per_um", "1/µm"),
    ("_um3", "µm³"),
    ("_um2", "µm²"),
    ("_um", "µm"),
    ("_px", "px"),
    ("_deg", "°"),
    ("_kev", "keV"),
    ("_percent", "%"),
    ("_g_cm3", "g/cm³"),
    ("_gy", "Gy"),
    ("_s", "s"),
)


def unit_of(name: str) -> str:
    """The unit that a name states, also before `_u`, a place or a kind of average; "" for a pure number.

    ``volume_um3`` and ``volume_um3_u``: µm³; ``diameter_error_percent_median``: %.
    """
    return _split(name)[1]


def heading_of(name: str) -> str:
    """A name as a heading with its unit: ``diameter_error_percent_median`` -> ``diameter error (%), median``."""
    before, unit, after = _split(name)
    return f"{before}{f' ({unit})' if unit else ''}{f', {after}' if after else ''}"


def _split(name: str) -> tuple[str, str, str]:
    """In words what stands before the unit, the unit, and in words what stands after it."""
    for ending, unit in _UNITS:
        if name.endswith(ending) and name != ending:
            return name.removesuffix(ending).replace("_", " "), unit, ""
        before, found, after = name.partition(f"{ending}_")
        if found and before:
            return before.replace("_", " "), unit, after.replace("_", " ")
    return name.replace("_", " "), "", ""
