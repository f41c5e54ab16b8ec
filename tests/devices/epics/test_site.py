"""What `xrm doctor` says of a site: in order where it is, and where it is not, what and how to mend it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import epics
import pytest

from tests.devices.benches import MAP, epics_map
from tests.ioc_process import IocProcess, running_ioc
from xrm_control.core.findings import Finding
from xrm_control.devices.backend import Needs
from xrm_control.devices.epics import EpicsBackend
from xrm_control.devices.epics.pv_map import PvMap
from xrm_control.devices.epics.site import round_trip
from xrm_control.recipe.loading import load_document

AXES = ("x", "y", "z", "theta")
NO_LIMITS: dict[str, tuple[float, float] | None] = dict.fromkeys(AXES)
TRAVEL = {"x": (-150.0, 150.0), "y": (-250.0, 250.0), "z": (0.0, 0.0), "theta": (-90.0, 90.0)}
RECIPE = Needs(NO_LIMITS, TRAVEL, ((8, 1.0), (4, 2.0)))


@pytest.fixture(scope="module")
def ioc() -> Iterator[IocProcess]:
    with running_ioc(speed=20) as process:
        yield process


def findings(ioc: IocProcess, needs: Needs = RECIPE, *, expose: bool = False, **changes: Any) -> list[Finding]:
    return EpicsBackend(map=epics_map(ioc.prefix, **changes)).examine(needs, expose=expose)


def bad(found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if not finding.ok]


def get(ioc: IocProcess, name: str, **how: Any) -> Any:
    return epics.caget(ioc.prefix + name, use_monitor=False, **how)


def put(ioc: IocProcess, name: str, value: Any) -> None:
    assert epics.caput(ioc.prefix + name, value, wait=True, timeout=120) == 1, f"{name} was not written"


def until_lost(ioc: IocProcess, lost: bool) -> None:
    """Wait until the controllers' next polls have told the records."""
    for name in ("X", "Y", "Z", "Theta"):
        for _ in range(2400):
            if bool(int(get(ioc, f"Sample:{name}.MSTA")) >> 12 & 1) == lost:
                break
            threading.Event().wait(0.05)


@contextmanager
def planted(ioc: IocProcess, writes: dict[str, Any]) -> Iterator[None]:
    """What somebody did to the IOC; undone in reverse afterwards."""
    before = {name: get(ioc, name) for name in writes if not name.startswith("Sim:")}
    try:
        for name, value in writes.items():
            put(ioc, name, value)
        until_lost(ioc, "disconnect" in str(writes.get("Sim:Fault")))
        yield
    finally:
        for name, value in reversed(before.items()):
            epics.caput(ioc.prefix + name, value, wait=True, timeout=120)
        put(ioc, "Sim:Clear", 1)
        until_lost(ioc, False)


def test_a_sound_site_is_in_order_and_nothing_has_moved_or_been_claimed(ioc: IocProcess) -> None:
    positions = [get(ioc, f"Sample:{name}.RBV") for name in ("X", "Y", "Z", "Theta")]
    counter, kick = get(ioc, "Det:cam1:ArrayCounter_RBV"), get(ioc, "Watchdog:Stroke")
    found = findings(ioc)
    assert not bad(found)
    looked_at = {finding.what for finding in found}
    assert looked_at >= {
        "axis x", "axis x: limits, units, ready", "axis x: speed", "axis x: backlash", "axis x: retry deadband",
        "axis x: offset and direction", "camera", "camera: detector", "camera: idle", "camera: trigger mode",
        "camera: settings", "frames by array: plugin", "element type", "array size", "shutter", "beam", "owner",
        "heartbeat of the IOC", "dead-man", "writes disabled (DISP)", "values", "put-completion",
        "round trip of a read", "clocks agree",
    }  # fmt: skip
    assert [get(ioc, f"Sample:{name}.RBV") for name in ("X", "Y", "Z", "Theta")] == positions
    assert get(ioc, "Det:cam1:ArrayCounter_RBV") == counter
    assert get(ioc, "Watchdog:Stroke") == kick
    assert get(ioc, "Owner") == ""


# Each line is a fault: changes of the map, the finding that goes wrong, and words in it. Those of a block are there at
# once; every one of them is found, and nothing else.
Fault = tuple[dict[str, Any], str, str]
WRONG_MAPS: dict[str, list[Fault]] = {
    "names": [
        ({"axes__y__record": "$(P)Sample:Nowhere"}, "axis y", "PVs missing"),
        ({"axes__x__readback": "{pv: $(P)Sample:Nowhere, agrees_within: 1}"}, "axis x", "Sample:Nowhere"),
        ({"shutter__open__pv": "$(P)Shutter:Fast_RBV"}, "shutter and source", "read-only"),
        ({}, "axis x: encoder", "is not a number"),
    ],
    "types": [
        ({"source__flux": "$(P)Sample:X.DESC"}, "shutter and source", "is text"),
        ({"axes__z__record": "$(P)Det:cam1:AcquireTime"}, "axis z", "missing"),
        ({}, "flux", "no number"),
    ],
    "axes": [
        ({"axes__x__limits": [-2500, 2500]}, "axis x: limits, units, ready", "do not lie inside"),
        ({"axes__x__motor_units": "mm"}, "axis x: limits, units, ready", "EGU is 'um'"),
        ({"axes__x__tolerance": 1e-6}, "axis x: retry deadband", "RDBD"),
        ({"axes__theta__speed": 3000, "axes__theta__acceleration": 6000}, "axis theta: speed", "VELO"),
        ({"axes__x__readback": "{pv: $(P)Sample:Y.RBV, agrees_within: 1, offset: 30}"}, "axis x: encoder", "record"),
        (
            {"axes__z": "{kind: plain, setpoint: $(P)Sample:Z, readback: $(P)Sample:Y.DESC, limits: [-5, 5], "
                        "speed: 1, acceleration: 1, settle_s: 0, tolerance: 1}"},
            "axis z: limits, units, ready",
            "no number",
        ),
        ({}, "axis z", "is text"),
    ],
    "camera": [
        ({"camera__width_px": 4096}, "camera: detector", "the map says 4096"),
        ({"camera__trigger_mode": "Free Run"}, "camera: trigger mode", "Internal"),
        ({"camera__frames__port": "ROI7"}, "frames by array: plugin", "not from 'ROI7'"),
        ({}, "array size", "room for"),
    ],
    "region and folder": [
        ({"camera__region": "{min_x: 1000, size_x: 1024, size_y: 1024}"}, "camera: detector", "reaches beyond"),
        ({"camera__frames": "{kind: hdf5, folder: /nowhere/at/all}"}, "folder of the frames", "is not here"),
    ],
    "binning": [({"camera__readout_s": '{"1": 1.0}'}, "camera: detector", "wants binning 4, 8")],
    "statuses": [
        ({"shutter__is_open__good": "[Opened]"}, "shutter: values", "'Closed', 'Open'"),
        ({"source__permits": "[{pv: $(P)Safety:Permit_RBV, good: ['Allowed']}]"}, "interlock: values", "'Granted'"),
        ({"source__available": "[{pv: $(P)Source:Flux_RBV, good: [Open]}]"}, "beam: values", "holds numbers"),
        ({"supervision__heartbeat": "$(P)Source:Energy_RBV"}, "heartbeat of the IOC", "no change"),
        ({"supervision__tripped": "{pv: $(P)Watchdog:Tripped_RBV, good: [Maybe]}"}, "dead-man: values", "Maybe"),
        ({}, "interlock", "no permit"),
        ({}, "clocks agree", "behind"),
    ],
    "ranges": [({"source__permits": "[{pv: $(P)Source:Flux_RBV, above: 5}]"}, "interlock", "above 5")],
}  # fmt: skip


def told(found: list[Finding], faults: list[Fault]) -> None:
    """Every fault is found, with what to do, and nothing else is said to be wrong."""
    wrong = {finding.what: finding for finding in bad(found)}
    for _, what, text in faults:
        assert what in wrong, f"{what} is missing among {list(wrong)}"
        assert text in wrong[what].found
        assert wrong[what].remedy
    assert set(wrong) <= {what for _, what, _ in faults}


@pytest.mark.parametrize("faults", WRONG_MAPS.values(), ids=WRONG_MAPS.keys())
def test_what_is_wrong_in_a_map_is_told(ioc: IocProcess, faults: list[Fault]) -> None:
    changes = {name: value for fault in faults for name, value in fault[0].items()}
    told(findings(ioc, RECIPE, channel_access__connect_s=2, **changes), faults)


# Likewise what somebody did to the IOC.
FAULTS: dict[str, list[Fault]] = {
    "readiness": [
        ({"Sample:X.SPMG": 0}, "axis x: limits, units, ready", "SPMG is Stop"),
        ({"Sample:X.EGU": "mm"}, "axis x: limits, units, ready", "EGU is 'mm'"),
        ({"Sample:Y.SET": 1}, "axis y: limits, units, ready", "SET is Set"),
        ({"Sample:Z.DHLM": 0, "Sample:Z.DLLM": 0}, "axis z: limits, units, ready", "none at all"),
        ({"Sample:Theta.HLM": 45.0}, "axis theta: limits, units, ready", "[-95, 45]"),
    ],
    "motion": [
        ({"Sample:X.HLM": 100.0}, "axis x: limits, units, ready", "do not lie inside"),
        ({"Sample:X.SPMG": 1}, "axis x: limits, units, ready", "SPMG is Pause"),
        ({"Sample:X.VELO": 5.0}, "axis x: speed", "takes"),
        ({"Sample:X.RDBD": 0.5}, "axis x: retry deadband", "RDBD 0.5"),
        ({"Sample:Theta.BDST": 6.0}, "axis theta: backlash", "beyond the limits"),
    ],
    "backlash the other way": [({"Sample:Theta.BDST": -6.0}, "axis theta: backlash", "beyond the limits")],
    "backlash that ends inside the limits is none": [({"Sample:Theta.BDST": 4.0}, "", "")],
    "camera": [
        ({"Det:image1:NDArrayPort": "ROI1"}, "frames by array: plugin", "'ROI1'"),
        ({"Sample:X.DISP": 1}, "writes disabled (DISP)", "Sample:X.DISP"),
        ({"Shutter:Fast": "Open"}, "shutter", "open"),
    ],
    "late frames": [({"Det:image1:MinCallbackTime": 2.0}, "frames by array: plugin", "dropped")],
    "permit": [({"Sim:Fault": '{"kind": "interlock"}'}, "interlock", "no permit")],
    "a device lost": [
        ({"Sim:Fault": '{"kind": "disconnect"}'}, "values", "INVALID"),
        ({}, "shutter", "neither open nor closed"),
        ({}, "interlock", "no permit"),
        ({}, "flux", "INVALID"),
        ({}, "put-completion", "INVALID"),
        *(({}, f"axis {name}: limits, units, ready", "the controller is lost") for name in AXES),
    ],
}


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS.keys())
def test_each_fault_of_a_site_is_found_with_what_to_do(ioc: IocProcess, faults: list[Fault]) -> None:
    with planted(ioc, {name: value for fault in faults for name, value in fault[0].items()}):
        found = findings(ioc)
    told(found, [fault for fault in faults if fault[1]])


def test_a_live_view_is_seen(ioc: IocProcess) -> None:
    try:
        put(ioc, "Det:cam1:ImageMode", "Continuous")
        epics.caput(f"{ioc.prefix}Det:cam1:Acquire", 1)
        told(findings(ioc), [({}, "camera: idle", "live view")])
    finally:
        epics.caput(f"{ioc.prefix}Det:cam1:Acquire", 0)
        put(ioc, "Det:cam1:ImageMode", "Single")


# what a run sets right by itself, or has to live with, and where it is told
NOTES: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({"Det:cam1:NumImages": 3}, {}, "camera: settings", "NumImages 3"),
    ({"Det:cam1:ImageMode": "Continuous"}, {}, "camera: settings", "ImageMode Continuous"),
    ({"Det:image1:EnableCallbacks": "Disable"}, {}, "frames by array: plugin", "disabled"),
    ({"Sample:X.OFF": 30.0}, {"axes__x__limits": [-1900, 1900]}, "axis x: offset and direction", "OFF 30"),
    ({"Sample:Y.DIR": 1}, {}, "axis y: offset and direction", "DIR Neg"),
    ({"Owner": "ghost@nowhere:7"}, {}, "owner", "ghost"),
    ({"Sim:Fault": '{"kind": "beam_loss"}'}, {}, "beam", "no:"),
    ({}, {"shutter__is_open": "null", "shutter__without_status": "true"}, "shutter", "the last command is believed"),
]


@pytest.mark.parametrize(("writes", "changes", "what", "text"), NOTES, ids=[one[3] for one in NOTES])
def test_what_is_no_fault_and_worth_knowing_is_a_note(
    ioc: IocProcess, writes: dict[str, Any], changes: dict[str, Any], what: str, text: str
) -> None:
    with planted(ioc, writes):
        found = findings(ioc, RECIPE, **changes)
    assert not bad(found)
    notes = {finding.what: finding for finding in found if finding.note}
    assert text in notes[what].found


@pytest.mark.parametrize(
    ("median_ms", "late_ms", "ok", "note"),
    [
        (0.4, 0.1, True, False),
        (19.9, 0.1, True, False),
        (25.0, 0.1, False, False),  # the network or the server is slow, whatever this machine does
        (40.0, 6.0, False, False),  # this machine explains 18 ms of it
        (25.0, 6.0, True, True),
        (40.0, 12.0, True, True),
    ],
)
def test_slow_readings_are_a_fault_unless_this_machine_is_late_itself(
    median_ms: float, late_ms: float, ok: bool, note: bool
) -> None:
    found = round_trip(median_ms, 2 * median_ms, late_ms)
    assert (found.ok, found.note) == (ok, note)
    assert f"{median_ms:.2f} ms" in found.found


def test_an_owner_who_is_alive_is_seen_and_nothing_is_written_then(ioc: IocProcess) -> None:
    ended = threading.Event()

    def kick() -> None:
        epics.ca.use_initial_context()
        number = 1
        while not ended.wait(0.2):
            number += 1
            epics.caput(f"{ioc.prefix}Watchdog:Stroke", number)

    someone = threading.Thread(target=kick)
    put(ioc, "Watchdog:Stroke", 1)
    someone.start()
    try:
        with planted(ioc, {"Owner": "somebody@elsewhere:1"}):
            found = {finding.what: finding for finding in findings(ioc, expose=True)}
    finally:
        ended.set()
        someone.join()
        put(ioc, "Watchdog:Stroke", 0)
    assert not found["owner"].ok
    assert "somebody@elsewhere:1" in found["owner"].found
    assert found["put-completion"].found == "not tried"
    assert not found["test frame"].ok


def test_the_recipes_own_limits_are_held_against_the_records(ioc: IocProcess) -> None:
    needs = Needs({**NO_LIMITS, "theta": (-120.0, 120.0)}, TRAVEL)
    wrong = {finding.what: finding for finding in bad(findings(ioc, needs))}
    assert "lie outside" in wrong["axis theta: limits, units, ready"].found


@pytest.mark.parametrize("kind", ["array", "hdf5"])
def test_a_test_frame_is_taken_as_a_run_takes_one_with_the_shutter_closed(
    ioc: IocProcess, tmp_path: Path, kind: str
) -> None:
    changes: dict[str, Any] = {} if kind == "array" else {"camera__frames": f"{{kind: hdf5, folder: {tmp_path}}}"}
    before = [get(ioc, f"Sample:{name}.RBV") for name in ("X", "Y", "Z", "Theta")]
    with planted(ioc, {"Shutter:Fast": "Open"}):
        found = {finding.what: finding for finding in findings(ioc, RECIPE, expose=True, **changes)}
        assert get(ioc, "Shutter:Fast_RBV", as_string=True) == "Closed"
        put(ioc, "Shutter:Fast", "Closed")
    frame = found["test frame"]
    assert frame.ok, frame
    # The recipe's last stage: binning 4.
    assert "256 x 256 uint16" in frame.found
    assert float(frame.found.partition("median ")[2].partition(",")[0]) < 1000
    assert [get(ioc, f"Sample:{name}.RBV") for name in ("X", "Y", "Z", "Theta")] == before
    assert get(ioc, "Owner") == ""
    assert len(list(tmp_path.glob("*.h5"))) == (2 if kind == "hdf5" else 0)


def test_light_behind_the_closed_shutter_is_found(ioc: IocProcess) -> None:
    put(ioc, "Sim:Fault", json.dumps({"kind": "light_leak_frame", "times": 9}))
    try:
        wrong = {finding.what: finding for finding in bad(findings(ioc, expose=True))}
    finally:
        put(ioc, "Sim:Clear", 1)
    assert "light behind the closed shutter" in wrong["test frame"].found


def test_a_test_frame_that_never_comes_says_so(ioc: IocProcess, tmp_path: Path) -> None:
    with planted(ioc, {"Det:image1:NDArrayPort": "ROI1"}):
        wrong = {finding.what: finding for finding in bad(findings(ioc, expose=True))}
    assert "unique id does not follow" in wrong["test frame"].found


def test_without_any_ioc_there_is_no_traceback(ioc: IocProcess) -> None:
    found = EpicsBackend(map=epics_map("NOBODY:", channel_access__connect_s=1)).examine(RECIPE, expose=True)
    assert bad(found) == found
    assert "missing" in found[0].found


@pytest.mark.parametrize("path", sorted(MAP.parent.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_map_that_ships_can_be_loaded(path: Path) -> None:
    assert load_document(path, PvMap)[0].describe().axes.keys() == set(AXES)
