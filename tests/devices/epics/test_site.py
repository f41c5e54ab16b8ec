"""What `xrm doctor` says of a site: in order where it is, and where it is not, what and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import epics
import pytest

from tests.devices.benches import MAP, epics_map
from tests.ioc_process import IocProcess, running_ioc
from xrm_control.core.findings import Finding
from xrm_control.devices.epics import EpicsBackend
from xrm_control.devices.epics.pv_map import PvMap
from xrm_control.recipe.loading import load_document

Limits = dict[str, tuple[float, float] | None]
NO_LIMITS: Limits = dict.fromkeys(("x", "y", "z", "theta"))


@pytest.fixture(scope="module")
def ioc() -> Iterator[IocProcess]:
    with running_ioc(speed=20) as process:
        yield process


def findings(ioc: IocProcess, own: Limits | None = None, **changes: Any) -> list[Finding]:
    return EpicsBackend(map=epics_map(ioc.prefix, **changes)).examine(own or NO_LIMITS)


def bad(found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if not finding.ok]


def test_a_sound_site_is_in_order_and_nothing_has_moved(ioc: IocProcess) -> None:
    before = epics.caget(f"{ioc.prefix}Sample:X.RBV", use_monitor=False)
    found = findings(ioc)
    assert not bad(found)
    looked_at = {finding.what for finding in found}
    assert {"axis x", "camera", "put-completion", "round trip of a read", "array size", "clocks agree"} <= looked_at
    assert epics.caget(f"{ioc.prefix}Sample:X.RBV", use_monitor=False) == before
    assert epics.caget(f"{ioc.prefix}Owner", use_monitor=False) == ""


# changes of the map or the recipe's limits, the finding that goes wrong, and words in it
TROUBLES = [
    ({"axes__y__record": "$(P)Sample:Nowhere"}, None, "axis y", "18 of 18 PVs missing"),
    ({"source__flux": "$(P)Sample:X.DESC"}, None, "shutter and source", "is text"),
    ({"axes__z__record": "$(P)Det:cam1:AcquireTime"}, None, "axis z", "missing"),
    ({"shutter__open__pv": "$(P)Shutter:Fast_RBV"}, None, "shutter and source", "read-only"),
    ({}, {"theta": (-120.0, 120.0)}, "axis theta: limits, units, ready", "lie outside"),
    ({"axes__x__limits": [-2500, 2500]}, None, "axis x: limits, units, ready", "do not lie inside"),
    ({"camera__width_px": 4096}, None, "array size", "room for 1048576"),
]


@pytest.mark.parametrize(("changes", "own", "what", "text"), TROUBLES)
def test_what_is_wrong_is_named_with_a_remedy(
    ioc: IocProcess, changes: dict[str, Any], own: Any, what: str, text: str
) -> None:
    limits = {**NO_LIMITS, **own} if own else None
    wrong = {finding.what: finding for finding in bad(findings(ioc, limits, channel_access__connect_s=2, **changes))}
    assert what in wrong
    assert text in wrong[what].found
    assert wrong[what].remedy


def test_a_missing_permit_is_seen(ioc: IocProcess) -> None:
    assert epics.caput(f"{ioc.prefix}Sim:Fault", '{"kind": "interlock"}', wait=True) == 1
    try:
        assert "interlock" in [finding.what for finding in bad(findings(ioc))]
    finally:
        epics.caput(f"{ioc.prefix}Sim:Clear", 1, wait=True)


@pytest.mark.parametrize("path", sorted(MAP.parent.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_map_that_ships_can_be_loaded(path: Path) -> None:
    assert load_document(path, PvMap)[0].describe().axes.keys() == {"x", "y", "z", "theta"}
