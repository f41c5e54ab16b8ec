"""What a server answers as people say it, and what is said when a request to a PV comes to nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xrm_control.core.errors import DeviceError, InstrumentUnreachable

LOOK_AT_IOC = "look whether the IOC runs and is reached: xrm doctor with the same recipe, EPICS_CA_ADDR_LIST"


# Waveforms of characters up to this length are texts (paths, messages), longer ones images.
_LONGEST_TEXT = 1024


class TimedOut(InstrumentUnreachable):
    """The request went out, and no answer came in time; what it set off may go on."""


def lost(operation: str, name: str) -> InstrumentUnreachable:
    """The connection is gone."""
    return InstrumentUnreachable(f"{operation}: the connection is lost", where=name, remedy=LOOK_AT_IOC)


def refused(name: str, value: object, why: str) -> DeviceError:
    """The server does not take a value."""
    return DeviceError(
        f"the write was refused: {why}",
        where=name,
        value=value,
        remedy="look at the IOC's access security and at the field's limits; xrm doctor lists what may be written",
    )


def again(error: InstrumentUnreachable) -> InstrumentUnreachable:
    """A new error with the same facts, so that its traceback is its own."""
    return InstrumentUnreachable(
        error.what, where=error.where, value=error.value, limit=error.limit, remedy=error.remedy
    )


def plain(value: Any, elements: Callable[[], int], choices: tuple[str, ...]) -> Any:
    """A value with its enums and texts as str; elements: tells the PV's length; choices: of an enum."""
    if isinstance(value, np.ndarray) and value.dtype == np.uint8 and elements() <= _LONGEST_TEXT:
        return value.tobytes().split(b"\0", 1)[0].decode("latin-1")
    if choices and isinstance(value, int):
        return choices[value] if 0 <= value < len(choices) else str(value)
    return value
