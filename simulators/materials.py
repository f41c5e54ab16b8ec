"""Linear attenuation from tabulated data (package xraydb, Elam tables)."""

from __future__ import annotations

from dataclasses import dataclass

ENERGY_KEV = 5.4


@dataclass(frozen=True)
class Material:
    """A homogeneous substance at one photon energy; mu_per_um is its linear attenuation coefficient in 1/um."""

    name: str
    formula: str
    density_g_cm3: float
    energy_kev: float
    mu_per_um: float


_FORMULAS: dict[str, tuple[str, float]] = {
    "nmc811": ("LiNi0.8Mn0.1Co0.1O2", 4.78),
    "nmc622": ("LiNi0.6Mn0.2Co0.2O2", 4.78),
    "lfp": ("LiFePO4", 3.60),
    "silicon": ("Si", 2.329),
    "metal": ("Al89.6Si10Mg0.4", 2.67),
    "kapton": ("C22H10N2O5", 1.42),
    "graphite": ("C", 2.2),
    "binder": ("C2H2F2", 1.78),
}
# In 1/cm at ENERGY_KEV, as xraydb has them.
_MU_PER_CM = {
    "nmc811": 458.04979261381385,
    "nmc622": 438.5307595985185,
    "kapton": 28.729520413321552,
    "lfp": 363.6246976074074,
    "silicon": 460.295654035316,
    "metal": 426.78070580806144,
    "graphite": 33.23245451239695,
    "binder": 64.87147589549167,
}


def material(name: str, energy_kev: float = ENERGY_KEV) -> Material:
    """The material of that name (a powder's or one of those beside it) at an energy; ValueError for an unknown name."""
    if name not in _FORMULAS:
        raise ValueError(f"unknown material {name!r}; known: {', '.join(sorted(_FORMULAS))}")
    formula, density = _FORMULAS[name]
    mu_per_cm = _MU_PER_CM[name] if energy_kev == ENERGY_KEV else _from_xraydb(formula, density, energy_kev)
    return Material(name, formula, density, energy_kev, mu_per_cm * 1e-4)


def _from_xraydb(formula: str, density_g_cm3: float, energy_kev: float) -> float:
    """In 1/cm; its import takes half a second, for which a process that serves the instrument must not wait."""
    import xraydb

    return float(xraydb.material_mu(formula, energy_kev * 1000.0, density=density_g_cm3))
