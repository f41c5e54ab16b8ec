"""The morning page: everything is on it, as text, and it needs nothing but itself."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_messages import HOSTILE
from tests.reporting.page import Page
from xrm_control.contracts.morning import Evidence, Hold, Morning, MorningItem, RegionFate
from xrm_control.contracts.outcomes import FrameOutcomes
from xrm_control.contracts.queue import Budget, Item, ItemCost, ItemEntry, QueueSettings, Sitting
from xrm_control.core.clock import utc_now
from xrm_control.core.queue_states import ItemState
from xrm_control.core.states import RoiState, Verdict
from xrm_control.processing.morning import morning
from xrm_control.reporting.morning import build_page
from xrm_control.storage.queue_folder import Contents, QueueFolder

COST = ItemCost(
    total_s=600, beam_s=300, dose_gy=1e5, frames=40, rois=1, disk_bytes=10, keep_free_bytes=0
)  # fmt: skip
JPEG = b"\xff\xd8\xff" + b"0" * 100


def item(number: int, *states: ItemState, reason: str = "") -> Item:
    start = utc_now()
    entries = [
        ItemEntry(state=state, utc=start + timedelta(minutes=at), by="op@host", reason=reason if at else "added")
        for at, state in enumerate((ItemState.WAITING, *states))
    ]
    return Item(
        number=number,
        name=f"sample-{number}",
        source="r.yaml",
        recipe_sha256="0" * 64,
        instrument="simulated-0",
        simulated=True,
        cost=COST,
        position=float(number),
        history=tuple(entries),
    )


def made(folder: Path, reason: str = "", **settings: Any) -> Morning:
    """A queue with an item of each fate, and evidence of the first two."""
    run = ItemState.RUNNING
    found = [
        item(1, run, ItemState.DONE, reason="complete"),
        item(2, run, ItemState.FAILED, reason=reason or "the shutter is stuck"),
        item(3, ItemState.SKIPPED, reason="sample fell off"),
        item(4, ItemState.REMOVED),
        item(5),
    ]
    queue = QueueFolder(folder)
    for one in found:
        (queue.items / f"{one.number:04d}_{one.name}" / "runs" / "r").mkdir(parents=True)
    first = queue.items / "0001_sample-1"
    (first / "mosaic.jpg").write_bytes(JPEG)
    (first / "runs" / "r" / "report.html").write_text("")
    evidence = {
        1: Evidence(
            run="runs/r", verdict=Verdict.COMPLETE, used_s=700, standing_s=100, beam_s=310, dose_gy=1.1e5, retaken=2,
            holds=(Hold(from_s=5, to_s=105, reason=reason or "beam is lost"),),
            frames={"projection": FrameOutcomes(kept=38, retaken=2)}, particles=12, whole_particles=9, resumed=1,
        ),
        2: Evidence(
            run="runs/r", verdict=Verdict.FAILED, used_s=60, beam_s=20, dose_gy=1e4,
            frames={"tile": FrameOutcomes(kept=4, missing=1, not_reached=35)},
            regions=(RegionFate(name="roi-01", state=RoiState.QUARANTINED, reason=reason or "moved by 3 um"),),
        ),
    }  # fmt: skip
    contents = Contents({one.number: one for one in found}, {6: reason or "item.json: cannot be read"})
    sitting = Sitting(process=1, begun=utc_now(), ended=utc_now(), how=reason or "its process died")
    told = QueueSettings(sittings=(sitting,), budget=Budget(), **settings)
    return morning(queue, contents, told, evidence, utc_now(), running=False)


def test_everything_is_on_it(tmp_path: Path) -> None:
    told = made(tmp_path / "night")
    page = Page(build_page(told, tmp_path / "night"))
    assert page.open == []
    verdict = page.parts["verdict"].text
    for said in ("1 of 4 done", "item 2 (sample-2): failed: the shutter is stuck", "sample fell off", "4 (sample-4)"):
        assert said in verdict
    assert "item 6: item.json: cannot be read" in verdict
    done, undone = page.parts["done"], page.parts["problems"]
    for said in ("held at 5.0 s for 1 min 40 s: beam is lost", "38 kept at once, 2 when retaken", "12, whole 9"):
        assert said in done.text, said
    assert "11 min 40 s, planned 10 min 00 s" in done.text
    assert "roi-01: quarantined: moved by 3 um" in undone.text
    assert f"xrm queue retry 2 --queue {tmp_path}/night" in undone.text
    assert f"xrm queue run --queue {tmp_path}/night" in page.parts["next"].text
    assert "5 · sample-5" in page.parts["ahead"].text
    assert [image["src"][:22] for image in done.images] == ["data:image/jpeg;base64"]
    assert page.parts["plan"].row("1")[3:8] == [
        "10 min 00 s",
        "11 min 40 s",
        "1 min 40 s",
        "5 min 00 s",
        "5 min 10 s",
    ]


def test_totals_add_up(tmp_path: Path) -> None:
    totals = made(tmp_path / "night").totals
    assert (totals.planned_s, totals.used_s, totals.standing_s, totals.beam_s) == (1200, 760, 100, 330)
    assert totals.frames == FrameOutcomes(kept=42, retaken=2, missing=1, not_reached=35)
    assert totals.dose_gy == pytest.approx(1.2e5)


def test_links_lead_to_files_beside_it(tmp_path: Path) -> None:
    page = Page(build_page(made(tmp_path / "night"), tmp_path / "night"))
    links = [link for link in page.references if not link.startswith(("#", "data:"))]
    assert links
    assert [link for link in links if not (tmp_path / "night" / link).exists()] == []


@pytest.mark.parametrize("text", [*HOSTILE, "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>'])
def test_text_is_text(tmp_path: Path, text: str) -> None:
    page = Page(build_page(made(tmp_path / "night", text), tmp_path / "night"))
    assert text in page.parts["verdict"].text
    assert "script" not in page.tags
    assert not any(link.startswith(("http", "//", "x")) for link in page.references)


def test_virtual_time_is_said(tmp_path: Path) -> None:
    for ahead_s, said in ((0.0, False), (3600.0, True)):
        told = made(tmp_path / f"night-{ahead_s:g}", ahead_s=ahead_s)
        assert ("virtual time" in build_page(told, tmp_path)) == said


def test_an_unsafe_instrument_is_said_first(tmp_path: Path) -> None:
    told = made(tmp_path / "night", unsafe="item 2: the shutter is open")
    page = Page(build_page(told, tmp_path / "night"))
    assert "NOT LEFT SAFE, look at it first: item 2: the shutter is open" in page.parts["verdict"].text
    assert told.next[0].startswith("xrm queue set --safe")


def test_commands_can_be_copied_whatever_the_folder_is_called(tmp_path: Path) -> None:
    folder = tmp_path / "a night; touch x"
    told = made(folder)
    assert f"'{folder}'" in told.next[-1]
    items: tuple[MorningItem, ...] = told.items
    assert items[1].next[1] == f"xrm queue retry 2 --queue '{folder}'"
