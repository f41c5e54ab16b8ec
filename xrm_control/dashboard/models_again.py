"""What the server says of a run whose volumes are measured again."""

from __future__ import annotations

from pydantic import Field

from xrm_control.contracts.document import Figure, Record


class Again(Record):
    """Measure a run's volumes again. settings: path -> value, of `analysis`, in place of the run's; request: as of
    `Wish`.
    """

    settings: dict[str, float | int | str | bool] = Field(min_length=1, max_length=50)
    request: str = Field(pattern=r"^[A-Za-z0-9-]{8,64}$")


class Measurement(Record):
    """What one analysis found. key: "" for the run's own; levels_per_um: the lowest and highest threshold of its
    volumes, empty where none is on record; report: its address relative to the run's, "" for none.
    """

    key: str
    settings: dict[str, str]
    verdict: str
    whole_particles: int
    voided_percent: Figure
    equivalent_diameter_um: Figure
    levels_per_um: tuple[float, ...] = ()
    report: str


class Trial(Record):
    """A re-analysis that was asked for here and has no result. state: under way, or failed; words: the last it said."""

    settings: tuple[str, ...]
    state: str
    words: str


class Measurements(Record):
    """The run's own first, then those made again, by key; trials: the newest first."""

    measurements: tuple[Measurement, ...]
    trials: tuple[Trial, ...]
    obstacle: str = Field(default="", description="why none can be begun now")
