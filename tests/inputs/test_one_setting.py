"""Attenuation stands on flats and darks of the projections' own setting: what a file says of it is told, and so is
what nothing says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xrm_control as xrm
from tests.inputs.files import (
    PIXEL_UM,
    THETA,
    Quantity,
    ball_scan,
    changed,
    data_exchange,
    nxtomo,
    tiff_folder,
)
from xrm_control.app.volumes import reconstruct
from xrm_control.core.errors import DataError
from xrm_control.core.origins import ONE_SETTING
from xrm_control.reconstruction.pipeline import ReconstructionSpec
from xrm_control.storage.formats.scan_file import ScanOptions

FRAMES = sum(len(part) for part in (ball_scan().projections, ball_scan().flats, ball_scan().darks))
DARKS = len(ball_scan().darks)


def count_times(darks: float) -> Any:
    return Quantity(np.concatenate((np.full(DARKS, darks), np.ones(FRAMES - DARKS))), "s")


# What is written, and what the result says its attenuation rests on.
TOLD: list[tuple[dict[str, Any], str]] = [
    ({}, ONE_SETTING),
    ({"instrument__detector__count_time": count_times(1.0)}, "flats and projections got the same, by exposure times"),
]


@pytest.mark.parametrize(("content", "light"), TOLD)
def test_it_is_told_what_attenuation_rests_on(tmp_path: Path, content: dict[str, Any], light: str) -> None:
    made = reconstruct(nxtomo(tmp_path / "s.nx", **content), tmp_path / "v.ome.tif", ReconstructionSpec())
    assert str(made.as_dict()["light"]).startswith(light)
    assert not [note for note in made.origins.notes if "dark" in note]


def test_pictures_and_arrays_say_nothing_of_it(tmp_path: Path) -> None:
    scan = ball_scan()
    told = ScanOptions(pixel_size_um=PIXEL_UM, start_deg=-90, end_deg=90, flats="flat*", darks="dark*")
    found = xrm.reconstruct(tiff_folder(tmp_path / "pictures"), options=told)
    array = xrm.reconstruct(
        scan.projections[:], flats=scan.flats, darks=scan.darks, theta_deg=THETA, pixel_size_um=PIXEL_UM
    )
    assert found.origins.light == array.origins.light == ONE_SETTING


@pytest.mark.parametrize("ratio", [0.1, 0.5, 2.0, 10.0])
def test_darks_of_another_exposure_are_named(tmp_path: Path, ratio: float) -> None:
    files = (
        nxtomo(tmp_path / "s.nx", instrument__detector__count_time=count_times(ratio)),
        data_exchange(
            tmp_path / "s.h5",
            None,
            **{
                "measurement__instrument__detector__exposure_time": Quantity(1.0, "s"),
                "measurement__instrument__detector__exposure_time_flat": Quantity(1.0, "s"),
                "measurement__instrument__detector__exposure_time_dark": Quantity(ratio, "s"),
            },
        ),
    )
    for file in files:
        notes = "; ".join(xrm.reconstruct(file).origins.notes)
        assert f"the darks were exposed {ratio:.3g} times as long as the projections" in notes


FULL = 1.1 * float(ball_scan().flats.max())
EIGHT_BITS = {
    "in proportion": lambda counts: 255 * counts / FULL,
    "a picture's gamma": lambda counts: 255 * (counts / FULL) ** (1 / 2.2),
    "square roots": lambda counts: 255 * np.sqrt(counts / FULL),
}


@pytest.mark.parametrize("kind", EIGHT_BITS)
def test_frames_of_eight_bits_are_doubted(kind: str) -> None:
    """Of these kinds one alone keeps attenuation, and which it is nothing tells."""

    def stored(counts: np.ndarray) -> np.ndarray:
        return np.rint(EIGHT_BITS[kind](counts.astype(float))).astype(np.uint8)

    scan = changed(ball_scan(), projections=stored, flats=stored, darks=stored)
    found = xrm.reconstruct(
        scan.projections[:], flats=scan.flats, darks=scan.darks, theta_deg=THETA, pixel_size_um=PIXEL_UM
    )
    assert any("8 bits" in doubt for doubt in found.doubts)


@pytest.mark.parametrize(("order", "said"), [((1, 0, 2), "axis 1"), ((2, 1, 0), "axis 2")])
def test_another_order_of_axes_is_told_with_what_to_do(order: tuple[int, int, int], said: str) -> None:
    scan = ball_scan()
    seen = np.clip(scan.projections[:] / scan.flats.mean(axis=0), 0.01, 1).transpose(order)
    with pytest.raises(DataError, match=f"{said} of the projections has {len(THETA)}"):
        xrm.reconstruct(seen, theta_deg=THETA, pixel_size_um=PIXEL_UM, normalised=True)
