"""Frames that were kept, and do not fit when their fellows are known: they are withdrawn and taken again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from itertools import groupby
from typing import Protocol

from xrm_control.acquisition.checks import FrameChecker
from xrm_control.acquisition.sink import FrameSink
from xrm_control.acquisition.steps import FrameStep
from xrm_control.core.events import EventStream, FrameWithdrawn, ReferenceDoubted
from xrm_control.core.frame_id import FrameId
from xrm_control.core.states import REFERENCES, FrameKind

# A set of references is looked over again after some of it were taken again, but not for ever.
_REVIEWS = 2


class CarryOut(Protocol):
    """Attempts a frame until it is kept (True) or its attempts are used up; the `last` time it is missing then, or,
    `needed` by all others, stays open.
    """

    async def __call__(self, step: FrameStep, *, last: bool = False, needed: bool = False) -> bool: ...


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
        self._sets: list[list[FrameStep]] = []

    def begin(self, steps: Sequence[FrameStep]) -> None:
        """Another acquisition begins, of these frames."""
        self._sets = [list(alike) for kind, alike in groupby(steps, key=lambda step: step.kind) if kind in REFERENCES]
        self._taken.clear()
        self._renewed.clear()

    def taken(self, step: FrameStep, attempt: int) -> None:
        """This attempt is believed."""
        self._taken[step.frame_id] = (step, attempt)

    def is_only_one(self, step: FrameStep, still_to_come: Sequence[FrameStep]) -> bool:
        """Whether no mosaic can be made without this frame: of its darks, flats or tiles the last that can be kept.

        Missing, it would be so for good, and the run with it; open, whoever goes on with the run takes it.
        """
        others = (*(known for known, _ in self._taken.values()), *still_to_come)
        alike = (other for other in others if other.kind == step.kind and other.frame_id != step.frame_id)
        return step.frame_id.of_mosaic and next(alike, None) is None

    async def review(self, references: Sequence[FrameStep]) -> list[FrameStep]:
        """Take those of a set of darks or flats again that the others do not bear out, also those of it that whoever
        began it had taken; returns what failed.
        """
        whole = next((one for one in self._sets if references[0] in one), references)
        failed: list[FrameStep] = []
        for _ in range(_REVIEWS):
            again = await self._odd_references(whole)
            if not again:
                break
            failed += [step for step in again if not await self._carry_out(step)]
        return failed

    async def doubt(self, open_frames: Collection[FrameId]) -> None:
        """Withdraw what the others do not bear out: of sets without an open frame, and of views when none is open."""
        for references in self._sets:
            if not any(step.frame_id in open_frames for step in references):
                await self._odd_references(references)
        if not open_frames:
            await self.odd_views()

    async def _odd_references(self, references: Sequence[FrameStep]) -> list[FrameStep]:
        odd = self._checker.light.odd_references(step.frame_id for step in references)
        return await self._withdraw({name: why.what for name, why in odd.items()})

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
        if odd:
            await self._durable()
        steps = []
        for name, reason in odd.items():
            step, attempt = self._taken.pop(name)
            await self._sink.retake(step, attempt, reason)
            self._checker.withdraw(name)
            self._events.emit(FrameWithdrawn(name, reason))
            steps.append(step)
        return steps
