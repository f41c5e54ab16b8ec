"""Frames that were kept, and do not fit when their fellows are known: they are withdrawn and taken again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from xrm_control.acquisition.checks import FrameChecker
from xrm_control.acquisition.sink import FrameSink
from xrm_control.acquisition.steps import FrameStep
from xrm_control.core.events import EventStream, FrameWithdrawn, ReferenceDoubted
from xrm_control.core.frame_id import FrameId
from xrm_control.core.states import FrameKind

# A set of references is looked over again after some of it were taken again, but not for ever.
_REVIEWS = 2


class CarryOut(Protocol):
    """Attempts a frame until it is kept (True) or its attempts are used up; the `last` time it is missing then."""

    async def __call__(self, step: FrameStep, *, last: bool = False) -> bool: ...


class SecondLook:
    """Knows which attempt of a frame was kept in the present acquisition. `durable` waits for the frame before."""

    def __init__(
        self,
        checker: FrameChecker,
        sink: FrameSink,
        events: EventStream,
        durable: Callable[[], Awaitable[None]],
        carry_out: CarryOut,
    ) -> None:
        self._checker = checker
        self._sink = sink
        self._events = events
        self._durable = durable
        self._carry_out = carry_out
        self._taken: dict[FrameId, tuple[FrameStep, int]] = {}
        self._renewed: set[FrameKind] = set()

    def begin(self) -> None:
        """Another acquisition begins."""
        self._taken.clear()
        self._renewed.clear()

    def taken(self, step: FrameStep, attempt: int) -> None:
        """This attempt is believed."""
        self._taken[step.frame_id] = (step, attempt)

    async def review(self, references: Sequence[FrameStep]) -> list[FrameStep]:
        """Take those of a set of darks or flats again that the others do not bear out; returns what failed."""
        failed: list[FrameStep] = []
        for _ in range(_REVIEWS):
            odd = self._checker.light.odd_references(step.frame_id for step in references)
            if not odd:
                break
            again = await self._withdraw({name: why.what for name, why in odd.items()})
            failed += [step for step in again if not await self._carry_out(step)]
        return failed

    async def odd_views(self) -> list[FrameStep]:
        """Withdraw the projections that their neighbours do not bear out; returns them, to be taken again."""
        return await self._withdraw(
            {
                name: f"{odd.what}: {odd.value}, expected {odd.limit}"
                for name, odd in self._checker.light.odd_views().items()
                if name not in self._checker.confirmed
            }
        )

    async def renew(self, reference: FrameKind, where: FrameId) -> None:
        """Every frame fails against the darks or the flats of this acquisition: take those again, once."""
        names = [name for name, (step, _) in self._taken.items() if step.kind == reference]
        if reference in self._renewed or not names:
            return
        self._renewed.add(reference)
        self._events.emit(ReferenceDoubted(where, reference))
        again = await self._withdraw(dict.fromkeys(names, f"doubted: {where} does not go with it"))
        failed = [step for step in again if not await self._carry_out(step)]
        for step in (*failed, *await self.review(again)):
            await self._carry_out(step, last=True)

    async def _withdraw(self, odd: Mapping[FrameId, str]) -> list[FrameStep]:
        """Reject frames that were kept, for these reasons; returns their steps, which are open again."""
        await self._durable()
        steps = []
        for name, reason in odd.items():
            step, attempt = self._taken.pop(name)
            await self._sink.retake(step, attempt, reason)
            self._checker.withdraw(name)
            self._events.emit(FrameWithdrawn(name, reason))
            steps.append(step)
        return steps
