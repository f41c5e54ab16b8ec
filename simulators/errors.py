"""What the simulated microscope raises when it is used in a way that the real one would not survive either."""

from __future__ import annotations


class SimulationError(RuntimeError):
    """A command that makes no sense in the present state, e.g. exposing while the camera is busy."""


class Disconnected(ConnectionError):
    """The instrument does not answer (the fault `disconnect`)."""
