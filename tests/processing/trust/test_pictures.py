"""What a check shows is what was planted; a picture that cannot be drawn costs nothing but itself."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from tests.processing.trust import faults, reference_faults
from tests.processing.trust.faults import Region, evidence_of, scan
from xrm_control.contracts.trust import CheckResult, TrustVerdict
from xrm_control.processing.trust.check import all_checks
from xrm_control.processing.trust.judging import judged, pictured
from xrm_control.reporting.figures.drawing import Chart, Drawing, Panel, Panels, Series, histogram
from xrm_control.reporting.figures.drawn import png

CHECKS = {check.model_dump()["kind"]: check for check in all_checks()}


def drawing_of(check: str, region: Region) -> Drawing:
    found = CHECKS[check].picture(evidence_of(region))
    assert found is not None
    return found


def odd(chart: Drawing) -> list[float]:
    assert isinstance(chart, Chart)
    return [float(x) for series in chart.series if series.odd for x in series.points[0]]


def pixels(picture: bytes) -> np.ndarray:
    return matplotlib.image.imread(BytesIO(picture), format="png")


def test_a_check_that_passes_has_none_and_one_of_before_goes(tmp_path: Path) -> None:
    evidence = evidence_of(Region(scan()))
    (tmp_path / "trust-angles.png").write_bytes(b"of before")
    (found,) = judged(evidence, (CHECKS["angles"],))
    assert pictured(found, evidence, tmp_path) == found
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_cannot_be_drawn_leaves_the_sentence(tmp_path: Path) -> None:
    evidence = replace(evidence_of(Region(scan())), labels=np.zeros((2, 2, 2), int), particles=None)
    said = CheckResult(check="facing_faces", verdict=TrustVerdict.DOUBT, reason="a reason")
    other = CheckResult(check="of_another_package", verdict=TrustVerdict.REDO, reason="a reason")
    assert pictured(said, evidence, tmp_path) == said
    assert pictured(other, evidence, tmp_path) == other
    assert list(tmp_path.iterdir()) == []


def test_the_gap_is_where_views_are_missing() -> None:
    chart = drawing_of("angles", Region(faults.gap(20, 50)(scan())))
    assert isinstance(chart, Chart)
    ((low, high),) = chart.spans
    assert (low, high) == (pytest.approx(19.5, abs=1.6), pytest.approx(51.0, abs=1.6))


def test_columns_that_are_dead_are_marked() -> None:
    assert odd(drawing_of("dead_columns", Region(faults.dead_columns(40, 41, 42, 43)(scan())))) == [40, 41, 42, 43]
    assert odd(drawing_of("dead_columns", Region(faults.weak_columns(0.9, 60)(scan())))) == [60]


def test_the_slip_is_between_its_views() -> None:
    (at,) = odd(drawing_of("continuity", Region(faults.shifted_views(lambda n: 2.0 * (n > 60))(scan()))))
    assert at == pytest.approx((faults.THETA[60] + faults.THETA[61]) / 2)


def test_frames_that_do_not_fit_are_marked() -> None:
    views = faults.VIEWS
    assert odd(drawing_of("frames", Region(reference_faults.saturated_flats(1, 2)(scan())))) == [views + 1, views + 2]
    assert odd(drawing_of("frames", Region(faults.black_views(30, 60)(scan())))) == [30, 60]


def test_powder_in_the_flats_is_seen_twice() -> None:
    shown = drawing_of("flats", Region(reference_faults.flats_in_powder(scan())))
    assert isinstance(shown, Panels)
    one, other = (panel.image.ravel() for panel in shown.panels)
    assert np.corrcoef(one, other)[0, 1] > 0.4


def test_what_the_mirrored_view_leaves_is_less_where_the_axis_is_right() -> None:
    left = []
    for off_px in (0.0, 3.0):
        shown = drawing_of(
            "axis_halves", Region(scan(), faults.ReconstructionSpec(rotation_axis=faults.AXIS_PX + off_px))
        )
        assert isinstance(shown, Panels)
        left.append(float(np.std(shown.panels[1].image[:, 20:-20])))
    assert left[1] > 3 * left[0]


def test_the_drift_is_drawn_as_steep_as_it_is() -> None:
    chart = drawing_of("drift", Region(faults.shifted_views(lambda n: 3.0 * n / 120)(scan())))
    assert isinstance(chart, Chart)
    (line,) = (series for series in chart.series if series.style == "line")
    assert np.ptp(line.points[1]) == pytest.approx(3.0, abs=1.8)  # so well it can be told


def test_a_histogram_counts_every_value() -> None:
    middles, counts = histogram(np.array([0.0, 0.25, 0.25, 1.0, np.nan]), 4)
    assert middles.tolist() == [0.125, 0.375, 0.625, 0.875]
    assert counts.tolist() == [1, 2, 0, 1]


def test_many_points_are_thinned_and_what_is_not_finite_is_left_out() -> None:
    x, y = Series(np.arange(50_000), np.where(np.arange(50_000) % 2, np.nan, 1.0)).points
    assert len(x) == len(y) <= 1100
    assert np.isfinite(y).all()


@pytest.mark.parametrize(
    "drawing",
    [
        Chart("empty", "x", "y", (Series([], []),)),
        Chart("nothing above zero", "x", "y", (Series([1], [0.0]),), log=True),
        Panels((Panel("even", np.zeros((40, 60))), Panel("narrow", np.ones((400, 20))))),
        Panels((Panel("not finite", np.full((4, 4), np.nan)),)),
    ],
)
def test_what_there_is_little_of_is_drawn_too(drawing: Drawing) -> None:
    assert pixels(png(drawing, "a picture")).size
