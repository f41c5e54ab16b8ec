"""Attenuation stands on flats and darks of the projections' own setting: what a file says of it is told, and so is
what nothing says.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
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
from tests.inputs.test_doubted import balls
from tests.inputs.test_doubted import scan as scan_of_balls
from tests.reconstruction.phantoms import line_integrals, scan_of
from xrm_control.app.volumes import reconstruct
from xrm_control.core.errors import DataError
from xrm_control.core.origins import ONE_SETTING
from xrm_control.reconstruction.pipeline import ReconstructionSpec
from xrm_control.reconstruction.scan import ScanData
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


def sixteen_bits(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 65535).astype(np.uint16)


@lru_cache(maxsize=3)
def fine_scan(seed: int = 1) -> ScanData:
    """Ten balls in 181 views of 144 x 72 pixels."""
    theta = np.linspace(-90, 90, 181)
    integrals = line_integrals(
        list(balls(10, seed)), theta, columns=144, rows=72, axis_px=72.4, pixel_um=0.25, samples=2
    )
    return scan_of(integrals, theta, 0.25, noise_seed=seed)


TOP = 1.1 * float(scan_of_balls().flats.max())
STORED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "a gamma of 2.2": lambda counts: sixteen_bits(65535 * (counts / TOP) ** 2.2),
    "a gamma of 1.8": lambda counts: sixteen_bits(65535 * (counts / TOP) ** 1.8),
    "squares": lambda counts: sixteen_bits(65535 * (counts / TOP) ** 2),
    "a gamma of 1/2.5": lambda counts: sixteen_bits(65535 * (counts / TOP) ** 0.4),
    "logarithms": lambda counts: np.log(np.maximum(counts, 1)).astype(np.float32),
    "decades": lambda counts: np.log10(np.maximum(counts, 1)),
    "decades in 16 bits": lambda counts: sixteen_bits(10_000 * np.log10(np.maximum(counts, 1))),
}
SOUND: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as they came": sixteen_bits,
    "in proportion": lambda counts: sixteen_bits(65535 * counts / TOP),
    "in 12 bits": lambda counts: sixteen_bits(4095 * counts / TOP),
    "as floats": lambda counts: (counts / TOP).astype(np.float32),
}


def doubts_stored(store: Callable[[np.ndarray], np.ndarray], scan: ScanData) -> tuple[str, ...]:
    each: dict[str, Any] = dict.fromkeys(("projections", "flats", "darks"), lambda counts: store(counts.astype(float)))
    return reconstruct_scan_doubts(changed(scan, **each))


def reconstruct_scan_doubts(scan: ScanData) -> tuple[str, ...]:
    return xrm.reconstruct(
        scan.projections[:],
        flats=scan.flats,
        darks=scan.darks,
        theta_deg=scan.theta_deg,
        pixel_size_um=scan.pixel_size_um,
    ).doubts


@pytest.mark.parametrize("store", STORED.values(), ids=STORED)
def test_counts_out_of_proportion_to_light_are_doubted(store: Callable[[np.ndarray], np.ndarray]) -> None:
    """Views and rays agree with one another whatever the gamma; the noise of photons does not."""
    found = doubts_stored(store, fine_scan())
    assert [doubt for doubt in found if doubt.startswith("counts are not in proportion to light")], found


@pytest.mark.parametrize("store", SOUND.values(), ids=SOUND)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_counts_in_proportion_are_not(seed: int, store: Callable[[np.ndarray], np.ndarray]) -> None:
    assert doubts_stored(store, scan_of_balls(seed=seed)) == ()


@pytest.mark.parametrize("views", [21, 41, 61, 181])
@pytest.mark.parametrize("photons", [30.0, 500.0, 50_000.0])
def test_neither_few_views_nor_few_photons_are(views: int, photons: float) -> None:
    theta = np.linspace(-90, 90, views)
    integrals = line_integrals(list(balls(10)), theta, columns=72, rows=36, axis_px=36.8, pixel_um=0.5)
    found = reconstruct_scan_doubts(scan_of(integrals, theta, 0.5, noise_seed=1, photons=photons))
    assert not [doubt for doubt in found if "proportion" in doubt]


def test_flats_that_were_made_up_have_no_noise_to_compare() -> None:
    """Transmissions beside flats of ones: nothing is known of the photons, and nothing doubted for that."""
    scan = scan_of_balls()
    dark, beam = scan.darks.mean(axis=0), scan.flats.mean(axis=0)
    seen = np.clip((scan.projections[:] - dark) / (beam - dark), 0.01, None)
    for scale, dtype in ((1.0, np.float32), (20_000.0, np.uint16)):
        white = np.full_like(scan.flats, scale, dtype)
        made = changed(
            scan,
            projections=lambda _, scale=scale, dtype=dtype: (seen * scale).astype(dtype),
            flats=lambda _, white=white: white,
            darks=lambda darks: np.zeros_like(darks),
        )
        assert reconstruct_scan_doubts(made) == ()


@pytest.mark.parametrize(("order", "said"), [((1, 0, 2), "axis 1"), ((2, 1, 0), "axis 2")])
def test_another_order_of_axes_is_told_with_what_to_do(order: tuple[int, int, int], said: str) -> None:
    scan = ball_scan()
    seen = np.clip(scan.projections[:] / scan.flats.mean(axis=0), 0.01, 1).transpose(order)
    with pytest.raises(DataError, match=f"{said} of the projections has {len(THETA)}"):
        xrm.reconstruct(seen, theta_deg=THETA, pixel_size_um=PIXEL_UM, normalised=True)
