"""NDPluginStats: what screens and clients like to know of an image, from its extremes to its moments."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.ioc.detector_parameters import NO_YES
from simulators.ioc.detector_plugin import Array, Plugin, Source
from simulators.ioc.pacing import IocTime
from simulators.ioc.pv import array as waveform

_STATISTICS = ("MinValue", "MaxValue", "MeanValue", "Total", "Net", "MinX", "MinY", "MaxX", "MaxY")
_MOMENTS = (
    *("CentroidTotal", "CentroidX", "CentroidY", "SigmaX", "SigmaY", "SigmaXY"),
    *("SkewX", "SkewY", "KurtosisX", "KurtosisY", "Eccentricity", "Orientation"),
)
_SERIES = (*_STATISTICS, "Sigma", *_MOMENTS, "Timestamp")
_LARGEST_HISTOGRAM = 4096
_LONGEST_PROFILE = 4096


class StatsPlugin(Plugin):
    """Moments, histogram and profiles only when they are asked for, as there. Time series are not kept."""

    def __init__(self, prefix: str, port: str, source: Source, time: IocTime) -> None:
        super().__init__(prefix, port, "NDPluginStats", source, time)
        p = self._p
        for name in ("Statistics", "Centroid", "Profiles", "Histogram"):
            p.choice(f"Compute{name}", "Yes" if name == "Statistics" else "No", NO_YES)
        p.integer("BgdWidth", 1)
        for name in (*_STATISTICS, *_MOMENTS):
            p.double(name)
        # Its setpoint and its read-back do not go by the same name.
        p.control("SigmaValue", 0.0)
        p.readings(Sigma=0.0)
        p.double("CentroidThreshold", 1.0)
        for name, value in (("HistSize", 256), ("HistBelow", 0), ("HistAbove", 0), ("CursorX", 256), ("CursorY", 256)):
            p.integer(name, value)
        for name, value in (("HistMin", 0.0), ("HistMax", 255.0), ("HistEntropy", 0.0)):
            p.double(name, value)
        for name in ("Histogram_RBV", "HistogramX_RBV"):
            p.add(name, waveform(_LARGEST_HISTOGRAM, "float64"))
        p.reading("CursorVal", 0.0)
        for axis in "XY":
            for kind in ("Average", "Threshold", "Centroid", "Cursor"):
                p.add(f"Profile{kind}{axis}_RBV", waveform(_LONGEST_PROFILE, "float64"))
            p.readings(**{f"ProfileSize{axis}": 0})
            p.reading(f"MaxSize{axis}", 0)
            p.control(f"Set{axis}HOPR", 0)
        for name in _SERIES:
            p.add("TS" + name.removesuffix("_RBV"), waveform(1, "float64"))
        for name in ("Reset", "Reset1", "Reset2"):
            p.control(name, 0)

    async def process(self, array: Array) -> None:
        """Compute what is asked for, and say it."""
        p, image = self._p, array.image.astype(np.float64)
        found: dict[str, float] = {}
        if p.value("ComputeStatistics") == "Yes":
            found |= statistics(image, p.value("BgdWidth"))
        if p.value("ComputeCentroid") == "Yes":
            found |= moments(np.where(image >= p.value("CentroidThreshold"), image, 0.0))
        for name, value in found.items():
            await p.set(name, value)
        if p.value("ComputeProfiles") == "Yes":
            await self._profiles(image)
        if p.value("ComputeHistogram") == "Yes":
            await self._histogram(image)
        await self.count()
        await self.announce(array)
        await self.hand_on(array)

    async def _profiles(self, image: NDArray[np.float64]) -> None:
        p = self._p
        rows, columns = image.shape
        x, y = min(max(p.value("CursorX"), 0), columns - 1), min(max(p.value("CursorY"), 0), rows - 1)
        above = np.where(image >= p.value("CentroidThreshold"), image, 0.0)
        at = [min(max(round(p.value(f"Centroid{axis}")), 0), last - 1) for axis, last in (("X", columns), ("Y", rows))]
        for kind, along_x, along_y in (
            ("Average", image.mean(axis=0), image.mean(axis=1)),
            ("Threshold", above.mean(axis=0), above.mean(axis=1)),
            ("Centroid", image[at[1]], image[:, at[0]]),
            ("Cursor", image[y], image[:, x]),
        ):
            for axis, profile in (("X", along_x), ("Y", along_y)):
                await p[f"Profile{kind}{axis}_RBV"].post(profile[:_LONGEST_PROFILE])
        for axis, size in (("X", columns), ("Y", rows)):
            await p.set(f"ProfileSize{axis}", size)
            await p.show(f"MaxSize{axis}", size)
        await p.show("CursorVal", float(image[y, x]))

    async def _histogram(self, image: NDArray[np.float64]) -> None:
        p = self._p
        size = min(max(p.value("HistSize"), 1), _LARGEST_HISTOGRAM)
        low, high = p.value("HistMin"), p.value("HistMax")
        if not low < high:
            return
        counts, edges = np.histogram(image, size, (low, high))
        await p["Histogram_RBV"].post(counts.astype(np.float64))
        await p["HistogramX_RBV"].post(edges[:-1])
        await p.set("HistBelow", int((image < low).sum()))
        await p.set("HistAbove", int((image > high).sum()))
        filled = np.maximum(counts, 1)
        await p.set("HistEntropy", -float((filled * np.log(filled)).sum()) / image.size)


def statistics(image: NDArray[np.float64], background_width: int) -> dict[str, float]:
    """Extremes and where they are, mean, standard deviation, total, and the total less that of the edge."""
    (min_y, min_x), (max_y, max_x) = (np.unravel_index(at, image.shape) for at in (image.argmin(), image.argmax()))
    width, total = max(0, background_width), float(image.sum())
    inner = image[width:-width, width:-width] if width else image
    edge = image.size - inner.size
    background = (total - float(inner.sum())) / edge if edge else 0.0
    return {
        "MinValue": float(image.min()),
        "MaxValue": float(image.max()),
        "MeanValue": float(image.mean()),
        "Sigma": float(image.std()),
        "Total": total,
        "Net": total - background * image.size,
        **{"MinX": float(min_x), "MinY": float(min_y), "MaxX": float(max_x), "MaxY": float(max_y)},
    }


def moments(image: NDArray[np.float64]) -> dict[str, float]:
    """Centre (pixels), widths, correlation, skewness, excess kurtosis, and the ellipse of them; {} without counts."""
    total = float(image.sum())
    if total <= 0.0:
        return {}
    found: dict[str, float] = {"CentroidTotal": total}
    offsets: dict[str, NDArray[Any]] = {}
    variances: dict[str, float] = {}
    for axis, along in (("X", 0), ("Y", 1)):
        weights = image.sum(axis=along) / total
        places = np.arange(len(weights), dtype=np.float64)
        found[f"Centroid{axis}"] = centre = float(weights @ places)
        offsets[axis] = places - centre
        variances[axis] = variance = float(weights @ offsets[axis] ** 2)
        found[f"Sigma{axis}"] = variance**0.5
        if variance > 0.0:
            found[f"Skew{axis}"] = float(weights @ offsets[axis] ** 3) / variance**1.5
            found[f"Kurtosis{axis}"] = float(weights @ offsets[axis] ** 4) / variance**2 - 3.0
    x, y = variances["X"], variances["Y"]
    both = float(offsets["Y"] @ image @ offsets["X"]) / total
    if x > 0.0 and y > 0.0:
        found["SigmaXY"] = both / (x * y) ** 0.5
    if x + y > 0.0:
        found["Eccentricity"] = ((x - y) ** 2 - 4.0 * both**2) / (x + y) ** 2
    found["Orientation"] = float(np.degrees(0.5 * np.arctan2(2.0 * both, x - y)))
    return found
