"""The states of a queue's items: every one has its ways, and what is done stays done."""

from __future__ import annotations

import pytest

from xrm_control.core.queue_states import AHEAD, GOOD, UNDONE, WAYS, ItemState


def test_every_state_is_of_one_kind_and_has_its_ways() -> None:
    assert sorted([*AHEAD, *GOOD, *UNDONE, ItemState.REMOVED]) == sorted(ItemState)
    assert set(WAYS) == set(ItemState)


@pytest.mark.parametrize("state", ItemState)
def test_an_end_is_left_for_another_turn_or_not_at_all(state: ItemState) -> None:
    if state in (*UNDONE, ItemState.REMOVED):
        assert set(WAYS[state]) <= {ItemState.WAITING, ItemState.REMOVED}
    assert (WAYS[state] == ()) == (state in GOOD)


def test_only_what_was_begun_can_be_done() -> None:
    assert [state for state in ItemState if ItemState.DONE in WAYS[state]] == [ItemState.RUNNING]
