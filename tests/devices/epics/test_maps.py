"""What a PV map can say of a real site, what it is refused for, and what the template says in its comments."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.devices.benches import MAP
from xrm_control.core.errors import RecipeError
from xrm_control.devices.epics.inventory import all_pvs, commanded_pvs, groups, urgent_pvs, written_pvs
from xrm_control.devices.epics.pv_map import PvMap
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.loading import load_document, load_text
from xrm_control.recipe.planning import make_plan

TEMPLATE = MAP.with_name("site_template.yaml")
PIEZO = {
    "kind": "plain", "setpoint": "P:Out", "readback": "P:In", "limits": [-40, 40], "speed": 100, "acceleration": 1e4,
    "settle_s": 0.1, "tolerance": 0.05,
}  # fmt: skip
ENCODER = {"pv": "E:X", "agrees_within": 1}
FRONT = {"open": {"pv": "F:O", "value": 1}, "close": {"pv": "F:C", "value": 1}, "is_open": {"pv": "F:S", "above": 0}}


def a_map(**changes: Any) -> PvMap:
    overrides = {name.replace("__", "."): json.dumps(value) for name, value in changes.items()}
    return load_document(MAP, PvMap, overrides)[0]


# changes of the shipped map, PVs that a run then reads, and that stopping reaches on its own circuit
CAN_SAY: list[tuple[dict[str, Any], set[str], set[str]]] = [
    ({"axes__z": PIEZO}, {"P:Out", "P:In"}, {"P:Out", "P:In"}),
    ({"blocker": FRONT}, {"F:O", "F:C", "F:S"}, {"F:O", "F:C", "F:S"}),
    (
        {"axes__z": {**PIEZO, "done": {"pv": "P:Done", "good": ["Yes"]}, "stop": {"pv": "P:Stop", "value": 1}}},
        {"P:Done", "P:Stop"},
        {"P:Stop", "P:Done"},
    ),
    ({"axes__x__readback": ENCODER}, {"E:X"}, set()),
    ({"shutter__upstream": [FRONT]}, {"F:O", "F:C", "F:S"}, {"F:C", "F:S"}),
    ({"shutter__is_closed": {"pv": "B:S", "range": [0, 0.1]}}, {"B:S"}, {"B:S"}),
    ({"camera__frames": {"kind": "tiff", "folder": "/data"}}, {"XRM:Det:TIFF1:FullFileName_RBV"}, set()),
    ({"camera__has_binning": False, "camera__readout_s": {"1": 1}}, set(), set()),
    ({"camera__region": {"min_x": 10, "size_x": 1024, "size_y": 1024}}, set(), set()),
    ({"source__available": [], "source__permits": [], "source__flux": None}, set(), set()),
]


@pytest.mark.parametrize(("changes", "read", "urgent"), CAN_SAY, ids=[" ".join(one[0]) for one in CAN_SAY])
def test_what_a_map_says_is_reached(changes: dict[str, Any], read: set[str], urgent: set[str]) -> None:
    found = a_map(**changes)
    known = set(all_pvs(found))
    assert read <= known
    assert urgent <= set(urgent_pvs(found)) <= known
    assert set(written_pvs(found)) <= known
    assert set(commanded_pvs(found)) <= set(written_pvs(found))
    assert all(groups(found).values())


def test_a_camera_without_binning_has_no_binning_pvs() -> None:
    found = a_map(camera__has_binning=False, camera__readout_s={"1": 1})
    assert not [pv for pv in all_pvs(found) if "Bin" in pv]


# changes of the shipped map, and words of the refusal
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"axes__z": {**PIEZO, "record": "S:Z"}}, "axes.z.record: unknown key"),
    ({"axes__z": {**PIEZO, "kind": "piezo"}}, "unknown kind 'piezo'"),
    ({"axes__x__readback": {"pv": "E:X"}}, "agrees_within: is missing"),
    ({"axes__x__readback": {**ENCODER, "per_motor_unit": 0}}, "must be more than 0"),
    ({"shutter__is_open": None}, "without_status: true"),
    ({"shutter__without_status": True}, "take one of them away"),
    ({"shutter__is_closed": {"pv": "$(P)FrontEnd:Status_RBV", "good": [0]}}, "would wait for ever"),
    ({"camera__has_binning": False}, "may name binning 1 only"),
    ({"camera__region": {"size_x": 512, "size_y": 512}}, "must be the region's"),
    ({"camera__trigger_mode": ""}, "trigger_mode"),
    ({"source__permits": [{"pv": "A:B"}]}, "says nothing"),
    ({"source__permits": [{"pv": "A:B", "good": [1], "above": 0}]}, "more than one thing"),
    ({"supervision__tripped": {"pv": "A:B", "range": [1]}}, "range[1]: is missing"),
    # What was copied and not changed, and what was forgotten.
    ({"axes__z__record": "$(P)Sample:X"}, "axes.z.record and axes.x.record are the same PV, XRM:Sample:X"),
    ({"axes__z": {**PIEZO, "setpoint": "$(P)Sample:Y.VAL"}}, "axes.z.setpoint and axes.y.record are the same PV"),
    ({"axes__z": {**PIEZO, "readback": "P:Out"}}, "axes.z.setpoint and axes.z.readback are the same PV, P:Out"),
    ({"axes__x__readback": ENCODER, "axes__y__readback": ENCODER}, "axes.y.readback and axes.x.readback are the same"),
    ({"supervision__kick": "$(P)IOC:Beat_RBV"}, "supervision.kick and supervision.heartbeat are the same PV"),
    ({"supervision__owner": "$(P)Scan:RunName"}, "scan_status (RunName) and supervision.owner are the same PV"),
    ({"axes__y__record": "$(P)Shutter:Fast"}, "a command of the shutters and axes.y.record are the same PV"),
    ({"blocker": {**FRONT, "close": {"pv": "$(P)Shutter:Fast", "value": 0}}}, "a command of the blocker and a command"),
    ({"shutter__upstream": [FRONT, FRONT]}, "two shutters have the same commands"),
    ({"axes__theta__units": "um"}, "axes.theta.units: must be deg, is um"),
    ({"axes__x__units": "deg"}, "axes.x.units: must be um, is deg"),
    ({"axes__z__record": "$(P)Sample:Z.VAL"}, "the record's name without a field, $(P)Sample:Z"),
    ({"axes__z__record": "$(p)Sample:Z"}, "only $(P), the map's prefix, can stand in a name: $(p)Sample:Z"),
    ({"source__flux": "${P}Flux"}, "only $(P), the map's prefix"),
    ({"prefix": "XRM: "}, "prefix"),
]


@pytest.mark.parametrize(("changes", "text"), REFUSED, ids=[one[1] for one in REFUSED])
def test_a_map_that_says_nothing_or_too_much_is_refused_with_its_place(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(text)) as caught:
        a_map(**changes)
    assert next(iter(changes)).replace("__", ".").split(".")[0] in str(caught.value)


def test_an_axis_of_rotation_without_units_is_refused() -> None:
    text = MAP.read_text().replace("    units: deg\n", "")
    with pytest.raises(RecipeError, match=r"axes\.theta\.units: must be deg, is um \(which is what none means\)"):
        load_text(text, PvMap, name="map")


def test_one_command_may_close_several_shutters() -> None:
    second = {**FRONT, "open": {"pv": "F:O2", "value": 1}, "is_open": {"pv": "F:S2", "above": 0}}
    assert len(a_map(shutter__upstream=[FRONT, second]).shutter.in_order) == 3


def test_a_recipe_whose_binning_the_camera_does_not_have_is_refused_before_anything_moves() -> None:
    recipe = load_document(MAP.parents[1] / "nmc811_screening.yaml", Recipe)[0]
    camera = a_map(camera__has_binning=False, camera__readout_s={"1": 1}).describe()
    with pytest.raises(RecipeError, match=r"binning: the camera does not have this binning \(value 8, limit 1\)"):
        make_plan(recipe, camera)


def uncommented(*blocks: str) -> str:
    """The template with the blocks that begin with these comments; what they stand for is dropped by the last key."""
    text = TEMPLATE.read_text(encoding="utf-8")
    for block in blocks:
        lines = text.splitlines()
        start = next(number for number, line in enumerate(lines) if line.strip().startswith(f"# {block}"))
        indent = len(lines[start]) - len(lines[start].lstrip())
        end = start
        while end < len(lines) and lines[end].startswith(" " * indent + "# ") and (
            end == start or lines[end][indent + 2] == " "
        ):  # fmt: skip
            lines[end] = lines[end][:indent] + lines[end][indent + 2 :]
            end += 1
        text = "\n".join(lines) + "\n"
    return text


@pytest.mark.parametrize(
    "block",
    ["readback:", "port:", "region:", "upstream:", "closing:", "- {pv: \"S:SR", "kick:", "tripped:", "owner:",
     "blocker:"],
)  # fmt: skip
def test_each_comment_of_the_template_that_adds_something_is_valid(block: str) -> None:
    plain = load_text(TEMPLATE.read_text(encoding="utf-8"), PvMap)[0]
    found = load_text(uncommented(block), PvMap)[0]
    assert found != plain or block == "closing:"


def test_the_templates_piezo_and_files_can_be_put_in() -> None:
    text = uncommented("z:", "frames:")
    lines = text.splitlines()
    # What they replace: the motor record z, the array plugin.
    first = lines.index("  z:")
    del lines[first : first + 9]
    array = next(number for number, line in enumerate(lines) if line.startswith("  frames:"))
    del lines[array : array + 4]
    found = load_text("\n".join(lines), PvMap)[0]
    assert found.axes["z"].kind == "plain"
    assert found.camera.frames.kind == "hdf5"


FORMER = {
    "beat": "heartbeat", "beat_max_age_s": "heartbeat_max_age_s", "stroke": "kick", "stroke_every_s": "kick_every_s",
    "scan_panel": "scan_status",
}  # fmt: skip


@pytest.mark.parametrize(("former", "now"), FORMER.items(), ids=FORMER.keys())
def test_a_key_that_was_renamed_is_told_by_its_new_name(former: str, now: str) -> None:
    text = MAP.read_text()
    text = text + f"\n{former}: {{}}\n" if former == "scan_panel" else text.replace("  heartbeat:", f"  {former}:")
    with pytest.raises(RecipeError, match=f"{former}: unknown key; it is called '{now}' now"):
        load_text(text, PvMap, name="map")
