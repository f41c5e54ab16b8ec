"""What a check's evidence looks like: a chart, or images side by side; plain values that `drawn` draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

_MOST_POINTS = 1000


@dataclass(frozen=True)
class Series:
    """Values over x; odd: those that the check speaks of; muted: what they are held against."""

    x: ArrayLike
    y: ArrayLike
    name: str = ""
    style: Literal["points", "line", "bars"] = "points"
    odd: bool = False
    muted: bool = False

    @property
    def points(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """x and y, finite ones, about 1000 of them unless they are a line or bars."""
        x, y = np.ravel(np.asarray(self.x, float)), np.ravel(np.asarray(self.y, float))
        known = np.isfinite(x) & np.isfinite(y)
        x, y = x[known], y[known]
        step = max(1, len(x) // _MOST_POINTS) if self.style == "points" else 1
        return x[::step], y[::step]


@dataclass(frozen=True)
class Limit:
    """A line at a value: what is expected, or how far it may go."""

    value: float
    name: str = ""


@dataclass(frozen=True)
class Chart:
    """x, y: what the axes show, with units. limits: values of y; upright: values of x; spans: ranges of x that are
    shaded. log: whether y is.
    """

    title: str
    x: str
    y: str
    series: tuple[Series, ...]
    limits: tuple[Limit, ...] = ()
    upright: tuple[Limit, ...] = ()
    spans: tuple[tuple[float, float], ...] = ()
    log: bool = False


@dataclass(frozen=True)
class Panel:
    """An image (rows, columns). outline: where its value changes a line is drawn; window: black and white, None: all of
    it but the outermost hundredths.
    """

    title: str
    image: NDArray[Any]
    outline: NDArray[Any] | None = None
    window: tuple[float, float] | None = None


@dataclass(frozen=True)
class Panels:
    """Images side by side."""

    panels: tuple[Panel, ...]


Drawing = Chart | Panels


def histogram(values: NDArray[Any], bins: int = 60) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Middles of the bins, and how many values are in each."""
    counts, edges = np.histogram(values[np.isfinite(values)], bins)
    return (edges[1:] + edges[:-1]) / 2, counts.astype(np.float64)
