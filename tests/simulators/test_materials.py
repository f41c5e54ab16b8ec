import math

import pytest
import xraydb

from simulators.materials import ENERGY_KEV, material


@pytest.mark.parametrize(("name", "mu_per_cm"), [("nmc811", 458.0), ("nmc622", 439.0), ("kapton", 28.7)])
def test_attenuation_at_the_instruments_energy_is_the_tabulated_one(name: str, mu_per_cm: float) -> None:
    assert material(name).mu_per_um * 1e4 == pytest.approx(mu_per_cm, rel=2e-3)


@pytest.mark.parametrize("name", ["nmc811", "nmc622", "kapton", "lfp", "silicon", "metal"])
def test_what_is_written_down_is_what_xraydb_says(name: str) -> None:
    known = material(name)
    found = xraydb.material_mu(known.formula, ENERGY_KEV * 1e3, density=known.density_g_cm3)
    assert known.mu_per_um == pytest.approx(float(found) * 1e-4, rel=1e-12)


def test_42_um_of_nmc811_let_14_to_15_percent_through() -> None:
    assert 0.14 < math.exp(-42.0 * material("nmc811").mu_per_um) < 0.15


def test_harder_radiation_is_attenuated_less() -> None:
    assert material("nmc811", 8.0).mu_per_um < material("nmc811", 5.4).mu_per_um


def test_unknown_material_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"unobtainium.*nmc811"):
        material("unobtainium")


@pytest.mark.parametrize(
    ("name", "mass_cm2_g"),
    [
        # Interpolated in log-log between 5 and 6 keV of NIST's tables (Hubbell and Seltzer, NISTIR 5632):
        # Si 245.0 and 147.0 cm2/g, Al 193.4 and 115.3 cm2/g.
        ("silicon", 197.0),
        ("metal", 159.5),
    ],
)
def test_light_powders_agree_with_another_table(name: str, mass_cm2_g: float) -> None:
    known = material(name)
    assert known.mu_per_um * 1e4 / known.density_g_cm3 == pytest.approx(mass_cm2_g, rel=0.01)
