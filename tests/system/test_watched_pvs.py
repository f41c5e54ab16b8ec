"""Conditions over Channel Access: any PV may be watched; one that is missing or not connected is not believed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import epics
import pytest

from tests.devices.benches import epics_map
from tests.ioc_process import IocProcess, running_ioc
from tests.system.conftest import write_recipe
from tests.system.over_channel_access import SMALL, Run
from xrm_control import app
from xrm_control.core.errors import ConditionBroken
from xrm_control.core.events import (
    ConditionEnded,
    ConditionViolated,
    FrameRetaken,
    RunHeld,
    RunReleased,
    SafeStateVerified,
)
from xrm_control.storage.journal import JournalReader

pytestmark = pytest.mark.usefixtures("white_figures", "searched_once")


@pytest.fixture(scope="module")
def ioc() -> Iterator[IocProcess]:
    with running_ioc(speed=40.0, specimen="nmc811") as found:
        yield found


def fault(ioc: IocProcess, **words: Any) -> None:
    epics.ca.use_initial_context()
    assert epics.caput(f"{ioc.prefix}Sim:Fault", json.dumps(words), wait=True, timeout=60) == 1


FLUX = {"value": "light", "low": 0.8, "back_for_s": 20}
NAMED = {"watched": {"light": "$(P)Source:Flux_RBV"}}


def test_a_pv_below_its_limit_is_held_for(tmp_path: Path, ioc: IocProcess) -> None:
    """Not by so much that it would count as beam that was lost."""
    dip = {"roi-01/proj_0003": lambda: fault(ioc, kind="flux", factor=0.6, duration_s=60.0)}
    run = Run(tmp_path, ioc, dip, conditions=[FLUX], map_changes=NAMED)
    assert run.is_whole(), run.error
    (violated,) = [event for event in run.events if isinstance(event, ConditionViolated)]
    (ended,) = [event for event in run.events if isinstance(event, ConditionEnded)]
    assert violated.condition == "light"
    assert 0.55 < float(violated.value) < 0.65
    # On a busy machine the IOC's heartbeat may be late besides.
    (held,) = [text for text in run.texts(RunHeld.kind) if "light is 0." in text]
    assert f"{held}: over" in run.texts(RunReleased.kind)
    # Nothing that was kept was exposed from the dip to its end; and the safe state was verified in between.
    with JournalReader.open(run.folder / "journal.sqlite") as journal:
        spans = [(frame.exposure.t_start_s, frame.exposure.t_end_s) for _, frame in journal.stored_frames()]
    over_s = violated.since_s + ended.lasted_s
    assert not [span for span in spans if span[0] < over_s and span[1] > violated.since_s + 1.0]
    assert ended.lasted_s > 60.0
    safe = [event for event in run.events if isinstance(event, SafeStateVerified)]
    assert any(violated.t_s <= event.t_s <= over_s for event in safe)
    assert all("light was out of order" in text for text in run.texts(FrameRetaken.kind))


def test_a_pv_that_is_not_there_is_never_believed(tmp_path: Path, ioc: IocProcess) -> None:
    missing = {"value": "$(P)Nobody:Knows", "low": 0, "patience_min": 1}
    run = Run(tmp_path, ioc, conditions=[missing], map_changes={"channel_access": {"connect_s": 1.0}})
    assert isinstance(run.error, ConditionBroken)
    assert "not connected" in str(run.error)
    assert run.kept() == []


def test_the_doctor_reads_what_is_watched(tmp_path: Path, ioc: IocProcess) -> None:
    instrument = {"backend": "epics", "map": epics_map(ioc.prefix, **NAMED).model_dump(mode="json")}
    conditions = [FLUX, {"value": f"{ioc.prefix}Nobody:Knows", "low": 0}]
    loaded = app.load(write_recipe(tmp_path, **{**SMALL, "instrument": instrument, "conditions": conditions}))
    found = {finding.what: finding for finding in app.examine(loaded) if finding.what.startswith("condition ")}
    assert found["condition light"].ok
    assert found["condition light"].found[:2] in ("0.", "1.")
    (other,) = [finding for finding in found.values() if not finding.ok]
    assert (other.what, other.found) == (f"condition {ioc.prefix}Nobody:Knows", "not connected")
