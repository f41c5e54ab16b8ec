"""A share of the hunt: nights of fixed seeds, those that once broke a promise, and the hunter's own parts."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hunt.case import KINDS, Case, draw
from tests.hunt.coverage import Coverage, write_into
from tests.hunt.mishaps import spoil
from tests.hunt.night import play
from tests.hunt.planted import ROOT, planted
from tests.hunt.shrink import shortest

FOUND = sorted(Path(__file__).with_name("found").glob("*.yaml"))
SEEDS = range(1, 9)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """What a killed process still does is told to nobody."""
    logger = logging.getLogger("asyncio")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(before)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_night_ends_well(seed: int) -> None:
    played = play(draw(seed, projections=10))
    assert not played.findings, draw(seed, projections=10).text()


@pytest.mark.parametrize("night", FOUND, ids=lambda path: path.stem)
def test_a_night_that_once_did_not(night: Path) -> None:
    assert not play(Case.read(night.read_text(encoding="utf-8"))).findings


def test_a_night_without_trouble_is_a_full_success() -> None:
    played = play(draw(1, projections=8).without(()))
    assert (played.findings, played.sittings, played.ends) == ([], 1, ["exit 0: "])


def test_a_seed_is_the_same_night_again_and_a_shorter_list_changes_nothing_else() -> None:
    case = draw(11)
    assert Case.read(case.text()) == case == draw(11)
    assert draw(12) != case
    other = next(seed for seed in range(100) if len(draw(seed).troubles) > 5)
    assert set(map(str, draw(other).without(draw(other).troubles[2:4]).troubles)) <= set(map(str, draw(other).troubles))


def test_half_of_the_kinds_are_off() -> None:
    drawn = [set(draw(seed).kinds) for seed in range(200)]
    assert 0.45 < sum(map(len, drawn)) / len(KINDS) / len(drawn) < 0.55
    assert set.union(*drawn) == set(KINDS)


# What a frame's file, which is also kept under another name, becomes; of the 4000 bytes these are left in front.
SPOILT = [("zeros", 2000, 4000), ("half", 2000, 2000), ("other", 0, 3), ("bytes", 2000, 4000), ("whole", 4000, 4000)]


@pytest.mark.parametrize(("how", "left", "length"), SPOILT, ids=[case[0] for case in SPOILT])
def test_an_orphan_is_spoilt_and_nobody_else(tmp_path: Path, how: str, left: int, length: int) -> None:
    content = bytes(range(1, 251)) * 16
    orphan, other, linked = tmp_path / "a.tif", tmp_path / "b.tif", tmp_path / "elsewhere"
    orphan.write_bytes(content)
    other.write_bytes(b"\0\0\0")
    linked.hardlink_to(orphan)
    spoil(orphan, how, random.Random(1))
    found = orphan.read_bytes()
    assert len(found) == length
    assert found[:left] == content[:left]
    assert (found == content) == (how == "whole")
    assert (linked.read_bytes(), other.read_bytes()) == (content, b"\0\0\0")


def test_the_planted_faults_fit_the_program() -> None:
    faults = planted()
    assert len(faults) >= 40
    for fault in faults:
        assert fault.offset(ROOT) > 0


@pytest.mark.parametrize("guilty", [{3}, {3, 17}, set(range(5)), {19, 0, 7}, set()])
def test_the_shortest_list_is_found(guilty: set[int]) -> None:
    assert set(shortest(range(20), lambda some: guilty <= set(some), 10_000)) == guilty


def test_the_table_goes_into_its_place(tmp_path: Path) -> None:
    coverage = Coverage()
    coverage.add({"kill", "stall"}, 30, 2)
    coverage.add({"kill"}, 20, 1)
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- hunt: begin -->\nof before\n<!-- hunt: end -->\nafter\n", encoding="utf-8")
    write_into(page, coverage.table("1 to 2"))
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| kill | 2 |" in text
    assert "2 nights, 3 sittings, 50 frames" in text
    assert "of before" not in text
    with pytest.raises(ValueError, match="no place"):
        write_into(tmp_path / "page.md", "") if page.write_text("nothing") else None
