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


def words_of(name: str) -> str:
    """A name as words without its unit: ``diameter_error_percent_median`` -> ``diameter error, median``."""
    return _split(name)[0]


def heading_of(name: str) -> str:
    """A name as a heading with its unit: ``diameter_error_percent_median`` -> ``diameter error (%), median``."""
    for ending, unit in _UNITS:
        if name.endswith(ending) and name != ending:
            return f"{name.removesuffix(ending).replace('_', ' ')} ({unit})"
        before, found, after = name.partition(f"{ending}_")
        if found and before:
            return f"{before} ({unit}), {after}".replace("_", " ")
    return name.replace("_", " ")


def _split(name: str) -> tuple[str, str]:
    for ending, unit in _UNITS:
        if name.endswith(ending) and name != ending:
            return name.removesuffix(ending).replace("_", " "), unit
        before, found, after = name.partition(f"{ending}_")
        if found and before:
            return f"{before}, {after}".replace("_", " "), unit
    return name.replace("_", " "), ""
