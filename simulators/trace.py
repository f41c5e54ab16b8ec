"""What the instrument saw of itself, as frozen records: the witness against which a run is judged.

Times in s of instrument time, positions as the encoders have them, in the axis's units (um or deg).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Motion:
    """One axis from `start` towards `target`, settling included; cut short where it was stopped, blocked or replaced.

    A stop is a motion too: from where it was commanded to where the axis came to rest.
    """

    axis: str
    begin_s: float
    end_s: float
    start: float
    target: float


@dataclass(frozen=True)
class ExposureSeen:
    """One exposure: open_fraction is the share of it during which the shutter let light through.

    unique_id: the camera's counter, None where the frame was lost; held: the least and the greatest position of every
    axis during the exposure, at_begin: where it was when it began; aborted: given up before its end.
    """

    number: int
    unique_id: int | None
    begin_s: float
    end_s: float
    binning: int
    open_fraction: float
    at_begin: Mapping[str, float]
    held: Mapping[str, tuple[float, float]]
    aborted: bool = False


@dataclass(frozen=True)
class SettingChange:
    """Somebody set the camera, or gave an axis another offset."""

    t_s: float
    device: str
    what: str


@dataclass(frozen=True)
class Latched:
    """What the controllers' statuses showed in a span of time, however short it was.

    motions: of any axis; was_open, was_closed: whether the shutter was either; first_flux, least_flux: relative.
    """

    motions: tuple[Motion, ...]
    was_open: bool
    was_closed: bool
    first_flux: float
    least_flux: float


@dataclass(frozen=True)
class Trace:
    """All of it, each in the order of time. shutter: when it was open, (from, until); the last may end in infinity."""

    shutter: tuple[tuple[float, float], ...]
    motions: tuple[Motion, ...]
    exposures: tuple[ExposureSeen, ...]
    settings: tuple[SettingChange, ...]
    axes_at_rest: Mapping[str, bool]
    ended_s: float
