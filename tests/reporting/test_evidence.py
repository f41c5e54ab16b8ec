"""The pictures of checks that speak are on the first screen, each with its sentence."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.reporting.page import Page
from xrm_control.reporting.figures.drawing import Chart, Series
from xrm_control.reporting.figures.drawn import png
from xrm_control.reporting.report import build_report

ANGLES = [
    {"name": "largest gap, degrees", "value": 1.28, "limit": "at most 3"},
    {"name": "span, degrees", "value": 180.0},
    {"name": "views", "value": 141.0, "limit": "at least 70"},
]
PICTURE = png(Chart("a check", "x", "y", (Series([1, 2], [3, 4]),)), "a check")


def check(name: str, verdict: str, picture: str) -> dict[str, Any]:
    return {"check": name, "verdict": verdict, "reason": f"{name} was found", "picture": picture}


@pytest.fixture
def judged(finished_run: Path, tmp_path: Path) -> Path:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    path = run / "roi-01" / "quality.json"
    said = json.loads(path.read_text())
    checks = [
        check("dead_columns", "doubt", "trust-dead_columns.png"),
        check("flats", "redo", "trust-flats.png"),
        check("angles", "pass", "trust-angles.png") | {"evidence": ANGLES},
        check("motion", "doubt", "../../outside.png"),
        check("drift", "doubt", ""),
        check("frames", "doubt", "trust-frames.png"),
    ]
    path.write_text(json.dumps({**said, "verdict": "redo", "checks": checks}))
    for name in ("dead_columns", "angles"):
        (run / "roi-01" / f"trust-{name}.png").write_bytes(PICTURE)
    (run / "roi-01" / "trust-frames.png").write_bytes(b"no picture")
    (tmp_path / "outside.png").write_bytes(PICTURE)
    return run


def test_checks_that_speak_are_shown_first(judged: Path) -> None:
    page = Page(build_report(judged))
    # One that has passed has its picture in the certificate.
    (image,) = page.parts["evidence"].images
    assert image["alt"] == "roi-01, dead columns"
    assert base64.b64decode(image["src"].partition(",")[2]) == PICTURE
    assert (int(image["width"]), int(image["height"])) == (360, 220)
    assert "roi-01, dead columns: dead_columns was found" in page.parts["evidence"].text


def test_the_certificate_has_every_check_with_value_limit_verdict_and_picture(judged: Path) -> None:
    part = Page(build_report(judged)).parts["trust"]
    assert [(image["alt"], image["width"]) for image in part.images] == [
        ("roi-01, dead columns", "180"),
        ("roi-01, angles", "180"),
    ]
    assert part.row("angles")[:5] == ["angles", "pass", "largest gap, degrees", "1.28", "at most 3"]
    (more,) = (row for row in part.tables[0] if row[2] == "views")
    assert (more[0], more[3], more[4]) == ("", "141", "at least 70")
    assert "angles was found (span, degrees 180)" in part.row("angles")[5]
    # Numbers that only explain have no row.
    assert all(row[2] != "span, degrees" for row in part.tables[0])
    assert part.row("drift")[1:5] == ["doubt", "", "", ""]


def test_without_doubt_there_is_no_picture(finished_run: Path) -> None:
    assert "evidence" not in Page(build_report(finished_run)).parts
