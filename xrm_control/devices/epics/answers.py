"""What a server answers as people say it, and what is said when a request to a PV comes to nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from xrm_control.core.errors import DeviceError, InstrumentUnreachable
from xrm_control.devices.epics import libca
from xrm_control.devices.epics.libca import CaReply

LOOK_AT_IOC = "look whether the IOC runs and is reached: xrm doctor with the same recipe, EPICS_CA_ADDR_LIST"
LOOK_AT_DEVICE = "the IOC has lost its device: look at the device, its cable and the IOC's own console"
NO_ACCESS = "the PV is read-only for us (access rights)"


class TimedOut(InstrumentUnreachable):
    """The request went out, and no answer came in time; what it set off may go on."""


def lost(operation: str, name: str) -> InstrumentUnreachable:
    """The connection is gone."""
    return InstrumentUnreachable(f"{operation}: the connection is lost", where=name, remedy=LOOK_AT_IOC)


def no_number(name: str, value: object) -> InstrumentUnreachable:
    """A reading that says nothing: as one that the IOC calls INVALID, it may be right again in a moment."""
    return InstrumentUnreachable("the IOC says no number", where=name, value=value, remedy=LOOK_AT_DEVICE)


def unreached(missing: Sequence[str], known: int, connect_s: float) -> InstrumentUnreachable:
    """PVs that do not answer, of so many."""
    shown = ", ".join(missing[:12]) + (f" and {len(missing) - 12} more" if len(missing) > 12 else "")
    return InstrumentUnreachable(
        f"{len(missing)} of {known} PVs do not answer: {shown}",
        where="Channel Access",
        limit=f"{connect_s:g} s to connect",
        remedy=LOOK_AT_IOC if len(missing) == known else "check their names in the PV map",
    )


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
    if isinstance(value, np.ndarray) and value.dtype == np.uint8 and elements() <= libca.LONGEST_TEXT:
        return value.tobytes().split(b"\0", 1)[0].decode("latin-1")
    if choices and isinstance(value, int):
        return choices[value] if 0 <= value < len(choices) else str(value)
    return value


def believed(
    name: str, answer: CaReply, elements: Callable[[], int], choices: tuple[str, ...], may_be_invalid: bool
) -> CaReply:
    """What a read brought, as people say it (see `plain`). Raises InstrumentUnreachable, DeviceError for what it did
    not bring, and for what the IOC itself calls INVALID unless it may be so.
    """
    if answer.status == libca.DISCONNECTED:
        raise lost("read", name)
    if answer.status == libca.TOO_LARGE:
        ours = libca.array_limit_bytes()
        raise DeviceError(
            "the array does not fit the Channel Access setting of "
            + ("the IOC" if ours is None else "this client, or of the IOC"),
            where=name,
            value=f"{elements()} elements",
            limit="EPICS_CA_MAX_ARRAY_BYTES of the IOC" if ours is None else f"EPICS_CA_MAX_ARRAY_BYTES={ours} here",
            remedy="start the IOC with EPICS_CA_AUTO_ARRAY_BYTES=YES, or with a larger EPICS_CA_MAX_ARRAY_BYTES"
            + ("" if ours is None else "; set channel_access.max_array_bytes in the PV map likewise"),
        )
    if answer.status != libca.NORMAL:
        text = libca.STATUS.get(answer.status, f"Channel Access status {answer.status}")
        raise InstrumentUnreachable(f"read: {text}", where=name, remedy=LOOK_AT_IOC)
    if answer.severity >= libca.INVALID and not may_be_invalid:
        raise InstrumentUnreachable(
            "the IOC itself calls the value INVALID",
            where=name,
            value=answer.value if isinstance(answer.value, int | float | str) else "an array",
            remedy=LOOK_AT_DEVICE,
        )
    value = plain(answer.value, elements, choices)
    return answer if value is answer.value else replace(answer, value=value)
