"""Attenuation read from xraydb's tables is xraydb's own, and does not wait for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import xraydb

from xrm_control.core.attenuation import attenuation_per_cm

FORMULAS = ["LiNi0.8Mn0.1Co0.1O2", "LiNi0.6Mn0.2Co0.2O2", "H2O", "C22H10N2O5", "Si", "Pb", "Mn(SO4)2(H2O)7", "water"]


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("energy_ev", [150.0, 5411.0, 8047.8, 8333.0, 25_000.0, 700_000.0])
def test_it_is_what_xraydb_says(formula: str, energy_ev: float) -> None:
    expected = xraydb.material_mu(formula, energy_ev, density=3.5)
    assert attenuation_per_cm(formula, energy_ev, 3.5) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("formula", ["Xx2", "nothing", "Li-O", "0"])
def test_what_is_no_formula_is_refused(formula: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        attenuation_per_cm(formula, 8000.0, 1.0)


def test_a_formula_does_not_wait_for_xraydb() -> None:
    code = (
        "from xrm_control.core.attenuation import attenuation_per_cm as mu; mu('LiO2', 8e3, 1.0);"
        "import sys; sys.exit('xraydb' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True)
