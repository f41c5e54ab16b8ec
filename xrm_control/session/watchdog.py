"""The gate of a run: commands of people, the recipe's conditions, and its budgets, asked before each frame.

A condition is watched by whatever the instrument's monitors saw, also while frames are exposed: one that was exposed
while a condition was violated is taken again. After a hold all are looked at anew before anything is exposed.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator
from itertools import pairwise

from xrm_control.acquisition.budgets import Overdrawn, Spent, overdrawn
from xrm_control.acquisition.conditions import DISK_FREE, ConditionWatch
from xrm_control.acquisition.steps import FrameStep
from xrm_control.core.errors import ConditionBroken, XrmError
from xrm_control.core.events import (
    AnyEvent,
    BudgetSpent,
    ConditionEnded,
    ConditionViolated,
    DeviceTriedAgain,
    FrameRetaken,
    MoveInterrupted,
    MoveStalled,
    PolicyApplied,
    RunHeld,
    RunReleased,
)
from xrm_control.core.states import RunState
from xrm_control.devices.protocols import CameraFrame, Observation
from xrm_control.recipe.planning import dose_rate_gy_s
from xrm_control.session.commands import Commands, RegionSkipped
from xrm_control.session.context import RunContext
from xrm_control.session.safe_state import stand_safe
from xrm_control.storage.durable import free_bytes

_LOOK_EVERY_S = 5.0
_TRIED_AGAIN = (FrameRetaken, MoveStalled, MoveInterrupted, DeviceTriedAgain)


class SampleGivenUp(Exception):
    """The run is to end in order, so that the next sample may follow."""


class Watchdog:
    """A `Gate` that stands before the one of `commands`."""

    def __init__(self, run: RunContext, commands: Commands) -> None:
        self._run, self._commands = run, commands
        self._watches = [ConditionWatch(condition) for condition in run.recipe.conditions]
        self._told: dict[int, bool] = {}
        self._budget = run.recipe.policies.budget
        self._gy_per_s = dose_rate_gy_s(run.recipe, run.description)
        self._spent = _spent_before(run)
        self._held_since_s: float | None = None
        self._overdrawn: set[tuple[str, str | None]] = set()

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncGenerator[None, None]:
        """While the block runs all conditions are looked at, and what is spent is counted."""
        with self._run.events.listening(self._count, "the budgets"):
            if not self._watches:
                yield
                return
            await self.look()
            task = asyncio.create_task(self._keep_looking(), name="conditions")
            try:
                yield
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    # the gate

    @property
    def is_open(self) -> bool:
        """See `Gate.is_open`."""
        self._catch_up()
        return self._commands.is_open and not self._acting() and self._spent_budget() is None

    async def wait(self, where: str) -> None:
        """See `Gate.wait`. Raises what `Commands.wait` does; ConditionBroken, SampleGivenUp."""
        while not self.is_open:
            await self._commands.wait(where)
            self._require(where)
            if self._acting():
                await self._hold(where)

    def while_held(self) -> None:
        """See `Gate.while_held`."""
        self._commands.while_held()
        self._catch_up()
        self._require("the hold")

    def came_back(self) -> None:
        """See `Gate.came_back`."""
        self._commands.came_back()

    async def passes(self, step: FrameStep, frame: CameraFrame) -> None:
        """See `Gate.passes`."""
        if not self._watches:
            return
        await self.look()
        for watch in self._watches:
            found = watch.during(frame.started_s, frame.ended_s)
            if found is not None and watch.condition.action != "alert":
                raise ConditionBroken(
                    f"{watch.condition.value} was out of order during the exposure",
                    where=step.frame_id,
                    value=found.value,
                    limit=watch.condition.limit,
                )

    # conditions

    async def look(self) -> None:
        """Read every value anew, after all that the monitors have seen of it."""
        self._catch_up()
        seen = await asyncio.gather(*(self._fresh(watch.condition.value) for watch in self._watches))
        for watch, one in zip(self._watches, seen, strict=True):
            watch.feed(one)
        self._tell()

    async def _keep_looking(self) -> None:
        while True:
            await self._run.clock.sleep(_LOOK_EVERY_S)
            await self.look()

    async def _fresh(self, name: str) -> Observation:
        run = self._run
        if name == DISK_FREE:
            return Observation(free_bytes(run.folder.path) / 1e9, run.clock.now_s())
        try:
            return await run.instrument.observe(name)
        except XrmError as error:
            return Observation(None, run.clock.now_s(), problem=error.what)

    def _catch_up(self) -> None:
        now_s = self._run.clock.now_s()
        for watch in self._watches:
            since_s = watch.fed_s
            if not math.isinf(since_s):
                for seen in self._run.instrument.observed(watch.condition.value, since_s, now_s):
                    watch.feed(seen)
        self._tell()

    def _tell(self) -> None:
        for number, watch in enumerate(self._watches):
            last, condition = watch.last, watch.condition
            if last is None or self._told.get(number, False) == watch.violated:
                continue
            self._told[number] = watch.violated
            if watch.violated:
                event = ConditionViolated(
                    condition.value, last.value, condition.limit, condition.action, last.begin_s - condition.grace_s
                )
            else:
                event = ConditionEnded(condition.value, watch.shown, condition.limit, last.end_s - last.begin_s)
            self._run.events.emit(event)

    def _acting(self, *actions: str) -> list[ConditionWatch]:
        """The violated conditions whose action is one of these; by default any that does something."""
        wanted = actions or ("hold", "skip", "stop", "next_sample")
        return [watch for watch in self._watches if watch.violated and watch.condition.action in wanted]

    async def _hold(self, where: str) -> None:
        """Stand safe until every condition is in order again, freshly read."""
        run, since_s = self._run, self._run.clock.now_s()
        reason = "; ".join(f"{watch.condition.value} is {watch.shown}" for watch in self._acting())
        await stand_safe(run, f"the run was to be held: {reason}")
        async with run.hold(f"{reason} at {where}"):
            while True:
                await self.look()
                waiting = self._acting()
                if not waiting:
                    return
                self._commands.while_held()
                self._require(where)
                for watch in waiting:
                    patience_s = 60 * watch.condition.patience_min
                    if run.clock.now_s() - since_s > patience_s:
                        self._end(watch.condition.then, watch, where, f"; held for {patience_s:g} s")
                await run.clock.sleep(_LOOK_EVERY_S)

    def _require(self, where: str) -> None:
        """Nothing is violated or spent that ends a region, or the run."""
        for watch in self._acting("stop", "next_sample", "skip"):
            self._end(watch.condition.action, watch, where)
        spent = self._spent_budget()
        if spent is not None:
            self._overspent(spent)

    def _end(self, then: str, watch: ConditionWatch, where: str, why: str = "") -> None:
        condition = watch.condition
        error = ConditionBroken(
            f"{condition.value} is out of order{why}",
            where=where,
            value=watch.shown,
            limit=condition.limit,
            remedy="see to it, then `xrm resume` the run; the frames taken so far are kept",
        )
        self._leave(then, condition.value, error)

    def _leave(self, then: str, failure: str, error: ConditionBroken) -> None:
        """Raises what ends the region or the run. Where no region is being scanned, none can be skipped."""
        region = self._commands.region
        if then == "skip" and region is None:
            then = "stop"
        if then != "stop":
            self._run.events.emit(PolicyApplied(failure, then, region or error.where or "", str(error)))
        if then == "skip" and region is not None:
            raise RegionSkipped(region, str(error))
        if then == "next_sample":
            raise SampleGivenUp(f"the sample was given up: {error}")
        raise error

    # budgets

    def _count(self, event: AnyEvent) -> None:
        if isinstance(event, _TRIED_AGAIN):
            self._spent = self._spent.retried()
        elif isinstance(event, RunHeld) and self._held_since_s is None:
            self._held_since_s = event.t_s
        elif isinstance(event, RunReleased) and self._held_since_s is not None:
            self._spent = self._spent.held(event.t_s - self._held_since_s)
            self._held_since_s = None

    def _spent_budget(self) -> Overdrawn | None:
        budget, spent, region = self._budget, self._spent, self._commands.region
        if self._held_since_s is not None:
            spent = spent.held(self._run.clock.now_s() - self._held_since_s)
        if region is not None and (budget.beam_min is not None or budget.dose_gy is not None):
            exposed = self._run.journal.exposures(region) * self._run.recipe.scan.exposure_s
            spent = Spent(spent.retries, spent.held_s, exposed)
        return overdrawn(budget, spent, self._gy_per_s)

    def _overspent(self, spent: Overdrawn) -> None:
        region = self._commands.region if spent.of_region else None
        then = "skip" if spent.of_region else self._budget.then
        if (spent.what, region) not in self._overdrawn:
            self._overdrawn.add((spent.what, region))
            self._run.events.emit(BudgetSpent(spent.what, spent.value, spent.limit, then))
        error = ConditionBroken(
            f"the budget of {spent.what} is spent",
            where=region or self._run.folder.name,
            value=spent.value,
            limit=spent.limit,
            remedy="find out what it went into; a larger budget is another recipe: start it as a run of its own",
        )
        self._leave(then, f"budget of {spent.what}", error)


def _spent_before(run: RunContext) -> Spent:
    """What a run that is gone on with has spent."""
    journal, states = run.journal, run.journal.states()
    held_s = sum(after.t_s - record.t_s for record, after in pairwise(states) if record.state is RunState.HELD)
    return Spent(sum(len(journal.events_of(kind.kind)) for kind in _TRIED_AGAIN), held_s)
