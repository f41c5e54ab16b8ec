"""The level of no light by the noise, of gratings that another formula makes and a camera counts photon by photon."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from xrm_control.contracts.quality import QualityMetrics
from xrm_control.contracts.trust import TrustVerdict
from xrm_control.processing.trust.checks.dark_level import DarkLevelCheck
from xrm_control.processing.trust.dark_level import DarkLevel, dark_level
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.processing.trust.of_file import evidence_of_file
from xrm_control.reconstruction.scan import ScanData
from xrm_control.reconstruction.spec import ReconstructionSpec

VIEWS, ROWS, COLUMNS, PHOTONS, GAIN, READ, DARK = 81, 96, 160, 800.0, 12.0, 40.0, 600.0
BEAM = PHOTONS * GAIN


def counted(**changes: Any) -> ScanData:
    """Waves of 0.08 to 0.9 of the light that pass slowly across the field. changes: of the camera or the light."""
    camera = {"seed": 0, "stray": 0.0, "flicker": 0.0, "read": READ, "darks": 8, **changes}
    random = np.random.default_rng(camera["seed"])
    views, rows, columns = np.ogrid[:VIEWS, :ROWS, :COLUMNS]
    depth = 1.3 + 1.2 * np.cos(2 * np.pi * (columns / 300 + views / 200)) * np.cos(2 * np.pi * rows / 250)
    beam = 1 - 0.1 * ((columns / COLUMNS - 0.5) ** 2 + (rows / ROWS - 0.5) ** 2)

    def camera_of(light: np.ndarray) -> np.ndarray:
        moving = 1 + camera["flicker"] * random.standard_normal(light.shape)
        photons = random.poisson(PHOTONS * (light * moving + camera["stray"]))
        return np.rint(GAIN * photons + DARK + random.normal(0, camera["read"], light.shape)).astype(np.int32)

    return ScanData(
        projections=camera_of(beam * np.exp(-depth)[:, :, :]),
        theta_deg=np.linspace(-90, 90, VIEWS),
        time_s=np.arange(VIEWS) + 10.0,
        flats=camera_of(np.broadcast_to(beam, (6, ROWS, COLUMNS))[:, :, :] * 1.0),
        flat_time_s=np.arange(6.0),
        darks=np.rint(DARK + random.normal(0, camera["read"], (camera["darks"], ROWS, COLUMNS))).astype(np.int32),
        pixel_size_um=0.5,
    )


def found_in(scan: ScanData) -> DarkLevel:
    """What the noise says."""
    volume = np.zeros((ROWS, COLUMNS, COLUMNS), np.float32)
    evidence: RegionEvidence = evidence_of_file(scan, ReconstructionSpec(), (volume,), COLUMNS / 2, {})
    assert isinstance(evidence.quality, QualityMetrics)
    found = dark_level(evidence)
    assert isinstance(found, DarkLevel), found
    return found


# by how many counts the darks are moved; what else; what is to be found
LEVELS = {
    "right": (0, {}, 0.0),
    "too high": (500, {}, 500.0),
    "too low": (-800, {}, -800.0),
    "none: all of the camera's level": (-DARK, {}, -DARK),
    "taken off twice": (DARK, {}, DARK),
    "stray light, which is light": (0, {"stray": 0.05}, 0.0),
    "a beam that moves by 2 %": (0, {"flicker": 0.02}, 0.0),
    "too low, in a beam that moves": (-800, {"flicker": 0.02}, -800.0),
    "a noisy camera": (0, {"read": 150.0}, 0.0),
}


@pytest.mark.parametrize("case", LEVELS)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_level_of_no_light_is_found_where_the_noise_ends(case: str, seed: int) -> None:
    moved, camera, expected = LEVELS[case]
    scan = counted(seed=seed, **camera)
    found = found_in(replace(scan, darks=scan.darks + int(moved)))
    assert found.too_high_counts == pytest.approx(expected, abs=0.006 * BEAM + 3 * found.u_counts)
    assert found.u_counts < 0.03 * BEAM
    assert found.gain_counts == pytest.approx(GAIN, rel=0.2)


def test_a_camera_whose_noise_no_darks_tell_leaves_the_level_unsure_by_it() -> None:
    told, untold = counted(), counted(darks=1)
    assert found_in(told).unsure_counts == 0.0
    assert found_in(untold).unsure_counts == pytest.approx(25 * GAIN, rel=0.1)


def test_of_attenuation_it_says_what_the_wrong_level_makes() -> None:
    scan = counted()
    wrong = replace(scan, darks=scan.darks - 800)
    right, off = (
        (scan.projections[:] - one.darks.mean()) / (scan.flats.mean(axis=0) - one.darks.mean()) for one in (scan, wrong)
    )
    matter = (right > 0.02) & (right < 0.9)
    expected = float(np.log(off[matter]).sum() / np.log(right[matter]).sum()) - 1
    assert expected < -0.1
    assert found_in(wrong).mu_off == pytest.approx(expected, abs=0.03)


# noise of counts that no photons make, as phantoms have it: standard deviation by counts
NO_PHOTONS: dict[str, Callable[[np.ndarray], np.ndarray | float]] = {
    "the same everywhere": lambda counts: 90.0,
    "in proportion to the light": lambda counts: 0.03 * counts,
    "of rounding alone": lambda counts: 0.0,
}


@pytest.mark.parametrize("spread", NO_PHOTONS.values(), ids=NO_PHOTONS)
@pytest.mark.parametrize("seed", range(3))
def test_noise_that_is_not_of_photons_doubts_no_dark(
    spread: Callable[[np.ndarray], np.ndarray | float], seed: int
) -> None:
    random = np.random.default_rng(seed)
    scan = counted(seed=seed)
    views, _, columns = np.ogrid[:VIEWS, :ROWS, :COLUMNS]
    light = np.broadcast_to(
        np.exp(-1.3 - 1.2 * np.cos(2 * np.pi * (columns / 300 + views / 200))) * BEAM, (VIEWS, ROWS, COLUMNS)
    )
    flats = np.full(scan.flats.shape, BEAM)
    frames = [np.rint(DARK + one + spread(one) * random.standard_normal(one.shape)) for one in (light, flats)]
    made = replace(
        scan, projections=frames[0].astype(np.int32), flats=frames[1].astype(np.int32),
        darks=np.full(scan.darks.shape, int(DARK)),
    )  # fmt: skip
    volume = np.zeros((ROWS, COLUMNS, COLUMNS), np.float32)
    found = DarkLevelCheck().look(evidence_of_file(made, ReconstructionSpec(), (volume,), COLUMNS / 2, {}))
    assert found.verdict in (None, TrustVerdict.PASS), found
