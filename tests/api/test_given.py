"""What is given to the Python API and is none of what it should be: an error that names argument and value, at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xrm_control as xrm
from tests.analysis.phantoms import VOXEL_UM, ball, render
from tests.api.test_arrays import MU_PER_UM, PIXEL_UM, SIDE, THETA, counts, inside
from tests.cli.test_cli import NMC811
from tests.exports.runs import scanned_run
from xrm_control.core.errors import DataError, RecipeError, XrmError

pytestmark = pytest.mark.usefixtures("white_figures")

BALL = render([ball(0, 0, 0, 6.0)])
SEEN = counts()["source"]


class OnAGpu:
    """As the arrays of other libraries fail."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


def masked(values: Any, share: float = 0.1) -> Any:
    cells = np.zeros(np.shape(values), bool)
    cells[: max(1, int(share * len(cells)))] = True
    return np.ma.masked_array(values, mask=cells)


def several(change: Callable[[Any], Any]) -> list[tuple[str, Any]]:
    """The same fault in each array of a scan."""
    return [(name, change(counts()[name])) for name in ("source", "flats", "darks", "theta_deg")]


NO_NUMBERS: list[tuple[str, Any]] = [
    *several(lambda values: values + 0j),
    *several(lambda values: values.astype(bool)),
    *several(lambda values: values.astype("U8")),
    *several(lambda values: values.astype("S8")),
    *several(lambda values: values.astype("M8[s]")),
    *several(lambda values: values.astype("m8[s]")),
    *several(masked),
    *several(lambda _: OnAGpu()),
    *several(lambda values: [[1, 2], *np.asarray(values).tolist()[:2]]),
    *several(lambda values: [None] * len(values)),
    *several(lambda _: {"a": 1}),
    ("theta_deg", ["1_0"] * len(THETA)),
    ("theta_deg", set(THETA)),
    *(("pixel_size_um", value) for value in ("0.5", "1_0", True, [0.5], np.array([0.5]), 0.5 + 0j, {}, np.ma.masked)),
    ("options", {"angle_unit": "rad"}),
    ("options", xrm.ScanOptions(pixel_size_um=7.0)),
    ("out", 5),
]


@pytest.mark.parametrize(("name", "value"), NO_NUMBERS)
def test_what_is_no_scan_is_named(name: str, value: Any) -> None:
    with pytest.raises(XrmError) as refused:
        xrm.reconstruct(**{**counts(), name: value})
    assert isinstance(refused.value, DataError)
    assert str(refused.value.where).startswith(name)


SAME = ["<f4", ">f8", ">u2", "i8", "u8", "f2", "O"]


@pytest.mark.parametrize("dtype", SAME)
def test_numbers_of_any_type_and_order_give_the_same(dtype: str) -> None:
    scan = counts()
    scan["source"] = np.asfortranarray(scan["source"]).astype(dtype)
    result = xrm.reconstruct(**scan, overrides={"rotation_axis": (SIDE - 1) / 2}, checks=False)
    assert inside(result) == pytest.approx(MU_PER_UM, rel=0.02)


@pytest.mark.parametrize("pixel", [Decimal("0.5"), np.float32(0.5), np.array(0.5)])
def test_a_number_may_be_of_another_library(pixel: Any) -> None:
    scan = {**counts(), "pixel_size_um": pixel}
    assert xrm.reconstruct(**scan, overrides={"rotation_axis": 31.5}, checks=False).voxel_size_um == PIXEL_UM


def test_a_scan_without_darks_says_so() -> None:
    result = xrm.reconstruct(**{**counts(), "darks": None}, overrides={"rotation_axis": 31.5}, checks=False)
    assert any("no darks" in note for note in result.origins.notes)


NO_VOLUME: list[tuple[dict[str, Any], str]] = [
    *(({"source": BALL.astype(kind)}, "source") for kind in ("c8", "U8", "S8", "M8[s]", "?")),
    ({"source": masked(BALL)}, "masked"),
    ({"source": OnAGpu()}, "cuda"),
    ({"source": [[1, 2], [3]]}, "source"),
    ({"source": (BALL, 0.5)}, "source"),
    ({"source": np.empty((0, 4, 4))}, "no voxels"),
    *(({"voxel_size_um": value}, "voxel_size_um") for value in ("0.5", True, [0.5], (0.5, 0.5, 0.5), 0, np.nan)),
    ({"overrides": "threshold.kind=otsu"}, "overrides"),
    ({"overrides": {1: 2}}, "overrides"),
    ({"overrides": {"min_particle_um": "1_0"}}, "1_0"),
    ({"out": 5}, "out"),
]


@pytest.mark.parametrize(("change", "text"), NO_VOLUME)
def test_what_is_no_volume_is_named(change: dict[str, Any], text: str) -> None:
    with pytest.raises(XrmError, match=text):
        xrm.analyze(**{"source": BALL, "voxel_size_um": VOXEL_UM, **change})


def reconstruction(**change: Any) -> xrm.Reconstruction:
    about: dict[str, Any] = {
        "volume": BALL,
        "voxel_size_um": VOXEL_UM,
        "rotation_axis_px": 31.5,
        "rows": (0, len(BALL)),
    }
    return xrm.Reconstruction(**{**about, "quality": {}, "warnings": (), **change})


def test_a_reconstruction_keeps_its_voxel() -> None:
    for wrong_um in (0.0, 2 * VOXEL_UM):
        with pytest.raises(DataError, match="voxels of another size"):
            xrm.analyze(reconstruction(), voxel_size_um=wrong_um)
    assert xrm.analyze(reconstruction(), voxel_size_um=VOXEL_UM).results.counts.particles == 1


def test_doubts_of_a_reconstruction_stand_in_the_results() -> None:
    found = xrm.analyze(reconstruction(doubts=("the axis disagrees",)))
    assert found.results.doubts == ("of the reconstruction: the axis disagrees",)
    assert xrm.analyze(reconstruction()).results.doubts == ()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> xrm.Run:
    return xrm.open_run(scanned_run(tmp_path_factory.mktemp("given")).path)


OF_A_RUN: list[tuple[Callable[[xrm.Run], Any], str]] = [
    (lambda run: run.add("1", 2), "x_um"),  # type: ignore[arg-type]
    (lambda run: run.add(float("nan"), 2), "x_um"),
    (lambda run: run.add(1, 2, box_um=(1,)), "box_um"),  # type: ignore[arg-type]
    (lambda run: run.add(1, 2, box_um=(-1, 2)), "width_um"),
    (lambda run: run.skip(5), "roi"),  # type: ignore[arg-type]
    (lambda run: run.skip("../x"), "roi"),
    (lambda run: run.order(), "rois"),
    (lambda run: run.order("roi-01", "roi-01"), "named twice"),
    (lambda run: run.stop("never"), "after"),  # type: ignore[arg-type]
    (lambda run: run.rows("nothing"), "table"),  # type: ignore[arg-type]
    (lambda run: run.volume(1), "roi"),  # type: ignore[arg-type]
    (lambda run: run.verify(5), "expect"),  # type: ignore[arg-type]
    (lambda run: run.export("nxtomo", 5), "out"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("call", "text"), OF_A_RUN)
def test_what_a_run_cannot_be_told(run: xrm.Run, call: Callable[[xrm.Run], Any], text: str) -> None:
    with pytest.raises(XrmError, match=text):
        call(run)


def anything(*values: Any) -> tuple[Any, ...]:
    """Of no type that a checker would object to."""
    return values


OF_THE_REST: list[tuple[Callable[[Path], Any], str]] = [
    *((lambda _, value=value: xrm.open_run(value), "path") for value in anything(5, None, b"x", "x" * 5000)),
    *((lambda _, value=value: xrm.run(value), "recipe") for value in anything(5, None, {"a": 1})),
    *((lambda _, value=value: xrm.check(NMC811, value), "overrides") for value in anything(["a=1"], {1: 2})),
    (lambda _: xrm.check(NMC811, {"scan.projections": 10**5000}), "scan.projections"),
    (lambda out: xrm.run(NMC811, out, until=3), "until"),  # type: ignore[arg-type]
    (lambda out: xrm.run(NMC811, out, listener=5), "listener"),  # type: ignore[arg-type]
    (lambda _: xrm.plan(NMC811, 5), "out"),  # type: ignore[arg-type]
    *((lambda out, value=value: xrm.Queue(out / "q").add(NMC811, **value), text) for value, text in anything(
        ({"priority": "high"}, "priority"),
        ({"priority": 1.5}, "priority"),
        ({"at_um": (1,)}, "at_um"),
        ({"at_um": "12"}, "at_um"),
        ({"deadline": "+8h"}, "deadline"),
        ({"deadline": datetime(2126, 11, 29)}, "deadline"),
        ({"minutes": -4}, "minutes"),
        ({"minutes": float("nan")}, "minutes"),
        ({"dose_gy": "5"}, "dose_gy"),
    )),
    (lambda out: xrm.Queue(out / "q").now(NMC811, after="never"), "after"),  # type: ignore[arg-type]
    (lambda out: xrm.Queue(out / "q").limit(end="tomorrow"), "end"),  # type: ignore[arg-type]
    (lambda out: xrm.Queue(out / "q").limit(minutes=-1), "minutes"),
    (lambda _: xrm.Queue(5).list(), "folder"),  # type: ignore[arg-type]
]  # fmt: skip


@pytest.mark.parametrize(("call", "text"), OF_THE_REST)
def test_what_else_is_none_is_named_before_anything_is_written(
    tmp_path: Path, call: Callable[[Path], Any], text: str
) -> None:
    with pytest.raises((DataError, RecipeError), match=text):
        call(tmp_path)
    assert list(tmp_path.iterdir()) == []
