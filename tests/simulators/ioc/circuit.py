"""Channel Access as libca speaks it, without anything of pyepics' on top: puts with and without completion, reads.

libca opens one TCP connection, a circuit, for all channels to a server that have the same priority, so a channel of
another priority has a circuit of its own.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any

from epics import ca, dbr

NORMAL, PUT_FAILED = 1, 160
UNDEFINED, INVALID = 17, 3
_STS_STRING = 7
_WITHIN_S = 20.0
_TURN_S = 0.01


class _EventArgs(ctypes.Structure):
    _fields_ = [
        ("usr", ctypes.c_void_p),
        ("chid", dbr.chid_t),
        ("type", ctypes.c_long),
        ("count", ctypes.c_long),
        ("raw_dbr", ctypes.c_void_p),
        ("status", ctypes.c_int),
    ]


class CaReply:
    """What a request is answered with, once it is: its status; of a read the value as text, and the alarm."""

    def __init__(self) -> None:
        self.status = 0
        self.value = ""
        self.alarm = (0, 0)
        self._came = threading.Event()
        # libca keeps a pointer to it.
        self.callback = dbr.make_callback(self._take, _EventArgs)

    def comes(self, within_s: float = _WITHIN_S) -> bool:
        """Whether it comes within a time; 0: whether it is there."""
        return self._came.wait(within_s)

    def _take(self, arguments: _EventArgs) -> None:
        self.status = arguments.status
        if arguments.raw_dbr and self.status == NORMAL:
            alarm = ctypes.cast(arguments.raw_dbr, ctypes.POINTER(ctypes.c_short))
            self.alarm = alarm[0], alarm[1]
            self.value = ctypes.string_at(arguments.raw_dbr + 2 * ctypes.sizeof(ctypes.c_short)).decode("latin-1")
        self._came.set()


class Channel:
    """A channel of its own, whoever else has one to the same PV; `priority`, 0 to 99, chooses the circuit."""

    def __init__(self, name: str, priority: int = 0) -> None:
        if ca.libca is None:
            ca.initialize_libca()
        elif ca.current_context() is None:
            ca.use_initial_context()
        self._ca: Any = ca.libca
        self._chid = dbr.chid_t()
        self._answers: list[CaReply] = []
        self._ca.ca_create_channel(name.encode(), None, None, priority, ctypes.byref(self._chid))
        self._ca.ca_flush_io()
        for _ in range(int(_WITHIN_S / _TURN_S)):
            if self._ca.ca_state(self._chid) == dbr.CS_CONN:
                return
            threading.Event().wait(_TURN_S)
        raise AssertionError(f"{name} is not there")

    def put(self, value: float | str) -> None:
        """Write without completion."""
        kind, data = _encode(value)
        assert self._ca.ca_array_put(kind, 1, self._chid, data) == NORMAL
        self._ca.ca_flush_io()

    def put_callback(self, value: float | str) -> CaReply:
        """Write with completion, which is the answer."""
        kind, data = _encode(value)
        return self._ask(lambda back: self._ca.ca_array_put_callback(kind, 1, self._chid, data, back, None))

    def read(self) -> CaReply:
        """Read with alarm, as text."""
        return self._ask(lambda back: self._ca.ca_array_get_callback(_STS_STRING, 1, self._chid, back, None))

    def get(self) -> str:
        """What a read brings."""
        answer = self.read()
        assert answer.comes(), "a read was not answered"
        assert answer.status == NORMAL
        return answer.value

    def clear(self) -> None:
        """Give the channel up, and whatever it waits for; once more does nothing."""
        if self._chid:
            self._ca.ca_clear_channel(self._chid)
            self._ca.ca_flush_io()
            self._chid = dbr.chid_t()

    def _ask(self, send: Callable[[Any], int]) -> CaReply:
        answer = CaReply()
        self._answers.append(answer)
        assert send(answer.callback) == NORMAL
        self._ca.ca_flush_io()
        return answer


def _encode(value: float | str) -> tuple[int, Any]:
    if isinstance(value, str):
        return dbr.STRING, ctypes.create_string_buffer(value.encode("latin-1"), dbr.MAX_STRING_SIZE)
    return dbr.DOUBLE, ctypes.byref(ctypes.c_double(value))
