"""Arrays in, volumes and particles out: against a disc and spheres that are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xrm_control as xrm
from tests.analysis.phantoms import VOXEL_UM, ball, render
from xrm_control.core.errors import DataError, RecipeError

pytestmark = pytest.mark.usefixtures("white_figures")

SIDE, PIXEL_UM, MU_PER_UM, RADIUS_UM = 64, 0.5, 0.05, 10.0
THETA = np.linspace(-90, 90, 91)
BALL = render([ball(0, 0, 0, 6.0)])


def counts() -> dict[str, Any]:
    """A disc of known attenuation as a camera counts it: 10000 in the beam above a dark level of 100."""
    s_um = (np.arange(SIDE) - (SIDE - 1) / 2) * PIXEL_UM
    seen = np.exp(-MU_PER_UM * 2 * np.sqrt(np.clip(RADIUS_UM**2 - s_um**2, 0, None)))
    frame = np.broadcast_to(seen, (len(THETA), 8, SIDE))
    return {
        "source": np.round(100 + 10_000 * frame).astype(np.uint16),
        "flats": np.full((3, 8, SIDE), 10_100, np.uint16),
        "darks": np.full((3, 8, SIDE), 100, np.uint16),
        "theta_deg": THETA,
        "pixel_size_um": PIXEL_UM,
    }


def inside(result: xrm.Reconstruction) -> float:
    middle = slice(SIDE // 2 - 8, SIDE // 2 + 8)
    return float(result.volume[:, middle, middle].mean())


@pytest.mark.parametrize("method", [None, "fbp"])
def test_counts_become_attenuation(method: str | None) -> None:
    result = xrm.reconstruct(**counts(), method=method, overrides={"rotation_axis": (SIDE - 1) / 2})
    assert (result.volume.shape, result.voxel_size_um) == ((8, SIDE, SIDE), PIXEL_UM)
    assert inside(result) == pytest.approx(MU_PER_UM, rel=0.02)


def test_transmissions_need_no_references() -> None:
    about = counts()
    seen = (about["source"] - 100.0) / 10_000
    result = xrm.reconstruct(
        seen, theta_deg=THETA, pixel_size_um=PIXEL_UM, normalised=True, overrides={"rotation_axis": 31.5}
    )
    assert inside(result) == pytest.approx(MU_PER_UM, rel=0.02)


def test_a_volume_is_written_besides(tmp_path: Path) -> None:
    out = tmp_path / "volume.ome.tif"
    result = xrm.reconstruct(**counts(), out=out)
    with pytest.raises(DataError, match="not overwritten"):
        xrm.reconstruct(**counts(), out=out)
    from xrm_control.storage.formats.registry import read_volume

    values, voxel_um = read_volume(out)
    assert voxel_um == pytest.approx(PIXEL_UM)
    np.testing.assert_array_equal(values, result.volume)


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"flats": None}, DataError, "flats"),
    ({"theta_deg": None}, DataError, "theta_deg"),
    ({"pixel_size_um": None}, DataError, "pixel_size_um"),
    ({"pixel_size_um": -1.0}, DataError, "pixel_size_um"),
    ({"theta_deg": THETA[:-1]}, DataError, "theta_deg"),
    ({"source": np.zeros((5, 5))}, DataError, "projections"),
    ({"flats": np.ones((2, 4, 4))}, DataError, "flats"),
    ({"method": "magic"}, RecipeError, "method"),
    ({"overrides": {"rows": [0, 99]}}, RecipeError, "rows"),
    ({"out": "v.raw"}, DataError, "ome.tif"),
    ({"source": "scan.h5"}, DataError, "theta_deg"),
]


@pytest.mark.parametrize(("change", "error", "text"), REFUSED)
def test_what_does_not_fit_is_named(change: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        xrm.reconstruct(**{**counts(), **change})


def test_a_ball_is_measured(tmp_path: Path) -> None:
    radius_um, voxel_um, volume = 6.0, VOXEL_UM, BALL
    for source, given_um in ((volume, voxel_um), (_written(tmp_path, volume, voxel_um), None)):
        found = xrm.analyze(source, voxel_size_um=given_um)
        (row,) = found.particle_rows
        assert row["equivalent_diameter_um"] == pytest.approx(2 * radius_um, rel=0.02)
        assert row["particle_id"] == 1
        assert found.results.counts.particles == 1
        assert found.labels.shape == volume.shape
        assert set(np.unique(found.labels)) == {0, 1}


def test_results_are_kept_where_told(tmp_path: Path) -> None:
    found = xrm.analyze(BALL, voxel_size_um=VOXEL_UM, out=tmp_path / "out", overrides={"threshold.kind": "otsu"})
    assert (tmp_path / "out" / "particles.csv").is_file()
    assert len(found.particles) == 1


def test_an_array_without_a_voxel_size_is_refused() -> None:
    with pytest.raises(DataError, match="voxel_size_um"):
        xrm.analyze(np.zeros((16, 16, 16)))


def _written(folder: Path, volume: Any, voxel_um: float) -> Path:
    from xrm_control.storage.formats.ome_tiff import write_volume

    return write_volume(folder / "volume.ome.tif", [volume], voxel_um)
