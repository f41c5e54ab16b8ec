"""Damaged recipes: a plan that makes sense or a refusal in words; never a traceback, never a hang."""

from __future__ import annotations

import resource
from collections import Counter
from pathlib import Path

import pytest

from tests.recipe.mutations import mutated, outcome

FEW, MANY = 300, 20_000
# Found by the hunt once; kept.
KEPT: list[int] = []


@pytest.mark.parametrize("block", range(10))
def test_a_damaged_recipe_is_planned_or_refused(tmp_path: Path, block: int) -> None:
    step = FEW // 10
    found = Counter(outcome(seed, tmp_path) for seed in range(block * step, (block + 1) * step))
    assert found.total() == step


@pytest.mark.parametrize("seed", KEPT)
def test_what_was_found_once(tmp_path: Path, seed: int) -> None:
    assert outcome(seed, tmp_path)


def test_the_same_seed_gives_the_same_damage() -> None:
    assert mutated(17) == mutated(17)


@pytest.mark.soak
def test_twenty_thousand_damaged_recipes(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found: Counter[str] = Counter()
    wrong: list[str] = []
    for seed in range(MANY):
        try:
            found[outcome(seed, tmp_path)] += 1
        except Exception as error:  # noqa: BLE001  whatever is no refusal is what is hunted
            wrong.append(f"seed {seed}: {type(error).__name__}: {error}"[:300])
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"{dict(found)}, {len(wrong)} wrong, memory grew by {grown_kb // 1024} MB")
    assert wrong == []
    assert grown_kb < 200 * 1024
    assert min(found[kind] for kind in ("sound", "doubted", "RecipeError", "SafetyRefusal")) > MANY // 500
