"""Binning and region of interest: what a client asks for, and what the sensor makes of it."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


class Region:
    """Offsets and sizes are unbinned pixels; binning is the same both ways.

    `wanted` is what was asked for, `used` what the sensor can do that is nearest: a binning it has, not coarser than
    asked; whole binned pixels, inside the sensor. A wish that is out of reach now may come true after another.
    """

    def __init__(self, width: int, height: int, binnings: tuple[int, ...]) -> None:
        self._size = {"X": width, "Y": height}
        self._binnings = binnings
        start = min(binnings)
        self.wanted = {"BinX": start, "BinY": start, "MinX": 0, "MinY": 0, "SizeX": width, "SizeY": height}
        self.used = dict(self.wanted)

    def want(self, name: str, value: int) -> None:
        """Ask for another BinX, BinY, MinX, MinY, SizeX or SizeY."""
        self.wanted[name] = value
        if name in ("BinX", "BinY"):
            self.wanted["BinX"] = self.wanted["BinY"] = value
        binning = max((b for b in self._binnings if b <= self.wanted["BinX"]), default=min(self._binnings))
        used = {"BinX": binning, "BinY": binning}
        for axis, whole in self._size.items():
            start = min(max(self.wanted[f"Min{axis}"], 0), whole - binning) // binning * binning
            size = min(max(self.wanted[f"Size{axis}"], binning), whole - start) // binning * binning
            used |= {f"Min{axis}": start, f"Size{axis}": size}
        self.used = used


def crop(image: NDArray[Any], region: dict[str, int], reverse_x: bool = False, reverse_y: bool = False) -> NDArray[Any]:
    """The region of a whole binned frame (rows, columns); a frame that came too short stays too short."""
    binning = region["BinX"]
    rows, columns = (
        slice(region[f"Min{axis}"] // binning, (region[f"Min{axis}"] + region[f"Size{axis}"]) // binning)
        for axis in "YX"
    )
    part = image[rows, columns]
    return part[:: -1 if reverse_y else 1, :: -1 if reverse_x else 1]
