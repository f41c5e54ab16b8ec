"""Numbers as printed, and documents that lack what is asked of them."""

from __future__ import annotations

import math

import pytest

from xrm_control.contracts.headings import heading as label
from xrm_control.reporting import formatting as values


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (238.4, "238"),
        (9.0, "9.00"),
        (0.0452, "0.0452"),
        (0.00012345, "0.000123"),
        (0.0000123, "1.23e-05"),
        (-4.486, "−4.49"),
        (-1e-9, "-1.00e-09"),
        (0.0, "0"),
        (1085.4, "1085"),
        (123456.0, "123456"),
        (7, "7"),
        (9999, "9999"),
        (1234567, "1\u202f234\u202f567"),
        (math.nan, "–"),
        (math.inf, "–"),
        (None, "–"),
        ("7", "–"),
        (True, "–"),
    ],
)
def test_figure(value: object, printed: str) -> None:
    assert values.figure(value) == printed


@pytest.mark.parametrize(
    ("seconds", "printed"),
    [(55.14, "55.1 s"), (99.96, "100.0 s"), (271.0, "4 min 31 s"), (299.7, "5 min 00 s"), (45000, "12 h 30 min")],
)
def test_duration(seconds: float, printed: str) -> None:
    assert values.duration(seconds) == printed


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        ("equivalent_diameter_um", "equivalent diameter (µm)"),
        ("surface_to_volume_per_um", "surface to volume (1/µm)"),
        ("volume_um3", "volume (µm³)"),
        ("diameter_error_percent_median_absolute", "diameter error (%), median absolute"),
        ("position_error_um_median", "position error (µm), median"),
        ("density_g_cm3", "density (g/cm³)"),
        ("snr", "SNR"),
        ("_um", " um"),
        ("", ""),
    ],
)
def test_headings(name: str, heading: str) -> None:
    assert label(name) == heading


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        ("2031-05-06T07:08:09Z", "2031-05-06 07:08:09 UTC"),
        ("2031-05-06T07:08:09.5+02:00", "2031-05-06 05:08:09 UTC"),
        ("yesterday", "yesterday"),
        ("", None),
        (12, None),
    ],
)
def test_moment(value: object, printed: str | None) -> None:
    assert values.utc_text(value) == printed


@pytest.mark.parametrize(
    ("bounds", "printed"),
    [([1.0, 2.5], "1.00 to 2.50"), ([None, 2], "–"), ([1], "–"), ("ab", "–"), (None, "–"), ([0, math.nan], "–")],
)
def test_interval(bounds: object, printed: str) -> None:
    assert values.interval(bounds) == printed


@pytest.mark.parametrize(
    ("value", "printed"),
    [(6.0, "6"), (True, "yes"), ([1, "a"], "1, a"), ({"x": 1.5}, "x 1.50"), ("", "–"), ([], "–"), ("µ", "µ")],
)
def test_text(value: object, printed: str) -> None:
    assert values.text(value) == printed
