"""Channel Access as pyepics' library speaks it, with the one thing that pyepics leaves out: the server's verdict.

pyepics' own put-callback ignores the status that comes with it: `put(wait=True)` returns 1 for a write that the server
rejected and for an IOC that died in mid-move. Here every request ends with its status. Nothing blocks: requests are
sent from any thread, answers arrive in Channel Access' own threads, which only hand them on.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from epics import ca, dbr

from xrm_control.devices.epics import repeater

NORMAL, DISCONNECTED, NO_WRITE_ACCESS, PUT_FAILED, TOO_LARGE, ANSWERED_TWICE = 1, 192, 376, 160, 72, 200
# The statuses an operator may meet, in words; the numbers are those of caerr.h.
STATUS = {
    NORMAL: "done",
    48: "not enough memory",
    TOO_LARGE: "the array is larger than EPICS_CA_MAX_ARRAY_BYTES",
    80: "timed out",
    114: "bad type",
    142: "internal failure of the server",
    152: "the server could not read it",
    PUT_FAILED: "the server rejected the write",
    176: "bad element count",
    DISCONNECTED: "the connection was lost",
    368: "no read access",
    NO_WRITE_ACCESS: "no write access",
}
INVALID = 3
# Waveforms of characters up to this length are texts (paths, messages), longer ones images.
LONGEST_TEXT = 1024
# Channels of another priority have a circuit of their own to the same server: what waits on one holds up none of the
# other. The numbers are Channel Access' own, 0 to 99.
ORDINARY, URGENT = 0, 99
_UNIX_OF_EPICS_S = dbr.EPICS2UNIX_EPOCH
_VALUE_AND_ALARM = dbr.DBE_VALUE | dbr.DBE_ALARM
_NUMPY = {
    dbr.SHORT: np.int16,
    dbr.FLOAT: np.float32,
    dbr.ENUM: np.uint16,
    dbr.CHAR: np.uint8,
    dbr.LONG: np.int32,
    dbr.DOUBLE: np.float64,
}


# As msgForMultiplyDefinedPV.cpp of EPICS base puts it.
_TWICE = re.compile(r'Channel: "([^"]+)", Connecting to: ([^,]+), Ignored: (.+)')


@dataclass(frozen=True)
class CaReply:
    """What came back: status as in `STATUS`; value, alarm severity (3: INVALID) and the server's time (unix, s)."""

    status: int
    value: Any = None
    severity: int = 0
    timestamp_s: float = 0.0


OnAnswer = Callable[[CaReply], None]
OnConnection = Callable[[bool], None]


class _EventArgs(ctypes.Structure):
    _fields_ = [
        ("usr", ctypes.c_void_p),
        ("chid", dbr.chid_t),
        ("type", ctypes.c_long),
        ("count", ctypes.c_long),
        ("raw_dbr", ctypes.c_void_p),
        ("status", ctypes.c_int),
    ]


class _ExceptionArgs(ctypes.Structure):
    _fields_ = [
        ("usr", ctypes.c_void_p),
        ("chid", dbr.chid_t),
        ("type", ctypes.c_long),
        ("count", ctypes.c_long),
        ("addr", ctypes.c_void_p),
        ("stat", ctypes.c_long),
        ("op", ctypes.c_long),
        ("ctx", ctypes.c_char_p),
        ("file", ctypes.c_char_p),
        ("line", ctypes.c_uint),
    ]


class Library:
    """The one libca of this process. Made by `library()`."""

    def __init__(self) -> None:
        if ca.libca is None:
            repeater.start()
            ca.initialize_libca()
        self._ca: Any = ca.libca
        self._ca.ca_puser.restype = ctypes.c_void_p
        self._ca.ca_host_name.restype = ctypes.c_char_p
        self._ca.ca_current_context.restype = ctypes.c_void_p
        self._context = ctypes.c_void_p(self._ca.ca_current_context())
        self._numbers = itertools.count(1)
        self._waiting: dict[int, OnAnswer] = {}
        self._monitors: dict[int, OnAnswer] = {}
        self._monitors_of: dict[int, list[int]] = {}
        self._connections: dict[int, OnConnection] = {}
        # Of connected channels; each question to libca may cost the interpreter's lock.
        self._types: dict[int, int] = {}
        # libca keeps pointers to these: they live as long as the library does.
        self._on_get = dbr.make_callback(functools.partial(self._answered, True), _EventArgs)
        self._on_put = dbr.make_callback(functools.partial(self._answered, False), _EventArgs)
        self._on_event = dbr.make_callback(self._monitored, _EventArgs)
        self._on_connection = dbr.make_callback(self._connected, dbr.connection_args)
        # PVs that more than one server has, and which servers.
        self._twice: dict[str, str] = {}
        self._on_exception = dbr.make_callback(self._excepted, _ExceptionArgs)
        self._ca.ca_add_exception_event(self._on_exception, None)

    def open(self, name: str, on_connection: OnConnection, priority: int = ORDINARY) -> int:
        """Look for a PV from now on; `on_connection` hears of each gain and loss. Returns the channel's handle.

        priority: ORDINARY, or URGENT for a circuit of its own.
        """
        number = next(self._numbers)
        self._connections[number] = on_connection
        chid = dbr.chid_t()
        self._call(
            "ca_create_channel", name.encode(), self._on_connection, ctypes.c_void_p(number), priority,
            ctypes.byref(chid),
        )  # fmt: skip
        return int(chid.value)

    def close(self, chid: int) -> None:
        """Forget a channel; none of its callbacks comes after this."""
        number = self._ca.ca_puser(dbr.chid_t(chid))
        self._call("ca_clear_channel", dbr.chid_t(chid))
        self._connections.pop(number, None)
        self._types.pop(chid, None)
        for monitor in self._monitors_of.pop(chid, ()):
            del self._monitors[monitor]

    def field_type(self, chid: int) -> int:
        """Native type (`epics.dbr`), -1 while not connected, or given back."""
        if not chid:
            return -1
        native = self._types.get(chid)
        if native is None:
            native = int(self._ca.ca_field_type(dbr.chid_t(chid)))
            if native >= 0:
                self._types[chid] = native
        return native

    def element_count(self, chid: int) -> int:
        """How many elements the PV may hold; 0 of a channel that was given back."""
        return chid and int(self._ca.ca_element_count(dbr.chid_t(chid)))

    def may_write(self, chid: int) -> bool:
        """Whether the server lets us write."""
        return chid != 0 and bool(self._ca.ca_write_access(dbr.chid_t(chid)))

    def host(self, chid: int) -> str:
        """Address and port of the server that has the PV."""
        return ((chid and self._ca.ca_host_name(dbr.chid_t(chid))) or b"").decode("ascii", "replace")

    def get(self, chid: int, on_answer: OnAnswer, *, choices: bool = False) -> None:
        """Ask for a fresh value, with alarm and time; with `choices` for the texts of an enum instead."""
        native = self.field_type(chid)
        if native < 0:
            on_answer(CaReply(DISCONNECTED))
            return
        kind = dbr.CTRL_ENUM if choices else native + dbr.TIME_STRING
        count = 1 if choices else 0
        self._request(on_answer, lambda n: self._ca.ca_array_get_callback(
            kind, count, dbr.chid_t(chid), self._on_get, ctypes.c_void_p(n)))  # fmt: skip

    def put(self, chid: int, value: float | int | str, on_answer: OnAnswer) -> None:
        """Write; the answer comes when the record has done what the write set off, with the server's verdict."""
        if self.field_type(chid) < 0:
            on_answer(CaReply(DISCONNECTED))
            return
        kind, count, data = _encode(value, self.field_type(chid), self.element_count(chid))
        self._request(on_answer, lambda n: self._ca.ca_array_put_callback(
            kind, count, dbr.chid_t(chid), data, self._on_put, ctypes.c_void_p(n)))  # fmt: skip

    def send(self, chid: int, value: float | int | str) -> bool:
        """Write without waiting for anything: it passes whatever is pending on the record. Whether it went out.

        From any thread, also within a signal handler: no lock is taken and nothing is waited for.
        """
        if self._ca.ca_current_context() is None:
            self._ca.ca_attach_context(self._context)
        native = self.field_type(chid)
        if native < 0:
            return False
        kind, count, data = _encode(value, native, self.element_count(chid))
        sent = self._ca.ca_array_put(kind, count, dbr.chid_t(chid), data) == NORMAL
        self._ca.ca_flush_io()
        return sent

    def subscribe(self, chid: int, on_value: OnAnswer) -> None:
        """Hear of every change of a connected scalar; it survives reconnections and ends with the channel."""
        number = next(self._numbers)
        self._monitors[number] = on_value
        self._monitors_of.setdefault(chid, []).append(number)
        event = ctypes.c_void_p()
        kind = self.field_type(chid) + dbr.TIME_STRING
        self._call("ca_create_subscription", kind, 0, dbr.chid_t(chid), _VALUE_AND_ALARM, self._on_event,
                   ctypes.c_void_p(number), ctypes.byref(event))  # fmt: skip

    def flush(self) -> None:
        """Send what was asked."""
        self._ca.ca_flush_io()

    def _request(self, on_answer: OnAnswer, send: Callable[[int], int]) -> None:
        number = next(self._numbers)
        self._waiting[number] = on_answer
        status = send(number)
        if status != NORMAL and self._waiting.pop(number, None) is not None:
            on_answer(CaReply(status))

    def _answered(self, with_value: bool, args: _EventArgs) -> None:
        on_answer = self._waiting.pop(args.usr, None)
        if on_answer is not None:
            on_answer(_decode(args) if with_value else CaReply(args.status))

    def _monitored(self, args: _EventArgs) -> None:
        on_value = self._monitors.get(args.usr)
        if on_value is not None and args.status == NORMAL:
            on_value(_decode(args))

    def _connected(self, args: Any) -> None:
        self._types.pop(int(args.chid), None)
        on_connection = self._connections.get(self._ca.ca_puser(dbr.chid_t(args.chid)))
        if on_connection is not None:
            on_connection(args.op == dbr.OP_CONN_UP)

    def answered_twice(self, names: Iterable[str]) -> dict[str, str]:
        """PVs of these that a second server has answered for since this was last asked, and the two servers.

        Which of them is connected to is chance: whoever answers first.
        """
        return {name: self._twice.pop(name) for name in dict.fromkeys(names) if name in self._twice}

    def _excepted(self, args: _ExceptionArgs) -> None:
        """What a write without completion met is seen by polling; libca would print it on standard error."""
        if args.stat == ANSWERED_TWICE and (said := _TWICE.match((args.ctx or b"").decode("latin-1"))):
            self._twice[said[1]] = f"{said[2]} and {said[3]}"

    def _call(self, function: str, *arguments: Any) -> None:
        status = getattr(self._ca, function)(*arguments)
        if status != NORMAL:
            raise ConnectionError(f"{function}: {STATUS.get(status, f'status {status}')}")


@functools.cache
def library() -> Library:
    """The library, started at the first call: from then on the EPICS_CA_* variables are fixed for this process."""
    return Library()


def start(environment: Mapping[str, str]) -> dict[str, str]:
    """Set those EPICS_CA_* that the shell has not set; returns those that come too late, after the library started."""
    late = {}
    for name, value in environment.items():
        if name in os.environ and name not in _set_here():
            continue
        if ca.libca is None:
            os.environ[name] = _set_here()[name] = value
        elif os.environ.get(name) != value:
            late[name] = value
    return late


@functools.cache
def _set_here() -> dict[str, str]:
    """What `start` has set, as against what the shell has."""
    return {}


def array_limit_bytes() -> int | None:
    """The largest array that this client takes; None when it takes any (EPICS_CA_AUTO_ARRAY_BYTES, the default)."""
    if os.environ.get("EPICS_CA_AUTO_ARRAY_BYTES", "YES").upper() != "NO":
        return None
    return int(os.environ.get("EPICS_CA_MAX_ARRAY_BYTES") or 16384)


def element_type(native: int) -> np.dtype:
    """The numpy type of a native Channel Access type; object for texts."""
    return np.dtype(_NUMPY.get(native, object))


def kind(native: int, elements: int) -> str:
    """What a PV of a native type holds: number, choice, text (also a short waveform of characters) or bytes."""
    if native == dbr.CHAR and 1 < elements <= LONGEST_TEXT:
        return "text"
    return {dbr.STRING: "text", dbr.ENUM: "choice", dbr.CHAR: "bytes"}.get(native, "number")


def _encode(value: float | int | str, native: int, elements: int) -> tuple[int, int, Any]:
    """Type, count and buffer of a value; the server converts to its own type."""
    if isinstance(value, str):
        raw = value.encode("latin-1", "replace")
        if native == dbr.CHAR and elements > 1:
            raw = raw[: elements - 1] + b"\0"
            return dbr.CHAR, len(raw), (ctypes.c_ubyte * len(raw))(*raw)
        text = (dbr.string_t * 1)()
        text[0].value = raw[: dbr.MAX_STRING_SIZE - 1]
        return dbr.STRING, 1, text
    if isinstance(value, float):
        return dbr.DOUBLE, 1, (ctypes.c_double * 1)(value)
    return dbr.LONG, 1, (ctypes.c_int * 1)(int(value))


def _decode(args: _EventArgs) -> CaReply:
    """Copy what libca lends for the time of the callback."""
    if args.status != NORMAL or not args.raw_dbr:
        return CaReply(args.status)
    head = ctypes.cast(args.raw_dbr, ctypes.POINTER(dbr.Map[args.type])).contents
    if args.type == dbr.CTRL_ENUM:
        return CaReply(NORMAL, tuple(head.strs[i].value.decode("latin-1") for i in range(head.no_str)), head.severity)
    native = dbr.native_type(args.type)
    start_at = args.raw_dbr + dbr.value_offset[args.type]  # type: ignore[index]
    when_s = _UNIX_OF_EPICS_S + head.stamp.secs + 1e-9 * head.stamp.nsec
    return CaReply(NORMAL, _value(native, args.count, start_at), head.severity, when_s)


def _value(native: int, count: int, address: int) -> Any:
    if native == dbr.STRING:
        return ctypes.string_at(address, dbr.MAX_STRING_SIZE).split(b"\0", 1)[0].decode("latin-1") if count else ""
    pixels = np.empty(count, _NUMPY[native])
    ctypes.memmove(pixels.ctypes.data, address, pixels.nbytes)
    return pixels[0].item() if count == 1 else pixels
