"""A night beside another: each deviation, and as much of it as the two journals explain. The rest is unexplained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from xrm_control.contracts.account import Account, StageAccount
from xrm_control.contracts.comparison import Aspect, Deviation, StagePair
from xrm_control.core.frame_id import MOSAIC
from xrm_control.core.states import RoiState
from xrm_control.processing.story import Story, counted
from xrm_control.reporting.formatting import duration

# Below these nothing is called a deviation: seconds, and shares of what was expected.
_TIME_S, _TIME, _DOSE, _DISK, _FLUX = 5.0, 0.02, 0.01, 0.05, 0.05
_AXIS = {"x": 1.0, "y": 1.0, "z": 1.0, "theta": 0.5}
_ELSEWHERE_UM = 1.0


def first_flux(account: Account) -> float | None:
    """The flux in the flats of the first region: that of the mosaic is at a binning of its own."""
    return next((stage.flux for stage in account.stages if stage.flux and stage.name != MOSAIC), None)


def pairs(expected: Story, found: Story) -> tuple[StagePair, ...]:
    """The stages of both, in the order of the expected ones, then those that nobody expected."""
    stages = (*expected.account.stages, *found.account.stages)
    return tuple(
        StagePair(name=name, expected=expected.account.stage(name), found=found.account.stage(name))
        for name in dict.fromkeys(stage.name for stage in stages)
    )


def deviations(expected: Story, found: Story) -> tuple[Deviation, ...]:
    """All of them: of the run as a whole first, then stage by stage."""
    return (*_of_the_run(expected, found), *_of_the_stages(expected, found))


def _of_the_run(expected: Story, found: Story) -> Iterator[Deviation]:
    was, now = expected.account, found.account
    if was.verdict is not now.verdict:
        reasons = (*now.reasons, *found.ends, *(f"expected: {reason}" for reason in was.reasons))
        yield _deviation(
            "", "verdict", str(was.verdict or was.state), str(now.verdict or now.state), dict.fromkeys(reasons),
            "" if reasons else "no reason is on record",
        )  # fmt: skip
    for axis in was.extremes.keys() & now.extremes.keys():
        (low, high), (low_now, high_now) = was.extremes[axis], now.extremes[axis]
        if max(abs(low - low_now), abs(high - high_now)) > _AXIS[axis]:
            because = [*_other_places(expected, found), *_never_begun(expected, found)]
            yield _deviation(
                "", "axis", f"{axis} {low:.1f} to {high:.1f}", f"{axis} {low_now:.1f} to {high_now:.1f}", because,
                "" if because else "it went elsewhere, and no region lies elsewhere",
            )  # fmt: skip
    if was.particles is not None and now.particles is not None and was.particles != now.particles:
        because = [*_never_begun(expected, found), *_set_aside(expected, found)]
        if expected.powder and expected.powder == found.powder:
            because += _other_frames(expected, found)
        elif was.rehearsal or now.rehearsal:
            because.append("the twin carries a powder of its own")
        left = "" if because else "the same regions, measured to another number"
        yield _deviation("", "particles", str(was.particles), str(now.particles), because, left)


def _of_the_stages(expected: Story, found: Story) -> Iterator[Deviation]:
    first_was, first_now = (first_flux(story.account) for story in (expected, found))
    for pair in pairs(expected, found):
        was, now = pair.expected, pair.found
        if was is None or now is None:
            yield _one_sided(pair, expected, found)
            continue
        yield from _time(was, now, expected, found)
        yield from _attempts(was, now, expected, found)
        yield from _missing(was, now, expected, found)
        # Stand-ins on the disk of a twin are no frames.
        yield from _amounts(was, now, disk=not found.account.rehearsal)
        yield from _flux(was, now, first_was, first_now, found)


def _one_sided(pair: StagePair, expected: Story, found: Story) -> Deviation:
    if pair.found is None:
        because = [*found.ends, *(text for text in found.commands if pair.name in text)]
        left = "" if because else "it was not begun, and nothing on record says why"
        return _deviation(pair.name, "stage", "begun", "not begun", because, left)
    because = [f"added by {found.added[pair.name]}"] if pair.name in found.added else []
    because += [f"in the expected night: {text}" for text in expected.ends]
    left = "" if because else "nobody expected it, and nobody added it"
    return _deviation(pair.name, "stage", "not begun", "begun", because, left)


def _time(was: StageAccount, now: StageAccount, expected: Story, found: Story) -> Iterator[Deviation]:
    """Waits count whole, exposures as long as one takes on the average of their own stage."""
    longer_s = now.seconds - was.seconds
    because: list[str] = []
    explained_s = 0.0
    for sign, stage, story, whose in ((1, now, found, ""), (-1, was, expected, "in the expected night ")):
        for wait in story.waits:
            lasted_s = min(wait.end_s, stage.end_s) - max(wait.begin_s, stage.begin_s)
            if lasted_s > 0:
                explained_s += sign * lasted_s
                because.append(f"{whose}{duration(lasted_s)} {wait.reason}")
    step_s = (now.seconds - now.standing_s) / max(1, now.exposures)
    more = now.exposures - was.exposures
    if more:
        explained_s += more * step_s
        because.append(f"{_signed(more * step_s)} for {more:+d} exposures of {step_s:.1f} s")
    tolerance_s = max(_TIME_S, _TIME * was.seconds)
    rest_s = longer_s - explained_s
    if max(abs(longer_s), abs(rest_s)) <= tolerance_s:
        return
    left = f"{_signed(rest_s)}" if abs(rest_s) > tolerance_s else ""
    yield _deviation(now.name, "time", duration(was.seconds), duration(now.seconds), because, left)


def _attempts(was: StageAccount, now: StageAccount, expected: Story, found: Story) -> Iterator[Deviation]:
    if now.retaken == was.retaken:
        return
    reasons = counted(found.rejected.get(now.name, {}))
    reasons += [f"in the expected night: {text}" for text in counted(expected.rejected.get(was.name, {}))]
    left = "" if reasons else "no reason is on record"
    yield _deviation(now.name, "retaken", str(was.retaken), str(now.retaken), reasons, left)


def _missing(was: StageAccount, now: StageAccount, expected: Story, found: Story) -> Iterator[Deviation]:
    gone, lost = (one.outcomes.missing + one.outcomes.not_reached for one in (was, now))
    if gone == lost:
        return
    because = counted(found.missing.get(now.name, {}))
    because += [f"in the expected night: {text}" for text in counted(expected.missing.get(was.name, {}))]
    if now.outcomes.not_reached:
        because += found.ends
    if was.outcomes.not_reached:
        because += [f"in the expected night: {text}" for text in expected.ends]
    left = "" if because else "no reason is on record"
    yield _deviation(now.name, "missing", str(gone), str(lost), because, left)


def _amounts(was: StageAccount, now: StageAccount, *, disk: bool) -> Iterator[Deviation]:
    """Dose and disk follow the exposures; what is left beyond that is another dose, or size, of a frame."""
    kinds: tuple[tuple[Aspect, str, float, float, float], ...] = (
        ("dose", "Gy", was.dose_gy, now.dose_gy, _DOSE),
        ("disk", "MB", was.bytes / 1e6, now.bytes / 1e6, _DISK),
    )
    for what, unit, expected, found, share in kinds[: 2 if disk else 1]:
        if abs(found - expected) <= share * max(expected, 1e-12):
            continue
        more = now.exposures - was.exposures
        because = [f"{more:+d} exposures"] if more else []
        rest = found - expected * now.exposures / max(1, was.exposures)
        # Darks and flats among the exposures carry no dose: what they may blur is not called unexplained.
        blur = abs(found - expected) if more else 0.0
        left = "" if abs(rest) <= share * expected + blur else f"{rest:+.3g} {unit}: a frame's own share is another"
        yield _deviation(now.name, what, f"{expected:.3g} {unit}", f"{found:.3g} {unit}", because, left)


def _flux(
    was: StageAccount, now: StageAccount, first_was: float | None, first_now: float | None, found: Story
) -> Iterator[Deviation]:
    """The flats against those of the night's first stage, in each night by itself: gains need not be the same."""
    if now.name == MOSAIC or not (was.flux and now.flux and first_was and first_now):
        return
    expected, seen = was.flux / first_was, now.flux / first_now
    if abs(seen / expected - 1) <= _FLUX:
        return
    because = [event.text for event in found.light if event.t_s <= now.end_s]
    yield _deviation(
        now.name, "flux", f"{expected:.0%} of the first", f"{seen:.0%} of the first", dict.fromkeys(because),
        "" if because else "no loss of beam and no condition is on record before it",
    )  # fmt: skip


def _other_places(expected: Story, found: Story) -> list[str]:
    others = [
        name
        for name, (x_um, y_um) in found.places.items()
        if name in expected.places
        and max(abs(x_um - expected.places[name][0]), abs(y_um - expected.places[name][1])) > _ELSEWHERE_UM
    ]
    if not others:
        return []
    return [f"{len(others)} of {len(found.places)} regions lie elsewhere: {', '.join(others[:5])}"]


def _other_frames(expected: Story, found: Story) -> list[str]:
    """Of the same powder: regions that were held, or frames of which were taken again, are of another moment."""
    both = [(pair.name, pair.expected, pair.found) for pair in pairs(expected, found) if pair.name != MOSAIC]
    names = [
        name
        for name, was, now in both
        if was is not None
        and now is not None
        and (was.retaken != now.retaken or abs(was.standing_s - now.standing_s) > _TIME_S)
    ]
    return [f"held, or frames taken again, in one of the nights: {', '.join(names[:5])}"] if names else []


def _set_aside(expected: Story, found: Story) -> list[str]:
    both = [(pair.name, pair.expected, pair.found) for pair in pairs(expected, found)]
    aside = RoiState.QUARANTINED
    names = [name for name, was, now in both if was and now and (was.state is aside) is not (now.state is aside)]
    return [f"set aside in one of the nights: {', '.join(names[:5])}"] if names else []


def _never_begun(expected: Story, found: Story) -> list[str]:
    names = [pair.name for pair in pairs(expected, found) if pair.expected is None or pair.found is None]
    return [f"in one of the nights only: {', '.join(names[:5])}"] if names else []


def _deviation(stage: str, what: Aspect, expected: str, found: str, because: Iterable[str], left: str) -> Deviation:
    return Deviation(stage=stage, what=what, expected=expected, found=found, because=tuple(because), unexplained=left)


def _signed(seconds: float) -> str:
    return f"{'-' if seconds < 0 else '+'}{duration(abs(seconds))}"
