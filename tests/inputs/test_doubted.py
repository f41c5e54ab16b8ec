"""Files that read well and lie in their views: each fault is said beside the volume; sound scans are not doubted."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

import xrm_control as xrm
from tests.inputs.files import changed, data_exchange
from tests.reconstruction.phantoms import Ball, line_integrals, scan_of
from xrm_control.cli.main import main
from xrm_control.core.exit_code import ExitCode
from xrm_control.reconstruction.scan import ScanData

PIXEL_UM, COLUMNS, ROWS, AXIS_PX = 0.5, 72, 36, 36.8
HALF_TURN = np.linspace(-90, 90, 121)
MIDDLE = 60


@lru_cache(maxsize=16)
def balls(count: int, seed: int = 1) -> tuple[Ball, ...]:
    """That do not overlap, and stay in the field while they turn."""
    random = np.random.default_rng(seed)
    found: list[Ball] = []
    while len(found) < count:
        radius, x, y, z = random.uniform([1.2, -14, -14, -6], [3, 14, 14, 6])
        apart = all(
            (x - one.x_um) ** 2 + (y - one.y_um) ** 2 + (z - one.z_um) ** 2 > (radius + one.radius_um) ** 2
            for one in found
        )
        if np.hypot(x, y) + radius < 15 and apart:
            found.append(Ball(x, y, z, radius, 0.05))
    return tuple(found)


def scan(theta_deg: np.ndarray = HALF_TURN, count: int = 10, axis_px: float = AXIS_PX, seed: int = 1) -> ScanData:
    integrals = line_integrals(
        list(balls(count, seed)), theta_deg, columns=COLUMNS, rows=ROWS, axis_px=axis_px, pixel_um=PIXEL_UM
    )
    return scan_of(integrals, theta_deg, PIXEL_UM, noise_seed=seed)


SOUND: dict[str, Callable[[], ScanData]] = {
    "powder": scan,
    "one ball, whose way turns back": lambda: scan(count=1),
    "one ball, in the lower rows alone": lambda: scan(count=1, seed=3),
    "three balls": lambda: scan(count=3),
    "golden angle": lambda: scan(np.arange(151) * 111.246 % 180 - 90),
    "a full turn": lambda: scan(np.linspace(0, 360, 241)),
    "two turns": lambda: scan(np.linspace(0, 720, 301)),
    "backwards": lambda: scan(HALF_TURN[::-1]),
    "few views": lambda: scan(np.linspace(-90, 90, 46)),
    "half acquisition": lambda: scan(np.linspace(0, 360, 241), axis_px=16.0),
}


@pytest.mark.parametrize("made", SOUND.values(), ids=SOUND)
def test_a_sound_scan_is_not_doubted(tmp_path: Path, made: Callable[[], ScanData]) -> None:
    assert xrm.reconstruct(data_exchange(tmp_path / "a.h5", made())).doubts == ()


def _views(act: Callable[[np.ndarray], np.ndarray]) -> ScanData:
    return changed(scan(), projections=act)


def _later(act: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """Of the views from the middle of the scan on."""
    return lambda views: np.concatenate([views[:MIDDLE], act(views[MIDDLE:])])


def _swapped(views: np.ndarray) -> np.ndarray:
    order = np.arange(len(views))
    order[[30, 90]] = [90, 30]
    return views[order]


def _drifting(views: np.ndarray) -> np.ndarray:
    steps = np.linspace(0, 4, len(views)).round().astype(int)
    return np.stack([np.roll(view, step, axis=1) for view, step in zip(views, steps, strict=True)])


def _shaken(views: np.ndarray) -> np.ndarray:
    steps = np.random.default_rng(1).integers(-1, 2, len(views))
    return np.stack([np.roll(view, step, axis=1) for view, step in zip(views, steps, strict=True)])


def _weak_column(views: np.ndarray) -> np.ndarray:
    return np.where(np.arange(COLUMNS) == 30, 100 + 0.9 * (views - 100.0), views).astype(views.dtype)


FAULTS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "the stage stands still for half the scan": (_later(lambda v: np.repeat(v[:1], len(v), axis=0)), "the same again"),
    "it does for three views": (_later(lambda v: np.concatenate([v[[0, 0, 0]], v[3:]])), "the same again"),
    "a view is there twice": (_later(lambda v: np.concatenate([v[:1], v[:1], v[2:]])), "the same again"),
    "a view is lost, all others move up": (_later(lambda v: np.concatenate([v[1:], v[-1:]])), "the same again"),
    "two views have changed places": (_swapped, "slip"),
    "the camera is mirrored in mid-scan": (_later(lambda v: v[:, :, ::-1]), "slip"),
    "it is turned over in mid-scan": (_later(lambda v: v[:, ::-1]), "slip"),
    "the sample slips sideways": (_later(lambda v: np.roll(v, 3, axis=2)), "slip"),
    "it slips down": (_later(lambda v: np.roll(v, 2, axis=1)), "slip"),
    "it drifts": (_drifting, "slip"),
    "it shakes": (_shaken, "motion"),
    "a column is weak": (_weak_column, "dead columns: 1 of the detector (30)"),
}


@pytest.mark.parametrize(("act", "says"), FAULTS.values(), ids=FAULTS)
def test_a_fault_of_the_views_is_said(tmp_path: Path, act: Callable[[np.ndarray], np.ndarray], says: str) -> None:
    found = xrm.reconstruct(data_exchange(tmp_path / "a.h5", _views(act)))
    assert any(says in doubt for doubt in found.doubts), found.doubts


MADE_UP_FLATS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "the brightest of the views": lambda views: views.max(axis=0),
    "a high rank of them": lambda views: np.percentile(views, 95, axis=0),
}


@pytest.mark.parametrize("make", MADE_UP_FLATS.values(), ids=MADE_UP_FLATS)
@pytest.mark.parametrize("count", [1, 3])
def test_flats_that_were_made_of_the_views_are_said(
    tmp_path: Path, make: Callable[[np.ndarray], np.ndarray], count: int
) -> None:
    taken = scan()
    flats = np.stack([make(taken.projections[:])] * count).astype(np.uint16)
    found = xrm.reconstruct(data_exchange(tmp_path / "a.h5", replace(taken, flats=flats, flat_time_s=np.arange(count))))
    assert any(doubt.startswith("flats: in most pixels") for doubt in found.doubts), found.doubts


@pytest.mark.parametrize("seed", range(4))
def test_views_that_show_nothing_tell_no_axis(tmp_path: Path, seed: int) -> None:
    """Noise alone once had one, to 0.07 px."""
    faint = [Ball(3.0, 4.0, 0.0, 1.5, 1e-4)]
    nothing = scan_of(
        line_integrals(faint, HALF_TURN, columns=COLUMNS, rows=ROWS, axis_px=AXIS_PX, pixel_um=PIXEL_UM),
        HALF_TURN,
        PIXEL_UM,
        noise_seed=seed,
    )
    found = xrm.reconstruct(data_exchange(tmp_path / "a.h5", nothing))
    assert found.quality["rotation_axis_uncertainty_px"] > COLUMNS / 4
    assert any(
        warning.startswith("rotation axis: opposite views show no more than noise") for warning in found.warnings
    )
    assert any(doubt.startswith("axis is known to 21 px only") for doubt in found.doubts)


def test_the_command_says_it_and_ends_with_5(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = data_exchange(tmp_path / "a.h5", _views(_swapped))

    def told(*more: str) -> tuple[int, str]:
        command = ["xrm", "reconstruct", str(source), "--out", str(tmp_path / "v.ome.tif"), "--replace", *more]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), capsys.readouterr().out

    code, text = told()
    assert code == ExitCode.PARTLY
    assert "slip: views" in text
    code, text = told("--json")
    assert code == ExitCode.PARTLY
    assert any("slip: views" in doubt for doubt in json.loads(text)["doubts"])
    code, text = told("--no-checks")
    assert (code, "doubt" in text) == (ExitCode.OK, False)
