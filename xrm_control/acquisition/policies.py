"""What is done about each kind of failure, and what follows when that did not help: the recipe's `policies` part.

Without any the program does what `retry` says: stalled axes and bad frames are tried again, beam and instrument are
waited for, an axis that slips costs its region, and everything else ends the run in the safe state. A policy never asks
anybody: each ends by itself, within its attempts or its patience.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from xrm_control.acquisition.budgets import Budget
from xrm_control.acquisition.failures import Failure, failure_of
from xrm_control.acquisition.retry import RetryPolicy
from xrm_control.core.diagnostics import Diagnostic
from xrm_control.core.model import Spec

_MONTH_MIN = 31 * 24 * 60.0


class End(StrEnum):
    """What follows when a failure stays.

    stop: the run fails, safe, and can be resumed; skip: its region is set aside and the next one begins, and where no
    region is being scanned the run stops; next_sample: the run ends in order, and whoever runs many goes on with the
    next; missing: the frame is given up, and the scan goes on without it.
    """

    STOP = "stop"
    SKIP = "skip"
    NEXT_SAMPLE = "next_sample"
    MISSING = "missing"


class Policy(Spec):
    """What is done about one kind of failure."""

    do: Literal["retry", "hold", "stop", "skip", "next_sample"]
    attempts: int | None = Field(default=None, ge=2, le=20, description="retry: tries in all; none: as in retry")
    pause_s: float | None = Field(default=None, ge=0, le=86_400, description="retry: rest, safe, before the next try")
    patience_min: float | None = Field(
        default=None, gt=0, le=_MONTH_MIN, description="hold: at most so long; none: as in retry"
    )
    then: Literal["stop", "skip", "next_sample", "missing"] | None = Field(
        default=None, description="what follows when that did not help"
    )


class Policies(Spec):
    """By failure; one that is not named is met as `retry` says."""

    beam_lost: Policy | None = None
    instrument_lost: Policy | None = None
    axis_stalled: Policy | None = None
    axis_interrupted: Policy | None = None
    axis_slipped: Policy | None = None
    limit_reached: Policy | None = None
    shutter_stuck: Policy | None = None
    interlock_open: Policy | None = None
    frame_bad: Policy | None = None
    saturated: Policy | None = None
    sample_moved: Policy | None = None
    device_failed: Policy | None = None
    budget: Budget = Budget()

    def of(self, failure: Failure) -> Policy | None:
        """What the recipe says of a failure; None for nothing."""
        return getattr(self, failure.value)

    def diagnose(self) -> Iterator[Diagnostic]:
        """What cannot be done about a failure, or would endanger instrument or sample."""
        for failure, rule in RULES.items():
            policy = self.of(failure)
            if policy is not None:
                yield from _refused(failure, rule, policy)


@dataclass(frozen=True)
class Rule:
    """Of one failure: what may be done about it, what may follow, what follows unless said, and why nothing else.

    may: without what may follow, which may always be done at once.
    """

    may: tuple[str, ...]
    ends: tuple[End, ...]
    then: End
    why: str


_ANY = (End.STOP, End.SKIP, End.NEXT_SAMPLE)
RULES: Mapping[Failure, Rule] = MappingProxyType(
    {
        Failure.BEAM_LOST: Rule(("hold",), _ANY, End.STOP, "beam that is away is waited for, not tried"),
        Failure.INSTRUMENT_LOST: Rule(
            ("hold",), (End.STOP,), End.STOP, "what does not answer cannot be made safe, nor take another region"
        ),
        Failure.AXIS_STALLED: Rule(("retry",), _ANY, End.STOP, "an axis that stands does not come free by itself"),
        Failure.AXIS_INTERRUPTED: Rule(("retry",), _ANY, End.STOP, "give whoever moved it the time with pause_s"),
        Failure.AXIS_SLIPPED: Rule(
            ("retry",), (*_ANY, End.MISSING), End.SKIP, "an axis that slipped does not slip back"
        ),
        Failure.LIMIT_REACHED: Rule((), (End.STOP,), End.STOP, "nothing drives against a limit switch again"),
        Failure.SHUTTER_STUCK: Rule(
            (), (End.STOP,), End.STOP, "a shutter that does not follow lights the sample until a person closes the beam"
        ),
        Failure.INTERLOCK_OPEN: Rule(
            (), (End.STOP,), End.STOP, "nobody but a person gives the permit back: it never re-arms by itself"
        ),
        Failure.FRAME_BAD: Rule(("retry",), (*_ANY, End.MISSING), End.MISSING, "a frame is taken again, at once"),
        Failure.SATURATED: Rule(("retry",), _ANY, End.STOP, "light does not become less by waiting"),
        Failure.SAMPLE_MOVED: Rule((), (End.STOP, End.NEXT_SAMPLE), End.STOP, "no region lies where the mosaic has it"),
        Failure.DEVICE_FAILED: Rule(("retry",), _ANY, End.STOP, "nothing tells when it would be over"),
    }
)
_OF_DO = {"retry": ("attempts", "pause_s"), "hold": ("patience_min",)}


def _refused(failure: Failure, rule: Rule, policy: Policy) -> Iterator[Diagnostic]:
    where, ends = f"policies.{failure}", tuple(end.value for end in rule.ends)
    now = tuple(end for end in ends if end != End.MISSING)
    possible = (*rule.may, *now)
    if policy.do not in possible:
        yield Diagnostic(
            (f"{where}.do",),
            f"`{policy.do}` is nothing to do about `{failure}`: {rule.why}",
            policy.do,
            " or ".join(possible),
            f"write `do: {possible[0]}`, or leave {where} out",
            safety=failure in _DANGEROUS,
        )
        return
    waits = policy.do in _OF_DO
    if policy.then is not None and not waits:
        yield Diagnostic(
            (f"{where}.then",),
            f"nothing follows on `do: {policy.do}`",
            policy.then,
            "`then` goes with retry and hold",
            f"leave it out, or write `do: {policy.then}`" if policy.then in now else "leave it out",
        )
    elif policy.then is not None and policy.then not in ends:
        yield Diagnostic(
            (f"{where}.then",),
            f"`{policy.then}` cannot follow on `{failure}`: {rule.why}",
            policy.then,
            " or ".join(ends),
            f"write `then: {rule.then}`",
            safety=failure in _DANGEROUS,
        )
    for do, names in _OF_DO.items():
        for name in names:
            if getattr(policy, name) is not None and do != policy.do:
                yield Diagnostic(
                    (f"{where}.{name}",),
                    f"{name} goes with `do: {do}`",
                    f"do: {policy.do}",
                    f"do: {do}",
                    f"leave {name} out" if do not in rule.may else f"leave {name} out, or write `do: {do}`",
                )


_DANGEROUS = (Failure.LIMIT_REACHED, Failure.SHUTTER_STUCK, Failure.INTERLOCK_OPEN, Failure.INSTRUMENT_LOST)


@dataclass(frozen=True)
class Reaction:
    """What is done about one failure, resolved. attempts: tries in all; pause_s: before each but the first; patience_s:
    of a hold; then: what follows."""

    attempts: int
    pause_s: float
    patience_s: float
    then: End


class Reactions:
    """The policies of one recipe, resolved against its `retry`."""

    def __init__(self, retry: RetryPolicy, policies: Policies = Policies()) -> None:
        self._of = {failure: _resolved(failure, retry, policies.of(failure)) for failure in Failure}

    def __getitem__(self, failure: Failure) -> Reaction:
        return self._of[failure]

    def to(self, error: BaseException) -> tuple[Failure, Reaction] | None:
        """Which failure an error is, and what is done about it; None for one that no policy speaks of."""
        failure = failure_of(error)
        return None if failure is None else (failure, self._of[failure])


def _resolved(failure: Failure, retry: RetryPolicy, policy: Policy | None) -> Reaction:
    usual = _usual(failure, retry)
    if policy is None:
        return usual
    if policy.do not in _OF_DO:
        return Reaction(1, 0.0, 0.0, End(policy.do))
    attempts = usual.attempts
    if policy.do == "retry":
        # Who writes it of what is tried once wants it tried again.
        attempts = policy.attempts or max(2, attempts)
    return Reaction(
        attempts,
        usual.pause_s if policy.pause_s is None else policy.pause_s,
        usual.patience_s if policy.patience_min is None else 60.0 * policy.patience_min,
        usual.then if policy.then is None else End(policy.then),
    )


def _usual(failure: Failure, retry: RetryPolicy) -> Reaction:
    """What is done where the recipe says nothing."""
    then = RULES[failure].then
    match failure:
        case Failure.BEAM_LOST:
            return Reaction(1, 0.0, retry.beam_wait_s, then)
        case Failure.INSTRUMENT_LOST:
            return Reaction(1, 0.0, retry.instrument_wait_s, then)
        case Failure.AXIS_STALLED:
            return Reaction(retry.move_attempts, 0.0, 0.0, then)
        case Failure.AXIS_INTERRUPTED:
            return Reaction(retry.move_attempts, retry.interrupted_wait_s, 0.0, then)
        case Failure.FRAME_BAD | Failure.AXIS_SLIPPED | Failure.SATURATED:
            return Reaction(retry.frame_attempts, 0.0, 0.0, then)
        case _:
            return Reaction(1, 0.0, 0.0, then)
