"""Operator screens: well formed, of widgets that Phoebus knows, laid out without overlaps, naming PVs that exist."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path

import pytest

import simulators.ioc
from simulators.ioc.fault_commands import parse
from simulators.ioc.instrument import Instrument, IocConfig

SCREENS = sorted((Path(simulators.ioc.__file__).parent / "screens").glob("*.bob"))
# Types and versions as in `org.csstudio.display.builder.model.widgets` of Phoebus.
KNOWN = {
    **dict.fromkeys(
        (
            "label",
            "textupdate",
            "textentry",
            "led",
            "multi_state_led",
            "byte_monitor",
            "bool_button",
            "combo",
            "image",
            "progressbar",
            "group",
            "rectangle",
        ),
        "2.0.0",
    ),
    "action_button": "3.0.0",
}
BEHIND = {"rectangle"}
Box = tuple[int, int, int, int]


def screens() -> list[ET.Element]:
    return [ET.parse(path).getroot() for path in SCREENS]


def macros(screen: ET.Element) -> dict[str, str]:
    found = screen.find("macros")
    return {} if found is None else {macro.tag: macro.text or "" for macro in found}


def pv_names(screen: ET.Element) -> Iterator[str]:
    """All PVs that a screen names, those within formulas too, with its macros expanded."""
    for element in screen.iter("pv_name"):
        text = re.sub(r"\$\((\w+)\)", lambda match: macros(screen)[match[1]], element.text or "")
        if text.startswith("="):
            yield from re.findall(r"`([^`]+)`", text)
        elif not text.startswith("loc://"):
            yield text


def unknown(screen: ET.Element, pvdb: Mapping[str, object]) -> set[str]:
    return set(pv_names(screen)) - set(pvdb)


def box(widget: ET.Element) -> Box:
    x, y, width, height = (int(widget.findtext(tag, "-1")) for tag in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def problems(parent: ET.Element, width: int, height: int) -> list[str]:
    """What is wrong with the layout within a display or group of that size."""
    found = []
    children = parent.findall("widget")
    for child in children:
        name, (x0, y0, x1, y1) = child.findtext("name"), box(child)
        if x0 < 0 or y0 < 0 or x1 <= x0 or y1 <= y0 or x1 > width or y1 > height:
            found.append(f"{name} leaves its parent")
        if child.get("type") == "group":
            found += problems(child, x1 - x0, y1 - y0)
    solid = [child for child in children if child.get("type") not in BEHIND]
    found += [
        f"{a.findtext('name')} on {b.findtext('name')}" for a, b in combinations(solid, 2) if overlap(box(a), box(b))
    ]
    return found


@pytest.fixture(scope="module")
def pvdb() -> Mapping[str, object]:
    return Instrument(IocConfig(specimen="empty")).pvdb


def test_there_is_a_screen() -> None:
    assert [path.name for path in SCREENS] == ["xrm_microscope.bob"]


@pytest.mark.parametrize("screen", screens())
def test_widgets_are_known_to_phoebus(screen: ET.Element) -> None:
    widgets = list(screen.iter("widget"))
    assert (screen.tag, screen.get("version")) == ("display", "2.0.0")
    assert len(widgets) > 100
    assert {(widget.get("type"), widget.get("version")) for widget in widgets} <= set(KNOWN.items())
    names = [widget.findtext("name") for widget in widgets]
    assert len(set(names)) == len(names)
    assert all(action.get("type") == "write_pv" for action in screen.iter("action"))


@pytest.mark.parametrize("screen", screens())
def test_widgets_lie_within_their_parents_and_beside_each_other(screen: ET.Element) -> None:
    assert problems(screen, int(screen.findtext("width", "0")), int(screen.findtext("height", "0"))) == []


@pytest.mark.parametrize("screen", screens())
def test_every_pv_exists(screen: ET.Element, pvdb: Mapping[str, object]) -> None:
    assert unknown(screen, pvdb) == set()
    assert {name.split(":")[1] for name in pv_names(screen)} >= {
        *("Sample", "ZonePlate", "Condenser", "Camera", "Det", "Shutter", "FrontEnd", "Safety", "Source"),
        *("Scan", "Watchdog", "Owner", "Sim", "IOC"),
    }


@pytest.mark.parametrize("screen", screens())
def test_faults_that_its_buttons_order_make_sense(screen: ET.Element) -> None:
    orders = [
        action.findtext("value", "")
        for action in screen.iter("action")
        if action.findtext("pv_name") == "$(P)Sim:Fault"
    ]
    assert len(orders) == len(set(orders)) == 12
    own = {"read_only", "silent"}
    assert {parse(order, 0.0).kind for order in orders if json.loads(order)["kind"] not in own} >= {
        *("beam_loss", "interlock", "stuck_shutter", "disconnect", "stall", "limit"),
        *("dropped_frame", "repeated_frame", "nan_frame"),
    }


def screen_of(*widgets: str) -> ET.Element:
    return ET.fromstring(
        f'<display version="2.0.0"><macros><P>XRM:</P></macros><width>100</width><height>50</height>{"".join(widgets)}'
        "</display>"
    )


def widget(name: str, x: int, width: int, pv: str = "$(P)Sample:X.RBV") -> str:
    return (
        f'<widget type="textupdate" version="2.0.0"><name>{name}</name><pv_name>{pv}</pv_name><x>{x}</x><y>0</y>'
        f"<width>{width}</width><height>20</height></widget>"
    )


@pytest.mark.parametrize(
    ("pv", "missing"),
    [
        ("$(P)Sample:X.RBV", set()),
        ("$(P)Sample:W.RBV", {"XRM:Sample:W.RBV"}),
        ("loc://anything(0)", set()),
        ("= `$(P)Scan:ImagesTotal` + `$(P)Scan:Images`", {"XRM:Scan:Images"}),
    ],
)
def test_an_unknown_pv_is_found(pv: str, missing: set[str], pvdb: Mapping[str, object]) -> None:
    assert unknown(screen_of(widget("a", 0, 10, pv)), pvdb) == missing


@pytest.mark.parametrize(
    ("widgets", "found"),
    [
        ((("a", 0, 50), ("b", 50, 50)), []),
        ((("a", 0, 50), ("b", 49, 50)), ["a on b"]),
        ((("a", 60, 50),), ["a leaves its parent"]),
    ],
)
def test_a_bad_layout_is_found(widgets: tuple[tuple[str, int, int], ...], found: list[str]) -> None:
    assert problems(screen_of(*(widget(*one) for one in widgets)), 100, 50) == found
