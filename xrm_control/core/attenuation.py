"""Attenuation of X-rays by chemical formulas, from the tables of xraydb (Elam, Ravel and Sieber, 2002).

xraydb itself takes a second to import; its data base and its list of materials answer at once.
"""

from __future__ import annotations

import importlib.util
import json
import sqlite3
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from xrm_control.core.formula import atoms

_TABLES = (
    ("photoabsorption", "log_photoabsorption"),
    ("scattering", "log_coherent_scatter"),
    ("scattering", "log_incoherent_scatter"),
)
_ENERGIES_EV = (100.0, 8.0e5)
# The tables know one hydrogen.
_SAME_ELEMENT = {"D": "H", "T": "H"}


@lru_cache(maxsize=64)
def attenuation_per_cm(formula: str, energy_ev: float, density_g_cm3: float) -> float:
    """Linear attenuation in 1/cm: photoabsorption, coherent and incoherent scattering.

    formula: as LiNi0.8Mn0.1Co0.1O2, or a material that xraydb has a name for (kapton). Raises ValueError for what is
    neither, and for an energy beyond the tables.
    """
    if not _ENERGIES_EV[0] <= energy_ev <= _ENERGIES_EV[1]:
        low, high = (energy / 1000 for energy in _ENERGIES_EV)
        raise ValueError(f"the tables cover {low:g} to {high:g} keV, not {energy_ev / 1000:g}")
    composition = atoms(_materials().get(formula.strip().lower(), formula))
    found = _from_tables(composition, energy_ev)
    if found is None:
        import xraydb  # pyright: ignore[reportMissingTypeStubs]

        # Another version of the data base: its own reader knows it.
        plain = "".join(f"{symbol}{number:.12f}" for symbol, number in composition.items())
        mu_per_cm: Any = xraydb.material_mu  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return float(mu_per_cm(plain, energy_ev, density=density_g_cm3))
    return density_g_cm3 * found


def _package() -> Path | None:
    """Where xraydb is installed."""
    package = importlib.util.find_spec("xraydb")
    places = package.submodule_search_locations if package is not None else None
    return Path(places[0]) if places else None


def _materials() -> dict[str, str]:
    """Formulas by the names that materials have, in small letters."""
    package = _package()
    if package is None or not (package / "materials.dat").is_file():
        return {}
    found: dict[str, str] = {}
    for line in (package / "materials.dat").read_text(encoding="utf-8").splitlines():
        name, *facts = (part.strip() for part in line.partition("#")[0].split("|"))
        if len(facts) == 3:
            found[name.lower()] = facts[-1]
    return found


def _from_tables(composition: Mapping[str, float], energy_ev: float) -> float | None:
    """Mass attenuation in cm2/g; None where the data base is not as expected. ValueError for an unknown element."""
    package = _package()
    if package is None:
        return None
    mass, mu = 0.0, 0.0
    connection = sqlite3.connect(f"{(package / 'xraydb.sqlite').as_uri()}?mode=ro", uri=True)
    try:
        for name, number in composition.items():
            symbol = _SAME_ELEMENT.get(name, name)
            row = connection.execute("SELECT molar_mass FROM elements WHERE element = ?", (symbol,)).fetchone()
            if row is None:
                raise ValueError(f"'{name}' is no element of the tables")
            part = number * float(row[0])
            mass += part
            mu += part * sum(_cross_sections(connection, symbol, energy_ev))
    except (sqlite3.Error, TypeError, KeyError):
        return None
    finally:
        connection.close()
    return mu / mass


def _cross_sections(connection: sqlite3.Connection, symbol: str, energy_ev: float) -> Iterator[float]:
    """In cm2/g, by cubic splines of the logarithms with tabulated second derivatives."""
    x = float(np.log(energy_ev))
    for table, column in _TABLES:
        query = f"SELECT log_energy, {column}, {column}_spline FROM {table} WHERE element = ?"
        row = connection.execute(query, (symbol,)).fetchone()
        if row is None:
            raise ValueError(f"the tables have no cross-sections of '{symbol}'")
        grid, values, bends = (np.array(json.loads(text)) for text in row)
        low = max(int(np.searchsorted(grid, x)) - 1, 0)
        high = min(int(np.searchsorted(grid, x, "right")), len(grid) - 1)
        step = grid[high] - grid[low]
        a, b = (grid[high] - x) / step, (x - grid[low]) / step
        curve = step**2 / 6 * ((a**2 - 1) * a * bends[low] + (b**2 - 1) * b * bends[high])
        yield float(np.exp(a * values[low] + b * values[high] + curve))
