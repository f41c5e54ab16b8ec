"""Figures of the runs for Prometheus: what a site's own alarms and dashboards are made of."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from xrm_control.core.states import RunState
from xrm_control.dashboard.models_run import RunCard
from xrm_control.dashboard.runs import RunsFolder

__all__ = ["CONTENT_TYPE_LATEST", "exposition"]
_NEWEST = 50


def exposition(runs: RunsFolder) -> bytes:
    """The newest runs and the disk, in Prometheus' text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Runs(runs))
    return generate_latest(registry)


class _Runs(Collector):
    def __init__(self, runs: RunsFolder) -> None:
        self._runs = runs

    def collect(self) -> Iterator[Metric]:
        cards = self._runs.list(limit=_NEWEST).runs
        state = GaugeMetricFamily("xrm_run_state", "1 for the state in which a run is", labels=("run", "state"))
        for card in cards:
            for one in RunState:
                state.add_metric((card.name, str(one)), float(card.state is one))
        yield state
        yield _of(cards, "xrm_run_alive", "whether a process carries the run out", lambda card: float(card.alive))
        yield _of(cards, "xrm_run_died", "whether the run died without an end", lambda card: float(card.died))
        yield _of(cards, "xrm_run_frames_kept", "frames that are kept", lambda card: float(card.kept))
        yield _of(cards, "xrm_run_frames_planned", "frames that were planned", lambda card: float(card.planned))
        yield _of(
            cards, "xrm_run_particles", "whole particles that were measured", lambda card: float(card.particles or 0)
        )
        free = GaugeMetricFamily("xrm_disk_free_bytes", "free bytes where the runs are")
        free.add_metric((), float(shutil.disk_usage(self._runs.root).free))
        yield free


def _of(cards: tuple[RunCard, ...], name: str, meaning: str, value: Callable[[RunCard], float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, meaning, labels=("run",))
    for card in cards:
        family.add_metric((card.name,), value(card))
    return family
