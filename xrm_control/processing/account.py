"""What became of a run, stage by stage: a view of its journal, the same for whoever asks, in whatever state it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from xrm_control.contracts.account import Account, StageAccount
from xrm_control.contracts.plan import PLAN, PlanDocument
from xrm_control.contracts.results import RESULTS, RunResults
from xrm_control.core.errors import DataError
from xrm_control.core.events import RunResumed
from xrm_control.core.states import WAITING, FrameKind, RoiState
from xrm_control.processing.evidence import holds
from xrm_control.storage.journal_accounts import KindOfStage
from xrm_control.storage.journal_reader import JournalQueries
from xrm_control.storage.records import RoiStateRecord
from xrm_control.storage.run_folder import RunFolder

Spans = Sequence[tuple[float, float]]


def account(folder: RunFolder, journal: JournalQueries) -> Account:
    """The account of a run. Raises DataError when its journal cannot be read."""
    plan, results = _plan(folder), _results(folder)
    record, state, lives = journal.run(), journal.state(), journal.roi_states()
    waits = standing(journal)
    kinds = groupby(journal.kinds_of_stages(), key=lambda one: one.stage)
    stages = tuple(_stage(name, tuple(of), plan, waits, lives) for name, of in kinds)
    begun = {stage.name for stage in stages}
    measured = any(life.state is RoiState.REPORTED for life in lives.values())
    files = sum(one.bytes for one in journal.artifacts().values()) + sum(stage.bytes for stage in stages)
    return Account(
        run=record.name,
        recipe_name=record.recipe_name,
        recipe_sha256=record.recipe_sha256,
        rehearsal=record.rehearsal,
        state=None if state is None else state.state,
        verdict=None if results is None else results.verdict.status,
        reasons=() if results is None else results.verdict.reasons,
        total_s=journal.last_t_s() or 0.0,
        standing_s=sum(end - begin for begin, end in waits),
        resumed=len(journal.events_of(RunResumed.kind)),
        disk_bytes=files,
        particles=results.counts.particles if results is not None and measured else None,
        whole_particles=results.counts.whole_particles if results is not None and measured else None,
        ahead=0 if plan is None else sum(stage.frames for stage in plan.stages if stage.name not in begun),
        stages=stages,
        holds=holds(journal),
        extremes=journal.extremes(),
    )


def standing(journal: JournalQueries) -> list[tuple[float, float]]:
    """(from, to) in s of instrument time: held, paused, or carried out by nobody; in order, none over another."""
    states = journal.states()
    last_s = journal.last_t_s() or 0.0
    ends = [record.t_s for record in states[1:]] + [last_s]
    waits = [(record.t_s, end) for record, end in zip(states, ends, strict=False) if record.state in WAITING]
    waits += [(float(event.data["stood_s"]), event.t_s) for event in journal.events_of(RunResumed.kind)]
    merged: list[tuple[float, float]] = []
    for begin, end in sorted(waits):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def within(spans: Iterable[tuple[float, float]], begin_s: float, end_s: float) -> float:
    """Seconds of the spans that lie between two times."""
    return sum(max(0.0, min(end_s, to_s) - max(begin_s, from_s)) for from_s, to_s in spans)


def _stage(
    name: str, kinds: tuple[KindOfStage, ...], plan: PlanDocument | None, waits: Spans, lives: dict[str, RoiStateRecord]
) -> StageAccount:
    begins = [one.begin_s for one in kinds if one.begin_s is not None]
    ends = [one.end_s for one in kinds if one.end_s is not None]
    begin_s, end_s = min(begins, default=0.0), max(ends, default=0.0)
    projections = sum(one.exposures for one in kinds if one.kind is FrameKind.PROJECTION)
    life = lives.get(kinds[0].roi)
    return StageAccount(
        name=name,
        begin_s=begin_s,
        end_s=end_s,
        standing_s=within(waits, begin_s, end_s),
        frames={one.kind: one.outcomes for one in kinds},
        exposures=sum(one.exposures for one in kinds),
        retaken=sum(one.retaken for one in kinds),
        bytes=sum(one.bytes for one in kinds),
        beam_s=sum(one.exposed_s for one in kinds if one.kind is not FrameKind.DARK),
        dose_gy=0.0 if plan is None else plan.dose_per_scan_gy * projections / max(1, plan.projections),
        flux=next((one.flux for one in kinds if one.kind is FrameKind.FLAT), None),
        state=None if life is None else life.state,
        reason="" if life is None else life.reason,
    )


def _plan(folder: RunFolder) -> PlanDocument | None:
    try:
        return PLAN.read(folder.plan)
    except DataError:
        return None


def _results(folder: RunFolder) -> RunResults | None:
    try:
        return RESULTS.read(folder.results) if folder.results.exists() else None
    except DataError:
        return None
