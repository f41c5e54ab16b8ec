"""Attenuation of X-rays by chemical formulas, from the tables of xraydb (Elam, Ravel and Sieber, 2002).

xraydb itself takes a second to import; its data base answers at once. What it alone understands is left to it.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

_PART = re.compile(r"([A-Z][a-z]?)(\d+(?:\.\d*)?)?")
_FLAT = re.compile(rf"(?:{_PART.pattern})+")
_TABLES = (
    ("photoabsorption", "log_photoabsorption"),
    ("scattering", "log_coherent_scatter"),
    ("scattering", "log_incoherent_scatter"),
)


def attenuation_per_cm(formula: str, energy_ev: float, density_g_cm3: float) -> float:
    """Linear attenuation in 1/cm: photoabsorption, coherent and incoherent scattering.

    formula: as LiNi0.8Mn0.1Co0.1O2, or whatever else xraydb takes. Raises ValueError for what is none.
    """
    if _FLAT.fullmatch(formula):
        found = _from_tables(formula, energy_ev)
        if found is not None:
            return density_g_cm3 * found
    if not formula:
        raise ValueError("it is empty")
    import xraydb  # pyright: ignore[reportMissingTypeStubs]

    mu_per_cm: Any = xraydb.material_mu  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return float(mu_per_cm(formula, energy_ev, density=density_g_cm3))


def _from_tables(formula: str, energy_ev: float) -> float | None:
    """Mass attenuation in cm2/g; None where an element is not in the tables."""
    package = importlib.util.find_spec("xraydb")
    places = package.submodule_search_locations if package is not None else None
    if not places:
        return None
    mass, mu = 0.0, 0.0
    connection = sqlite3.connect(f"{(Path(places[0]) / 'xraydb.sqlite').as_uri()}?mode=ro", uri=True)
    try:
        for symbol, number in _PART.findall(formula):
            row = connection.execute("SELECT molar_mass FROM elements WHERE element = ?", (symbol,)).fetchone()
            if row is None:
                return None
            part = float(number or 1) * float(row[0])
            mass += part
            mu += part * sum(_cross_sections(connection, symbol, energy_ev))
    except (sqlite3.Error, TypeError, ValueError):
        # Another version of the data base: its own reader knows it.
        return None
    finally:
        connection.close()
    return mu / mass if mass > 0 else None


def _cross_sections(connection: sqlite3.Connection, symbol: str, energy_ev: float) -> Iterator[float]:
    """In cm2/g, by cubic splines of the logarithms with tabulated second derivatives."""
    x = float(np.log(np.clip(energy_ev, 100.0, 8.0e5)))
    for table, column in _TABLES:
        query = f"SELECT log_energy, {column}, {column}_spline FROM {table} WHERE element = ?"
        grid, values, bends = (np.array(json.loads(text)) for text in connection.execute(query, (symbol,)).fetchone())
        low = max(int(np.searchsorted(grid, x)) - 1, 0)
        high = min(int(np.searchsorted(grid, x, "right")), len(grid) - 1)
        step = grid[high] - grid[low]
        a, b = (grid[high] - x) / step, (x - grid[low]) / step
        curve = step**2 / 6 * ((a**2 - 1) * a * bends[low] + (b**2 - 1) * b * bends[high])
        yield float(np.exp(a * values[low] + b * values[high] + curve))
