"""How a command ends, as a number for scripts."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """0 is a full success, and nothing else is."""

    OK = 0
    FAILURE = 1
    USAGE = 2  # the recipe, or an argument
    UNREACHABLE = 3  # a device or the workers do not answer
    SAFETY = 4  # refused: it would leave the safe envelope
    PARTLY = 5  # the run ended, and some of what was asked for is missing or to be doubted
    LOCKED = 6  # another process works on it
    NOT_SAFE = 7  # the safe state could not be verified
    DIED = 8  # the run that is asked about died without an end
    ALTERED = 9  # a file of a run is not what was recorded
    NEXT_SAMPLE = 10  # a policy ended the run in order: the next sample's may follow
    RESUMABLE = 75  # interrupted, and can be gone on with
    INTERRUPTED = 130
