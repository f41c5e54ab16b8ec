"""CPUs that this process may use."""

from __future__ import annotations

import os

import pytest

from xrm_control.core.cpus import alone, cpus


@pytest.mark.parametrize(
    ("wanted", "limit"), [("1", 1), ("0", 1), ("100000", None), ("", None), ("two", None), ("-3", None)]
)
def test_the_usual_variable_may_lower_the_number(
    monkeypatch: pytest.MonkeyPatch, wanted: str, limit: int | None
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", wanted)
    assert cpus() == (limit or len(os.sched_getaffinity(0)))


def test_work_that_all_wait_for_has_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with alone():
        assert cpus() == len(os.sched_getaffinity(0))
    assert cpus() == 1
