"""Frames that cannot be what they are said to be are left out by name, or refused; what is odd but sound is used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xrm_control as xrm
from tests.inputs.files import (
    BALL,
    COLUMNS,
    MU,
    PIXEL_UM,
    RADIUS_UM,
    ROWS,
    THETA,
    ball_scan,
    changed,
    data_exchange,
    measured,
)
from tests.reconstruction.phantoms import Ball, line_integrals, scan_of
from xrm_control.core.errors import DataError
from xrm_control.reconstruction.intensities import NOTHING_LEFT_OUT, judge
from xrm_control.reconstruction.scan import ScanData

Change = Callable[[np.ndarray], np.ndarray]


def put(value: Any, *where: Any) -> Change:
    """A value, or a function of what is there, at places of an array."""

    def act(frames: np.ndarray) -> np.ndarray:
        for place in where:
            frames[place] = value(frames[place]) if callable(value) else value
        return frames

    return act


def powder(share: float, columns: slice = np.s_[8:30]) -> Change:
    """Something that lets `share` of the beam through."""
    return lambda frames: (100 + (frames - 100.0) * share).astype(frames.dtype)


LEFT_OUT: dict[str, tuple[dict[str, Change], tuple[str, ...], str]] = {
    "a view of zeros": ({"projections": put(0, 7)}, ("views", "7"), "view 7 (-69 degrees) left out: all its pixels"),
    "the first and another": ({"projections": put(0, 0, 31)}, ("views", "0 31"), "views 0 (-90 degrees), 31 (3 "),
    "a view of one value": ({"projections": put(5000, 30)}, ("views", "30"), "all its pixels are equal"),
    "of the dark's": ({"projections": put(100, 30)}, ("views", "30"), "all its pixels are equal"),
    "a saturated view": ({"projections": put(65535, np.s_[12, :, :30])}, ("views", "12"), "saturated"),
    "saturated at 4095": ({"projections": put(4095, np.s_[12, :, :])}, ("views", "12"), "equal"),
    "the upper half black": ({"projections": put(0, np.s_[9, :10])}, ("views", "9"), "a part of it is black"),
    "the left half black": ({"projections": put(0, np.s_[9, :, :20])}, ("views", "9"), "a part of it is black"),
    "the right quarter black": ({"projections": put(100, np.s_[9, :, 30:])}, ("views", "9"), "a part of it is black"),
    "a few rows black": ({"projections": put(0, np.s_[9, 4:8])}, ("views", "9"), "a part of it is black"),
    "two neighbours half black": ({"projections": put(100, np.s_[9:11, :10])}, ("views", "9 10"), "a part of it is"),
    "with noise": (
        {"projections": put(lambda f: 95 + np.arange(f.size).reshape(f.shape) % 9, np.s_[9:11, :10])},
        ("views", "9 10"),
        "a part of it is black",
    ),
    "three of them": ({"projections": put(0, np.s_[20:23, :, 20:])}, ("views", "20 21 22"), "a part of it is black"),
    "half the beam in a view": ({"projections": put(powder(0.5), 20)}, ("views", "20"), "in other light"),
    "twice the beam in a view": ({"projections": put(powder(2.0), 20)}, ("views", "20"), "in other light"),
    "no beam but noise": (
        {"projections": put(lambda f: 95 + np.arange(f.size).reshape(f.shape) % 9, 20)},
        ("views", "20"),
        "black",
    ),
    "several": ({"projections": put(0, 3, np.s_[9, :10], 40)}, ("views", "3 9 40"), "left out"),
    "a dark flat": ({"flats": put(100, 2)}, ("flats", "2"), "flat 2 left out: dark beside the others"),
    "a flat of zeros": ({"flats": put(0, 2)}, ("flats", "2"), "flat 2 left out"),
    "dim flats": ({"flats": put(powder(0.3), 0, 7)}, ("flats", "0 7"), "flats 0, 7 left out"),
    "a saturated flat": ({"flats": put(65535, 4)}, ("flats", "4"), "saturated"),
    "a flat in powder": ({"flats": put(powder(0.6), np.s_[1, :, 8:30])}, ("flats", "1"), "something is in it"),
    "flats afterwards in powder": (
        {"flats": put(powder(0.6), np.s_[5:, :, 8:30])},
        ("flats", "5 6 7 8 9"),
        "something is in it",
    ),
    "a dark in light": ({"darks": put(18_000, 3)}, ("darks", "3"), "dark 3 left out: brighter than the others"),
    "two of them": ({"darks": put(9_000, 0, 1)}, ("darks", "0 1"), "darks 0, 1 left out"),
}


@pytest.mark.parametrize(("change", "which", "says"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_a_frame_is_left_out_by_name(
    tmp_path: Path, change: dict[str, Change], which: tuple[str, str], says: str
) -> None:
    scan = changed(ball_scan(), **change)
    out = judge(scan)
    expected: dict[str, tuple[int, ...]] = {"views": (), "flats": (), "darks": ()}
    expected[which[0]] = tuple(map(int, which[1].split()))
    assert {name: getattr(out, name) for name in expected} == expected
    assert says in "; ".join(out.notes)
    found = xrm.reconstruct(data_exchange(tmp_path / "scan.h5", scan))
    mu, radius_um = measured(found.volume)
    assert mu == pytest.approx(MU, rel=0.025)
    assert radius_um == pytest.approx(RADIUS_UM, rel=0.03)
    assert says in "; ".join(found.origins.notes)


@pytest.mark.parametrize(("place", "views"), [(np.s_[:2, :10], (0, 1)), (np.s_[-2:, :10], (59, 60))])
def test_at_the_ends_of_the_turn_too(place: Any, views: tuple[int, ...]) -> None:
    assert judge(changed(ball_scan(), projections=put(100, place))).views == views


REFUSED: dict[str, tuple[dict[str, Change], str]] = {
    "no light at all": ({"projections": put(0, np.s_[:])}, "too many projections cannot be right"),
    "a third of zeros": ({"projections": put(0, np.s_[::3])}, "too many projections"),
    "half of half black": ({"projections": put(0, np.s_[::2, :10])}, "too many projections"),
    "all saturated": ({"projections": put(65535, np.s_[:, :, :20])}, "projections are saturated"),
    "flats of zeros": ({"flats": put(0, np.s_[:])}, "hold no beam"),
    "flats in darkness": ({"flats": put(lambda f: 100 + f % 7, np.s_[:])}, "taken in light, or the flats in darkness"),
    "flats saturated": ({"flats": put(65535, np.s_[:])}, "no flat can be used: all are saturated"),
    "flats half saturated": ({"flats": put(65535, np.s_[:, :, 10:])}, "no flat can be used: all are saturated"),
    "all flats in powder": ({"flats": put(powder(0.6), np.s_[:, :, 8:30])}, "more light behind the sample"),
    "in powder alone": ({"flats": put(powder(0.45), np.s_[:])}, "more light behind the sample"),
    "flats exposed too short": ({"flats": put(powder(0.8), np.s_[:])}, "more light behind the sample"),
    "flats of another type": ({"flats": lambda f: (f // 256).astype(np.uint8)}, "taken in light|more light behind"),
    "projections of another type": (
        {"projections": lambda p: (p // 256).astype(np.uint8), "darks": lambda d: d * 0},
        "hardly any light",
    ),
    "darks in light": ({"darks": lambda d: (d * 0 + ball_scan().flats[:5] * 0.9).astype(np.uint16)}, "taken in light"),
    "darks in a third of it": (
        {"darks": lambda d: (d * 0 + ball_scan().flats[:5] * 0.3).astype(np.uint16)},
        "taken in light",
    ),
    "flats and darks exchanged": (
        {"darks": lambda d: ball_scan().flats[:5], "flats": lambda f: ball_scan().darks},
        "in light",
    ),
    "counts of 2^63": ({"projections": lambda p: p.astype(np.uint64) + 2**63}, "no camera counts so far"),
    "one pixel of it": ({"projections": lambda p: put(2**62, (4, 5, 6))(p.astype(np.int64))}, "projections, frame 4"),
    "floats without end": ({"projections": lambda p: p * 1e30}, "no camera counts so far"),
    "flats of 2^40": ({"flats": lambda f: f.astype(np.int64) * 2**40}, "flats, frame"),
    "overflown": ({"projections": lambda p: p.astype(np.int32) - 32768}, "darker than the darks|cannot be right"),
}


@pytest.mark.parametrize(("change", "says"), REFUSED.values(), ids=REFUSED)
def test_a_scan_that_cannot_be_right_is_refused(tmp_path: Path, change: dict[str, Change], says: str) -> None:
    path = data_exchange(tmp_path / "scan.h5", changed(ball_scan(), **change))
    with pytest.raises(DataError, match=says) as caught:
        xrm.reconstruct(path)
    assert "scan.h5" in str(caught.value)


def normalised(values: np.ndarray) -> xrm.Reconstruction:
    return xrm.reconstruct(values, theta_deg=THETA, pixel_size_um=PIXEL_UM, normalised=True)


def integrals(balls: list[Ball]) -> np.ndarray:
    return line_integrals(balls, THETA, columns=COLUMNS, rows=ROWS, axis_px=19.6, pixel_um=PIXEL_UM)


STRONG = Ball(1.5, -1.0, 0.0, RADIUS_UM, 0.3)
NO_TRANSMISSIONS: dict[str, tuple[np.ndarray, str]] = {
    "counts": (ball_scan().projections[:], "these are counts"),
    "few counts": (np.exp(-integrals([BALL])) * 30, "these are counts"),
    "percent": (np.exp(-integrals([BALL])) * 100, "these are counts"),
    "line integrals": (integrals([BALL]), "line integrals|hardly any light"),
    "strong ones": (integrals([STRONG]), "line integrals|these are counts|more light"),
    "with noise": (
        integrals([BALL]) + np.random.default_rng(0).normal(0, 0.01, (len(THETA), ROWS, COLUMNS)),
        "line integrals|hardly any",
    ),
    "nothing": (np.zeros((len(THETA), ROWS, COLUMNS)), "too many|hardly any"),
}


@pytest.mark.parametrize(("values", "says"), NO_TRANSMISSIONS.values(), ids=NO_TRANSMISSIONS)
def test_what_is_no_transmission(values: np.ndarray, says: str) -> None:
    with pytest.raises(DataError, match=says):
        normalised(values)


SOUND: dict[str, ScanData] = {
    "as it is": ball_scan(),
    "without noise": ball_scan(None),
    "few views": changed(
        ball_scan(), projections=lambda p: p[::8], theta_deg=lambda t: t[::8], time_s=lambda t: t[::8]
    ),
    "the other way round": changed(ball_scan(), projections=lambda p: p[::-1], theta_deg=lambda t: t[::-1]),
    "few counts": changed(
        ball_scan(), **dict.fromkeys(("projections", "flats"), lambda f: (100 + (f - 100.0) / 100).astype(np.uint16))
    ),
    "no darks": changed(ball_scan(), darks=lambda d: d[:0]),
    "one flat": changed(ball_scan(), flats=lambda f: f[:1], flat_time_s=lambda t: t[:1]),
    "a beam that fades": scan_of(integrals([BALL]), THETA, PIXEL_UM, noise_seed=2, beam_change=-0.25),
    "a ball that hides nearly all": scan_of(integrals([Ball(0, 0, 0, 9, 0.4)]), THETA, PIXEL_UM, noise_seed=3),
    "tape edge-on": scan_of(
        line_integrals(
            [BALL], THETA, columns=COLUMNS, rows=ROWS, axis_px=19.6, pixel_um=PIXEL_UM, strip=(60.0, 4.0, 0.05)
        ),
        THETA,
        PIXEL_UM,
        noise_seed=4,
    ),
    "tape edge-on, every 15 degrees": scan_of(
        line_integrals(
            [BALL],
            np.linspace(-90, 90, 13),
            columns=COLUMNS,
            rows=ROWS,
            axis_px=19.6,
            pixel_um=PIXEL_UM,
            strip=(300.0, 10.0, 0.03),
        ),
        np.linspace(-90, 90, 13),
        PIXEL_UM,
        noise_seed=5,
    ),
}


@pytest.mark.parametrize("scan", SOUND.values(), ids=SOUND)
def test_what_is_odd_but_sound_is_used(scan: ScanData) -> None:
    out = judge(scan)
    assert (out.views, out.flats, out.darks) == ((), (), ())
    assert not [note for note in out.notes if "darks have" not in note]


def test_transmissions_are_used() -> None:
    values = np.exp(-integrals([BALL]))
    assert measured(normalised(values).volume)[0] == pytest.approx(MU, rel=0.015)
    assert judge(ball_scan()) == NOTHING_LEFT_OUT


@pytest.mark.parametrize("share", [0.9, 0.95, 1.06])
def test_a_doubt_is_noted(share: float) -> None:
    """Too little to refuse, too much to keep quiet about; brighter flats than the beam cannot be told."""
    out = judge(changed(ball_scan(), flats=powder(share)))
    assert bool(out.notes) == (share < 1)
