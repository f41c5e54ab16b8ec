"""Backends: the `instrument:` part of a recipe, one file each in this package, told apart by `backend`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from xrm_control.core.clock import Clock
from xrm_control.core.family import Family
from xrm_control.core.findings import Finding
from xrm_control.core.model import Spec
from xrm_control.devices.protocols import Instrument, InstrumentDescription

BACKENDS = Family("xrm_control.devices", tag="backend", group="xrm_control.backends")


@dataclass(frozen=True)
class Needs:
    """What a recipe will ask of an instrument.

    limits: its own by axis, None where it has none; travel: lowest and highest position that it goes to, by axis;
    exposures: (binning, exposure in s) of its stages; watched: the values of its conditions. Lengths in um.
    """

    limits: Mapping[str, tuple[float, float] | None] = field(default_factory=dict)
    travel: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    exposures: tuple[tuple[int, float], ...] = ()
    watched: tuple[str, ...] = ()


class Backend(Spec):
    """Settings of one kind of instrument, and how to open it."""

    @property
    def tag(self) -> str:
        """The backend's name, as in the recipe."""
        return str(getattr(self, "backend", ""))

    @property
    def simulated(self) -> bool:
        """Whether virtual time may be used and a truth exists."""
        return False

    @abstractmethod
    def describe(self) -> InstrumentDescription:
        """Static facts of the instrument; contacts no hardware."""

    def examine(self, needs: Needs, *, expose: bool = False) -> list[Finding]:
        """Look at the instrument without moving it; with `expose` take frames, shutter closed, as a run would."""
        return []

    def values(self) -> Mapping[str, str] | None:
        """The names of the values that conditions may watch, and their units; None: a site's own, known there alone."""
        return {}

    @property
    def shows_sample(self) -> bool:
        """Whether its frames show the sample: where they do not, nothing is reconstructed or measured."""
        return True

    def positions(self) -> Mapping[str, float] | None:
        """Where the axes stand, in um and degrees, without moving anything or taking control; those that can be read.

        None: an instrument that stands nowhere until it is opened. Raises InstrumentUnreachable.
        """
        return None

    def speed(self) -> float:
        """How many times faster than the wall clock the instrument's own time passes; 1 for a real one.

        May contact the instrument. Raises InstrumentUnreachable.
        """
        return 1.0

    @abstractmethod
    def open(self, clock: Clock) -> Instrument:
        """The instrument, not yet connected."""
