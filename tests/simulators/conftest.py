"""Specimens that several tests look at."""

import pytest

from simulators.powder import make_specimen
from simulators.specimen import Specimen, SpecimenConfig


@pytest.fixture(scope="session")
def nmc811() -> Specimen:
    return make_specimen(SpecimenConfig("nmc811"), seed=1)


@pytest.fixture(scope="session")
def nmc622() -> Specimen:
    return make_specimen(SpecimenConfig("nmc622"), seed=1)
