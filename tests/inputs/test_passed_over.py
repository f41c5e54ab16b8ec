"""What a file says of scale, numbers and movement in an unusual way is understood or refused, never passed over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.inputs.balls import check_ball
from tests.inputs.files import THETA, Quantity, ball_scan, data_exchange, nxtomo, nxtomo_content
from xrm_control.core.errors import DataError
from xrm_control.storage.formats.registry import read_scan
from xrm_control.storage.formats.scan_file import ScanOptions
from xrm_control.storage.formats.units import factor

VIEWS = len(THETA)
FRAMES = ball_scan().projections[:]
_MEASURED = "measurement__instrument__"
RESOLUTION = f"{_MEASURED}detection_system__objective__resolution"
POWER = f"{_MEASURED}detection_system__objective__magnification"
CAMERA = f"{_MEASURED}detector__pixel_size"
NX_PIXEL = "instrument__detector__x_pixel_size"
Write = Callable[[Path], Path]


def exchange(**change: Any) -> Write:
    return lambda folder: data_exchange(folder / "a.h5", **change)


def nexus(**change: Any) -> Write:
    return lambda folder: nxtomo(folder / "a.nx", **change)


def with_attribute(write: Write, name: str, **attributes: Any) -> Write:
    """Attributes of a dataset, in place of its unit."""

    def act(folder: Path) -> Path:
        path = write(folder)
        with h5py.File(path, "a") as file:
            file[name].attrs.pop("units", None)
            file[name].attrs.update(attributes)
        return path

    return act


_WHERE = RESOLUTION.replace("__", "/")
UNDERSTOOD: dict[str, Write] = {
    "one in a table": exchange(**{RESOLUTION: Quantity(np.array([[0.5]]), "um")}),
    "x and y": exchange(**{RESOLUTION: Quantity(np.array([0.5, 0.5]), "um")}),
    "a text": exchange(**{RESOLUTION: b"0.5"}),
    "a text with its unit": exchange(**{RESOLUTION: b"500 nm"}),
    "a text with an exponent": nexus(**{NX_PIXEL: b"5e-7"}),
    "the attribute Units": with_attribute(exchange(**{RESOLUTION: 500.0}), _WHERE, Units="nm"),
    "the attribute UNIT": with_attribute(exchange(**{RESOLUTION: 500.0}), _WHERE, UNIT=b"nm"),
    "10x": exchange(**{RESOLUTION: None, CAMERA: Quantity(5.0, "um"), POWER: b"10x"}),
    "binned pixels as the resolution says": exchange(
        **{
            CAMERA: Quantity(2.5, "um"),
            POWER: 10.0,
            f"{_MEASURED}detector__binning_x": 2,
        }
    ),
    "the camera's own pixel beside": nexus(
        instrument__detector__real_x_pixel_size=Quantity(5e-6, "m"), instrument__detector__magnification=10.0
    ),
    "no magnification to speak of": nexus(instrument__detector__magnification=1.0),
    "angles in a column": exchange(exchange__theta=Quantity(THETA[:, None], "degrees")),
    "degree(s)": exchange(exchange__theta=Quantity(THETA, "degree(s)")),
    "Units of angles": with_attribute(exchange(exchange__theta=np.radians(THETA)), "exchange/theta", Units="rad"),
    "one flat without a dimension for it": exchange(exchange__data_white=ball_scan(None).flats[0]),
    "all frames with one factor": with_attribute(nexus(), "entry/instrument/detector/data", scaling_factor=0.5),
}


@pytest.mark.parametrize("write", UNDERSTOOD.values(), ids=UNDERSTOOD)
def test_said_in_an_unusual_way(tmp_path: Path, write: Write) -> None:
    check_ball(write(tmp_path))


_MOVING = Quantity(np.linspace(0, 2e-5, VIEWS + 15), "m")
REFUSED: dict[str, tuple[Write, str]] = {
    "oblong pixels": (exchange(**{RESOLUTION: Quantity(np.array([0.5, 1.0]), "um")}), "no squares"),
    "a text that is none": (exchange(**{RESOLUTION: b"see log"}), "decides the scale.*'see log'.*--pixel-size-um"),
    "no number": (exchange(**{RESOLUTION: Quantity(np.nan, "um")}), "decides the scale.*nan"),
    "below zero": (exchange(**{RESOLUTION: Quantity(-0.5, "um")}), "decides the scale.*-0.5"),
    "at the sample no number, the camera's beside": (
        nexus(sample__x_pixel_size=Quantity(np.nan, "m"), **{NX_PIXEL: Quantity(5e-6, "m")}),
        "sample/x_pixel_size: decides the scale",
    ),
    "at the sample a text, the camera's beside": (
        nexus(sample__x_pixel_size=b"half a um", **{NX_PIXEL: Quantity(5e-6, "m")}),
        "sample/x_pixel_size: decides the scale",
    ),
    "a camera behind a lens": (
        nexus(instrument__detector__magnification=10.0, **{NX_PIXEL: Quantity(5e-6, "m")}),
        "the camera's or at the sample.*--pixel-size-um 0.5 or 5",
    ),
    "the lens elsewhere": (
        nexus(instrument__optics__magnification=4.0, **{NX_PIXEL: Quantity(2e-6, "m")}),
        "--pixel-size-um 0.5 or 2",
    ),
    "a binned camera": (
        exchange(**{RESOLUTION: None, CAMERA: Quantity(2.5, "um"), POWER: 10.0, f"{_MEASURED}detector__binning_x": 2}),
        "binned.*--pixel-size-um 0.5 or 0.25",
    ),
    "a binned detector": (nexus(instrument__detector__binning=2), "--pixel-size-um 1 or 0.5"),
    "a magnification of zero": (
        exchange(**{RESOLUTION: None, CAMERA: Quantity(5.0, "um"), POWER: 0.0}),
        "magnification is no number above zero.*5 um",
    ),
    "a magnification in words": (
        exchange(**{RESOLUTION: None, CAMERA: Quantity(5.0, "um"), POWER: b"high"}),
        "magnification is no number above zero.*'high'",
    ),
    "a factor of the projections alone": (
        with_attribute(exchange(), "exchange/data", scale_factor=2.0, add_offset=100.0),
        "exchange/data: the numbers are stored with a factor.*data: x 2 \\+ 100.*plain counts",
    ),
    "a factor of the flats alone": (with_attribute(exchange(), "exchange/data_white", slope=0.5), "data_white: x 0.5"),
    "keys between two": (
        nexus(instrument__detector__image_key=nxtomo_content(ball_scan())["entry/instrument/detector/image_key"] + 0.4),
        "is no key of a frame",
    ),
    "a key that is none": (
        nexus(instrument__detector__image_key=np.full(VIEWS + 15, np.nan)),
        "is no key of a frame",
    ),
    "a helix": (nexus(sample__z_translation=_MOVING), "sample/z_translation.*pixels from projection to projection"),
    "a sample that travels": (nexus(sample__x_translation=_MOVING), "no scan about one axis"),
    "angles of the projections alone": (nexus(sample__rotation_angle=Quantity(THETA, "degree")), "61.*76.*--angles"),
    "no angles": (exchange(exchange__theta=None), "does not say the angles.*--start and --end"),
    "another order of dimensions": (
        exchange(
            **{f"exchange__{name}": FRAMES.transpose(1, 0, 2) for name in ("data", "data_white", "data_dark")},
        ),
        r"61 angles, frames \(21, 61, 41\).*\(views, rows, columns\)",
    ),
    "frames elsewhere": (
        exchange(exchange__data=None, exchange__images=FRAMES),
        r"HDF5 with .*/exchange/images \(61, 21, 41\).*exchange/data_white",
    ),
}


@pytest.mark.parametrize(("write", "says"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_understood_is_asked_for(tmp_path: Path, write: Write, says: str) -> None:
    path = write(tmp_path)
    with pytest.raises(DataError, match=says) as caught:
        read_scan(path)
    assert path.name in str(caught.value)


@pytest.mark.parametrize("name", ["no number", "a camera behind a lens", "a binned camera", "a magnification in words"])
def test_the_operator_may_state_it(tmp_path: Path, name: str) -> None:
    path = REFUSED[name][0](tmp_path)
    assert read_scan(path, ScanOptions(pixel_size_um=0.5)).pixel_size_um == 0.5


def test_a_little_movement_is_said(tmp_path: Path) -> None:
    for axis, step_um, said in (("x", 1.0, True), ("y", 0.2, False)):
        moved = Quantity(np.linspace(0, step_um, VIEWS + 15), "um")
        found = read_scan(nexus(**{f"sample__{axis}_translation": moved})(tmp_path))
        assert any("was not taken into account" in note for note in found.origins.notes) == said


@pytest.mark.parametrize(
    ("link", "says"),
    [
        (h5py.SoftLink("/nowhere"), "is a link to /nowhere, and that is not there"),
        (h5py.ExternalLink("gone.h5", "/data"), r"is a link to /data in the file gone\.h5"),
    ],
)
def test_links_that_lead_nowhere(tmp_path: Path, link: Any, says: str) -> None:
    path = data_exchange(tmp_path / "a.h5", exchange__data=None)
    with h5py.File(path, "a") as file:
        file["exchange/data"] = link
    with pytest.raises(DataError, match=says):
        read_scan(path)


def test_a_filter_that_is_not_installed(tmp_path: Path) -> None:
    path = data_exchange(tmp_path / "a.h5", exchange__data=None)
    with h5py.File(path, "a") as file:
        made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        made.set_chunk((1, *FRAMES.shape[1:]))
        made.set_filter(32004, h5py.h5z.FLAG_OPTIONAL, (0, 0))
        space = h5py.h5s.create_simple(FRAMES.shape)
        h5py.h5d.create(file["exchange"].id, b"data", h5py.h5t.NATIVE_UINT16, space, made)
    with pytest.raises(DataError, match=r"cannot undo .*HDF5 filter 32004.*h5repack"):
        read_scan(path)


@pytest.mark.parametrize(
    ("unit", "kev"), [("keV", 8.0), ("eV", 0.008), (None, 8.0), ("furlong", None), ("MeV", 8000.0)]
)
def test_energies(tmp_path: Path, unit: str | None, kev: float | None) -> None:
    place = f"{_MEASURED}monochromator__energy"
    assert read_scan(exchange(**{place: Quantity(8.0, unit)})(tmp_path)).energy_kev == kev
    assert read_scan(exchange(**{place: Quantity(8047.0)})(tmp_path)).energy_kev == pytest.approx(8.047)


@pytest.mark.parametrize("unit", ["(((", "um**", "'", "lambda x: x", "-um", "um\n;um", "m" * 10_000, "9um", "\0"])
def test_what_is_no_unit_at_all(unit: str) -> None:
    assert factor(unit, "um") is None
