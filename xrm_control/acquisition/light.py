"""How bright the frames of a run are, and which of them do not fit: against the darks, the flats and their neighbours.

A source that dips for half an exposure shows in no status, only in the counts. What is remembered is kept for the whole
run, by the camera's settings, so that a region's references are held against those of the regions before.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.acquisition.steps import FrameStep
from xrm_control.core.frame_id import FrameId
from xrm_control.core.states import FrameKind

_BLOCKS = 8
_REMEMBERED = 20
# Darks: in units of the noise of one pixel.
_DARK_TOLERANCE, _LIGHT_FLOOR = 10.0, 6.0
# Natural logarithms of ratios of counts.
_SAME = 0.03  # two exposures of one pose
_FLAT_TOLERANCE = 0.15  # of the level, and of any part of the field, between flats
_BRIGHT_TOLERANCE = 0.1  # of the brightest per cent of a frame, against the flats and the other tiles
_SAME_COLUMN_UM = 1.0
_SHADE, _LEAST_SHADED = 0.5, 0.1  # of the beam; of the field
_NEIGHBOURS = 2  # on each side in angle
_VIEW_TOLERANCE, _PER_DEG, _PER_DEG_ALONE, _MOST = 0.05, 0.03, 0.1, 0.6


@dataclass(frozen=True)
class Look:
    """Counts above the dark: mean, the 99th percentile, and the means of 8 x 8 parts of the field."""

    mean: float
    bright: float
    parts: NDArray[np.float64]

    def agrees(self, other: Look) -> bool:
        """Whether both can be exposures of one pose under the same beam."""
        return abs(_log(self.mean, other.mean)) <= _SAME and _unlike(self, other) <= 5 * _SAME


@dataclass(frozen=True)
class Odd:
    """Why a frame does not fit: one sentence, the value and the limit it met."""

    what: str
    value: str
    limit: str


@dataclass
class _Known:
    """What is remembered of the frames with one setting of the camera."""

    darks: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    flats: deque[Look] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))


class Light:
    """See the module. `begin` says which settings and which acquisition the frames belong to that follow."""

    def __init__(self) -> None:
        self._by_setting: dict[Any, _Known] = {}
        self._known = _Known()
        self._darks: dict[FrameId, tuple[float, float]] = {}
        self._flats: dict[FrameId, Look] = {}
        self._tiles: dict[FrameId, tuple[float, Look]] = {}
        self._views: dict[FrameId, tuple[float, Look]] = {}

    def begin(self, setting: Any) -> None:
        """Frames of another acquisition follow, taken with this setting of the camera."""
        self._known = self._by_setting.setdefault(setting, _Known())
        for of_this in (self._darks, self._flats, self._tiles, self._views):
            of_this.clear()

    def look(self, image: NDArray[Any]) -> Look:
        """What is remembered of a frame with the shutter open."""
        dark = self.dark()
        floor = dark[0] if dark is not None else 0.0
        rows, columns = (max(1, n // min(_BLOCKS, n)) for n in image.shape)
        whole = image[: image.shape[0] // rows * rows, : image.shape[1] // columns * columns]
        parts = whole.reshape(whole.shape[0] // rows, rows, -1, columns).mean(axis=(1, 3), dtype=np.float64)
        return Look(float(parts.mean()) - floor, float(np.percentile(image, 99)) - floor, parts - floor)

    @property
    def knows_references(self) -> bool:
        """Whether any dark or flat with the present setting is remembered."""
        return bool(self._known.darks or self._known.flats)

    def earlier(self, kind: FrameKind, image: NDArray[Any]) -> None:
        """A dark or flat of an acquisition before this one, with the same setting: darks before flats."""
        if kind == FrameKind.DARK:
            self._known.darks.append(dark_level(image))
        else:
            self._known.flats.append(self.look(image))

    def dark(self) -> tuple[float, float] | None:
        """Level and noise of the darks: of this acquisition where there are any, else of those before.

        The lowest level that two of them share: light only ever adds to a dark. None before the first.
        """
        seen = list(self._darks.values()) or list(self._known.darks)
        return _lowest_shared(seen) if seen else None

    def odd_dark(self, image: NDArray[Any]) -> Odd | None:
        """A dark that differs from the darks before it. What is asked about counts among them from now on."""
        level, noise = dark_level(image)
        self._known.darks.append((level, noise))
        return _far(level, _lowest_shared(self._known.darks))

    def no_light(self, look: Look) -> Odd | None:
        """A frame with the shutter open that is as dark as the darks."""
        dark = self.dark()
        if dark is None or look.bright > _LIGHT_FLOOR * dark[1]:
            return None
        return Odd(
            "no light although the shutter is open",
            f"99th percentile {look.bright:.1f} counts above the dark",
            f"above {_LIGHT_FLOOR * dark[1]:.1f} counts",
        )

    def above_flats(self, look: Look) -> Odd | None:
        """A frame of the sample that is brighter than the beam without it."""
        flats = list(self._flats.values()) or list(self._known.flats)
        if not flats:
            return None
        open_beam = float(np.median([flat.bright for flat in flats]))
        over = _log(look.bright, open_beam)
        if over <= _BRIGHT_TOLERANCE:
            return None
        return Odd("brighter than the flats", _percent(over), f"within {_percent(_BRIGHT_TOLERANCE)} of the flats")

    def odd_lit(self, step: FrameStep, look: Look) -> Odd | None:
        """A flat, tile, projection or frame behind the blade whose counts its fellows do not lead one to expect."""
        if step.kind == FrameKind.BLOCKER:
            return self._odd_shade(look)
        if step.kind == FrameKind.FLAT:
            return self._odd_flat(look)
        if step.kind == FrameKind.TILE:
            return self._odd_tile(step, look)
        return self._odd_view(step, look)

    def add(self, step: FrameStep, image: NDArray[Any], look: Look | None) -> None:
        """The frame is believed."""
        if step.kind == FrameKind.DARK or look is None:
            self._darks[step.frame_id] = dark_level(image)
        elif step.kind == FrameKind.FLAT:
            self._flats[step.frame_id] = look
            self._known.flats.append(look)
        elif step.kind == FrameKind.TILE:
            self._tiles[step.frame_id] = (step.pose.x_um, look)
        elif step.kind == FrameKind.PROJECTION:
            # A repeated view is held against the others; it counts once.
            self._views[step.frame_id] = (step.pose.theta_deg, look)

    def withdraw(self, frame_id: FrameId) -> Look | None:
        """The frame is not believed any more; what a view showed."""
        view = self._views.get(frame_id)
        for of_this in (self._darks, self._flats, self._tiles, self._views):
            of_this.pop(frame_id, None)
        return None if view is None else view[1]

    def odd_references(self, frame_ids: Iterable[FrameId]) -> dict[FrameId, Odd]:
        """Of a set of darks or flats, those that its median does not fit; of two that differ, both."""
        names = list(frame_ids)
        found: dict[FrameId, Odd | None] = {}
        darks = {name: self._darks[name] for name in names if name in self._darks}
        if len(darks) > 1:
            level, noise = (float(np.median([one[i] for one in darks.values()])) for i in (0, 1))
            found |= {name: _far(one[0], (level, noise)) for name, one in darks.items()}
        flats = {name: self._flats[name] for name in names if name in self._flats}
        if len(flats) > 1:
            middle = _median(list(flats.values()))
            found |= {name: _unlike_flats(one, middle, "the flats of its set") for name, one in flats.items()}
        return {name: odd for name, odd in found.items() if odd is not None}

    def odd_views(self) -> dict[FrameId, Odd]:
        """Projections that do not lie between their neighbours in angle, now that all are known."""
        views = self._views.items()
        found = ((name, self._off_the_curve(name, theta_deg, look.mean)) for name, (theta_deg, look) in views)
        return {name: odd for name, odd in found if odd is not None}

    def _odd_flat(self, look: Look) -> Odd | None:
        if self._flats:
            return _unlike_flats(look, _median(list(self._flats.values())), "the flats before it")
        if self._known.flats:
            return _unlike_flats(look, _median(list(self._known.flats)), "the flats of earlier acquisitions")
        return None

    def _odd_shade(self, look: Look) -> Odd | None:
        """A blade that covers none of the field, or all of it."""
        flats = list(self._flats.values()) or list(self._known.flats)
        if not flats:
            return None
        beam = _median(flats).parts
        if beam.shape != look.parts.shape:
            return None
        shaded = float(np.mean(look.parts < _SHADE * beam))
        if _LEAST_SHADED <= shaded <= 1 - _LEAST_SHADED:
            return None
        return Odd(
            "the blade does not cover a part of the field",
            f"{100 * shaded:.0f} % of the field in its shade",
            f"{100 * _LEAST_SHADED:g} to {100 - 100 * _LEAST_SHADED:g} %",
        )

    def _odd_tile(self, step: FrameStep, look: Look) -> Odd | None:
        flats = list(self._flats.values()) or list(self._known.flats)
        if not flats:
            return None
        fellows = [float(np.median([flat.bright for flat in flats]))]
        # Above and below it the strip's edge runs through the field as it does here: they are as bright, all or none.
        beside = [one.bright for x_um, one in self._tiles.values() if abs(x_um - step.pose.x_um) < _SAME_COLUMN_UM]
        for tiles in ([one.bright for _, one in self._tiles.values()], beside):
            if tiles:
                fellows.append(float(np.median(tiles)))
        off = min((_log(look.bright, other) for other in fellows), key=abs)
        if abs(off) <= _BRIGHT_TOLERANCE:
            return None
        limit = f"within {_percent(_BRIGHT_TOLERANCE)} of the flats or of the other tiles"
        return Odd("its brightest parts are neither as bright as the flats nor as other tiles", _percent(off), limit)

    def _odd_view(self, step: FrameStep, look: Look) -> Odd | None:
        return self._off_the_curve(step.frame_id, step.pose.theta_deg, look.mean)

    def _off_the_curve(self, frame_id: FrameId, theta_deg: float, mean: float) -> Odd | None:
        """Whether a view's mean lies off those of its neighbours in angle, as far as they can tell."""
        views = ((name, (at, look.mean)) for name, (at, look) in self._views.items())
        others = [view for name, view in views if name != frame_id and view[1] > 0]
        nearest_below = heapq.nlargest(_NEIGHBOURS, (view for view in others if view[0] < theta_deg))
        nearest_above = heapq.nsmallest(_NEIGHBOURS, (view for view in others if view[0] > theta_deg))
        below = [(theta_deg - at, math.log(level)) for at, level in nearest_below]
        above = [(at - theta_deg, math.log(level)) for at, level in nearest_above]
        if mean <= 0 or not (below or above):
            return None
        expected, tolerance = _expected(below, above)
        off = max(min(expected) - math.log(mean), math.log(mean) - max(expected))
        if off <= tolerance:
            return None
        low, high = math.exp(min(expected) - tolerance), math.exp(max(expected) + tolerance)
        return Odd(
            "its counts do not fit those of its neighbours in angle",
            f"mean {mean:.0f} counts above the dark",
            f"{low:.0f} to {high:.0f} counts",
        )


def _expected(
    below: Sequence[tuple[float, float]], above: Sequence[tuple[float, float]]
) -> tuple[tuple[float, ...], float]:
    """Between which logarithms a view should lie, and how far beside; neighbours as (distance in deg, logarithm).

    With neighbours on both sides between the two; with neighbours on one side between the nearest and the straight line
    through the nearest two. A strip seen nearly from its edge changes by a tenth in a degree.
    """
    if below and above:
        gap = max(below[0][0], above[0][0])
        return (below[0][1], above[0][1]), min(_MOST, _VIEW_TOLERANCE + _PER_DEG * gap)
    near, *far = below or above
    if far and far[0][0] - near[0] <= 2 * near[0]:
        slope = (near[1] - far[0][1]) / (far[0][0] - near[0])
        return (near[1], near[1] + slope * near[0]), min(_MOST, _VIEW_TOLERANCE + _PER_DEG * near[0])
    return (near[1],), min(_MOST, _VIEW_TOLERANCE + _PER_DEG_ALONE * near[0])


def _lowest_shared(darks: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """Of darks as (level, noise): the lowest that two of them agree on, or the lowest of all."""
    seen = sorted(darks)
    shared = (a for a, b in pairwise(seen) if b[0] - a[0] <= _DARK_TOLERANCE * a[1])
    return next(shared, seen[0])


def dark_level(image: NDArray[Any]) -> tuple[float, float]:
    """Level and noise of a dark, robustly: hot pixels do not count. The noise is at least 1 count."""
    level = float(np.median(image))
    return level, max(1.0, 1.4826 * float(np.median(np.abs(image - level))))


def _far(level: float, reference: tuple[float, float]) -> Odd | None:
    if abs(level - reference[0]) <= _DARK_TOLERANCE * reference[1]:
        return None
    return Odd(
        "a dark that differs from the other darks: light behind a closed shutter?",
        f"{level:.1f} counts",
        f"{reference[0]:.1f} +- {_DARK_TOLERANCE * reference[1]:.1f} counts",
    )


def _unlike_flats(look: Look, reference: Look, which: str) -> Odd | None:
    off = _log(look.mean, reference.mean)
    if abs(off) > _FLAT_TOLERANCE:
        return Odd(f"a flat that differs from {which}", f"counts {_percent(off)}", f"{_percent(_FLAT_TOLERANCE)}")
    part = _unlike(look, reference)
    if part > _FLAT_TOLERANCE:
        what = f"a flat whose field differs from that of {which}: sample in the beam?"
        return Odd(what, f"a part of the field by {_percent(part)}", f"{_percent(_FLAT_TOLERANCE)}")
    return None


def _median(looks: Sequence[Look]) -> Look:
    return Look(
        float(np.median([look.mean for look in looks])),
        float(np.median([look.bright for look in looks])),
        np.median([look.parts for look in looks], axis=0),
    )


def _unlike(look: Look, reference: Look) -> float:
    """The greatest deviation of a part of the field that has light to speak of, brightness of the whole aside."""
    lit = reference.parts > 0.3 * reference.parts.max(initial=0.0)
    if look.parts.shape != reference.parts.shape or not lit.any():
        return 0.0
    ratio = look.parts[lit] / reference.parts[lit]
    middle = float(np.median(ratio))
    return float(np.abs(ratio / middle - 1.0).max()) if middle > 0 else math.inf


def _log(value: float, reference: float) -> float:
    return math.log(value / reference) if value > 0 and reference > 0 else -math.inf if reference > 0 else 0.0


def _percent(logarithm: float) -> str:
    return f"{100 * math.expm1(logarithm):+.0f} %"
