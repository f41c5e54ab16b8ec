"""Budgets: what is spent to the last bit is not overdrawn, a bit more is, and says which, how much of what."""

from __future__ import annotations

import pytest

from xrm_control.acquisition.budgets import Budget, Overdrawn, Spent, overdrawn

GY_PER_S = 50.0
# The budget; what may just be spent of it; a little more; what is told of that.
BOUNDS: list[tuple[Budget, Spent, Spent, Overdrawn]] = [
    (Budget(retries=2), Spent(retries=2), Spent(retries=3), Overdrawn("retries", "3", "2")),
    (Budget(retries=0), Spent(), Spent(retries=1), Overdrawn("retries", "1", "0")),
    (Budget(held_min=1.5), Spent(held_s=90.0), Spent(held_s=93.0), Overdrawn("held minutes", "1.6", "1.5")),
    (
        Budget(beam_min=2), Spent(exposed_s=120.0), Spent(exposed_s=121.0),
        Overdrawn("minutes in the beam", "2.02", "2", of_region=True),
    ),
    (
        Budget(dose_gy=1000), Spent(exposed_s=20.0), Spent(exposed_s=20.5),
        Overdrawn("dose", "1.02e+03 Gy", "1000 Gy", of_region=True),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("budget", "just", "more", "told"), BOUNDS)
def test_the_bound_itself_may_be_spent(budget: Budget, just: Spent, more: Spent, told: Overdrawn) -> None:
    assert overdrawn(budget, just, GY_PER_S) is None
    assert overdrawn(budget, more, GY_PER_S) == told


def test_without_bounds_nothing_is_ever_spent() -> None:
    assert overdrawn(Budget(), Spent(10**6, 1e9, 1e9), 1e9) is None


def test_what_is_spent_adds_up() -> None:
    spent = Spent(exposed_s=3.0).retried().held(2.0).retried().held(0.5)
    assert spent == Spent(retries=2, held_s=2.5, exposed_s=3.0)
