"""mosaic_particles.csv: what it adds to the fit's own uncertainties, and where particles can be counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xrm_control.contracts.column import uncertainty
from xrm_control.contracts.mosaic_table import MOSAIC_COLUMNS, MosaicParticle
from xrm_control.contracts.rows import Rows, read_rows
from xrm_control.mosaic.tiles import Mosaic, Registration
from xrm_control.roi.count import Count
from xrm_control.roi.countable import Places
from xrm_control.roi.particles2d import Particle2D
from xrm_control.roi.sightings import Fit2D
from xrm_control.session.mosaic_table import mosaic_table, places_record

FIT = Fit2D("ellipsoid", 0.03, 0.04, 0.05, 12.0, 0.1, 9.0, 0.1, 30.0, 0.2, 0.0, 0.0, 1.0, certain=True)
PARTICLES = (Particle2D(4.0, 4.0, 10.0, 9.0, False, FIT), Particle2D(20.0, 4.0, 6.0, 6.0, True))
PLACES = Places(0.0, 0.0, 8.0, np.array([[0.97, np.nan, 0.4]]), np.ones((1, 3)), np.array([[True, True, False]]))


def read(tmp_path: Path, residual_um: float | None) -> Rows:
    found = Registration(np.eye(2), np.full((2, 2), 1e-3))
    mosaic = Mosaic(np.ones((4, 4), np.float32), 0.0, 0.0, 0.5, np.zeros((1, 2)), residual_um, found)
    path = tmp_path / "mosaic_particles.csv"
    path.write_text(mosaic_table(PARTICLES, Count(places=PLACES), mosaic, 1.2), encoding="utf-8")
    return read_rows(path, MOSAIC_COLUMNS)


@pytest.mark.parametrize(("residual_um", "x_u"), [(0.04, 0.05), (None, np.hypot(0.03, 1.2 / np.sqrt(3)))])
def test_a_place_is_no_better_than_its_tile(tmp_path: Path, residual_um: float | None, x_u: float) -> None:
    rows = read(tmp_path, residual_um)
    assert rows.numbers(uncertainty(MosaicParticle.x_um))[0] == pytest.approx(x_u, rel=1e-4)
    # One per mille of the pixel beside the fit's own.
    u_um = rows.numbers(uncertainty(MosaicParticle.equivalent_diameter_um))
    assert u_um[0] == pytest.approx(np.hypot(0.05, 0.01), rel=1e-4)
    assert np.isnan(u_um[1])


def test_a_particle_that_cannot_be_counted_says_so(tmp_path: Path) -> None:
    rows = read(tmp_path, 0.04)
    assert rows.flags(MosaicParticle.countable).tolist() == [True, False]
    assert rows.flags(MosaicParticle.certain).tolist() == [True, False]
    assert rows.texts(MosaicParticle.shape) == ("ellipsoid", "sphere")


def test_the_record_of_places_tells_nothing_from_what_cannot_be_counted() -> None:
    record = places_record(Count(places=PLACES))
    assert record is not None
    assert (record.countable, record.accounted) == (("1-0",), ((0.97, None, 0.4),))
    assert places_record(Count()) is None
