"""Served values: caproto channels that tell what a client writes from what the IOC posts.

A client's write goes to `on_put(value)`, which answers with the value to keep, or raises: `Refused` sends the client
the status ECA_PUTFAIL and changes nothing. A put-completion is sent when `on_put` returns, so an `on_put` that takes
time is a record that stays busy. The IOC itself writes with `post`, which asks nobody. `on_get`, where set, brings the
value up to date before a client's fresh read of it. Each PV is a record of its own, with the fields DESC and DISP; the
fields of a motor record share one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np
from caproto import (
    AccessRights,
    AlarmSeverity,
    AlarmStatus,
    ChannelAlarm,
    ChannelByte,
    ChannelChar,
    ChannelData,
    ChannelDouble,
    ChannelEnum,
    ChannelFloat,
    ChannelInteger,
    ChannelShort,
    ChannelString,
    SkipWrite,
    SubscriptionType,
)

# What may be odd of any PV; see `fault_commands`.
ODDITIES = ("read_only", "no_access", "deaf", "mute", "invalid", "shows")
_NEWS = SubscriptionType.DBE_VALUE | SubscriptionType.DBE_ALARM

OnPut = Callable[[Any], Awaitable[Any]]
OnGet = Callable[[], Awaitable[None]]


class Refused(Exception):
    """A client's write is not accepted; its text goes to the client."""


class Record:
    """What the fields of a record have in common: the line in which put-callbacks wait, and whether puts are disabled.

    `fields` are those of any record, made when somebody asks for them.
    """

    def __init__(self) -> None:
        self.line = asyncio.Lock()
        self.disabled = False
        self.fields: dict[str, Any] = {}


class Pv(ChannelData):
    """Stands before a channel of caproto in the order of bases; see the module."""

    record: Record
    on_put: OnPut | None = None
    on_get: OnGet | None = None
    odd: frozenset[str] = frozenset()
    _shown: Any = None
    _answers: dict[Any, Any] | None = None

    async def _read(self, data_type: Any) -> Any:
        """caproto's, kept until the next change: most reads ask for what has not changed."""
        stamp = self._data["timestamp"]
        if self._answers is None or self._answers.get("stamp") is not stamp:
            self._answers = {"stamp": stamp}
        if data_type not in self._answers:
            self._answers[data_type] = await (self._read_odd(data_type) if self.odd else super()._read(data_type))
        return self._answers[data_type]

    async def _read_odd(self, data_type: Any) -> Any:
        kept = self._data["value"]
        if "shows" in self.odd:
            self._data["value"] = self._shown
        try:
            answer: Any = await super()._read(data_type)
        finally:
            self._data["value"] = kept
        if "invalid" in self.odd and hasattr(answer[0], "severity"):
            answer[0].status, answer[0].severity = AlarmStatus.COMM, AlarmSeverity.INVALID_ALARM
        return answer

    async def make_odd(self, kind: str, value: Any = None) -> None:
        """One of ODDITIES from now on, beside others; value: what `shows` shows. ValueError for one that cannot be."""
        if kind == "shows":
            self._shown = self.preprocess_value(type(self.now)(value))
        self.odd |= {kind}
        await self.publish(_NEWS)

    async def make_even(self) -> None:
        """As it was made."""
        self.odd, self._shown = frozenset(), None
        await self.publish(_NEWS)

    async def publish(self, flags: Any, **words: Any) -> None:
        """caproto calls it after each change of value, alarm or metadata."""
        self._answers = None
        if "mute" not in self.odd:
            await super().publish(flags, **words)

    async def read(self, data_type: Any) -> Any:
        """caproto's hook for a client's read."""
        if self.on_get is not None:
            await self.on_get()
        return await super().read(data_type)

    async def write(self, value: Any, *, verify_value: bool = True, **more: Any) -> None:
        """caproto's way to a new value. A client's is asked about first: caproto would alarm a record that refuses."""
        if verify_value:
            try:
                value = await self.verify_value(self.preprocess_value(value))
            except SkipWrite:
                return
        await super().write(value, verify_value=False, **more)

    async def verify_value(self, data: Any) -> Any:
        """caproto's hook for a client's write."""
        if "read_only" in self.odd:
            raise Refused("this PV refuses writes")
        if "deaf" in self.odd:
            raise SkipWrite
        if self.record.disabled and self.record.fields.get("DISP") is not self:
            raise Refused("this record is disabled: DISP is 1")
        if self.on_put is None:
            return data
        await self.post(_plain(await self.on_put(_plain(data))))
        raise SkipWrite

    async def post(self, value: Any, *, invalid: bool | None = None) -> None:
        """Set the value and send it to whoever monitors it; `invalid` raises or clears the INVALID alarm.

        What had no value until now has one.
        """
        status: dict[str, Any] = {}
        if invalid is None and self.undefined:
            invalid = False
        if invalid is not None:
            status["severity"] = AlarmSeverity.INVALID_ALARM if invalid else AlarmSeverity.NO_ALARM
            status["status"] = AlarmStatus.COMM if invalid else AlarmStatus.NO_ALARM
        await self.write(value, verify_value=False, **status)

    async def post_change(self, value: Any) -> None:
        """`post`, but only when the value differs: a record does not repeat itself."""
        if self.now != value:
            await self.post(value)

    @property
    def now(self) -> Any:
        """The value as a Python number or text; the text of an enum."""
        return _plain(self.value)

    def get_field(self, name: str) -> Any:
        """caproto's way to a field that the database does not name; KeyError where a record has none of that name."""
        fields = self.record.fields
        if name not in fields:
            fields[name] = {"DESC": text, "DISP": integer}[name]()
            fields[name].record = self.record
            if name == "DISP":
                fields[name].on_put = self._disable
        return fields[name]

    async def _disable(self, value: int) -> int:
        self.record.disabled = bool(value)
        return value

    @property
    def undefined(self) -> bool:
        """Whether it never had a value: the alarm UDF."""
        return self.alarm is not None and self.alarm.status is AlarmStatus.UDF

    def check_access(self, hostname: str, username: str) -> AccessRights:
        """Read-only PVs say so when a client connects."""
        locked = self._read_only or "no_access" in self.odd
        return AccessRights.READ if locked else AccessRights.READ | AccessRights.WRITE

    _read_only = False


def _plain(value: Any) -> Any:
    """A scalar out of whatever caproto hands over."""
    if isinstance(value, np.ndarray | list | tuple) and len(value) == 1:
        value = value[0]
    if isinstance(value, np.generic):
        return value.item()
    return value.decode("latin-1") if isinstance(value, bytes) else value


class _Double(Pv, ChannelDouble): ...


class _Integer(Pv, ChannelInteger): ...


class _Enum(Pv, ChannelEnum):
    @property
    def now(self) -> str:
        """The chosen text."""
        return self._choice(self.value)

    async def verify_value(self, data: Any) -> Any:
        return await super().verify_value(self._choice(data))

    def _choice(self, value: Any) -> str:
        """A client may write the number or the text."""
        value = _plain(value)
        if isinstance(value, int | float):
            if not 0 <= value < len(self.enum_strings):
                raise Refused(f"there is no choice {value}; there are {', '.join(self.enum_strings)}")
            return self.enum_strings[int(value)]
        if value not in self.enum_strings:
            raise Refused(f"there is no choice {value!r}; there are {', '.join(self.enum_strings)}")
        return value


class _String(Pv, ChannelString): ...


class _Char(Pv, ChannelChar):
    @property
    def now(self) -> str:
        """The text up to its end mark."""
        return _text(self.value)

    async def verify_value(self, data: Any) -> Any:
        return await super().verify_value(_text(data))

    async def post(self, value: Any, *, invalid: bool | None = None) -> None:
        # With its end mark, as areaDetector sends it: a shorter text then never shows the rest of a longer one.
        await super().post(_text(value) + "\0", invalid=invalid)


class _Byte(Pv, ChannelByte): ...


class _Short(Pv, ChannelShort): ...


class _Float(Pv, ChannelFloat): ...


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.split("\0", 1)[0]
    raw = value if isinstance(value, bytes) else bytes(int(code) & 0xFF for code in np.atleast_1d(value))
    return raw.split(b"\0", 1)[0].decode("latin-1")


def double(
    value: float = 0.0,
    *,
    units: str = "",
    precision: int = 3,
    limits: tuple[float, float] | None = None,
    on_put: OnPut | None = None,
    read_only: bool = False,
    record: str = "ao",
) -> _Double:
    """A floating-point value; limits are those that displays and clients read (DRVL, DRVH)."""
    low, high = limits or (0.0, 0.0)
    pv = _Double(
        value=float(value),
        units=units,
        precision=precision,
        lower_ctrl_limit=low,
        upper_ctrl_limit=high,
        lower_disp_limit=low,
        upper_disp_limit=high,
        reported_record_type=record,
    )
    return _set(pv, on_put, read_only)


def integer(
    value: int = 0, *, units: str = "", on_put: OnPut | None = None, read_only: bool = False, record: str = "longout"
) -> _Integer:
    """A 32-bit integer."""
    return _set(_Integer(value=int(value), units=units, reported_record_type=record), on_put, read_only)


def choice(
    value: str,
    choices: Sequence[str],
    *,
    on_put: OnPut | None = None,
    read_only: bool = False,
    record: str = "mbbo",
) -> _Enum:
    """An enumeration; clients write its number or its text, `on_put` receives the text."""
    return _set(_Enum(value=value, enum_strings=tuple(choices), reported_record_type=record), on_put, read_only)


def text(
    value: str = "", *, on_put: OnPut | None = None, read_only: bool = False, record: str = "stringout"
) -> _String:
    """A string of at most 39 characters."""
    return _set(_String(value=value, reported_record_type=record), on_put, read_only)


def long_text(value: str = "", *, on_put: OnPut | None = None, read_only: bool = False) -> _Char:
    """A waveform of characters, up to 256, as areaDetector has for paths; `now` is a str."""
    pv = _Char(value=value, max_length=256, string_encoding="latin-1", reported_record_type="waveform")
    return _set(pv, on_put, read_only)


def array(size: int, kind: str = "int16") -> Any:
    """A read-only array of up to `size` numbers of a kind: uint8, int16, int32, float32 or float64."""
    kinds = {"uint8": _Byte, "int16": _Short, "int32": _Integer, "float32": _Float, "float64": _Double}
    pv = kinds[kind](value=np.zeros(1, kind), max_length=size, reported_record_type="waveform")
    return _set(pv, None, True)


def without_value(pv: Any) -> Any:
    """The same, until one comes: its alarm is UDF, INVALID, as after the start of an IOC."""
    pv.alarm = ChannelAlarm(status=AlarmStatus.UDF, severity=AlarmSeverity.INVALID_ALARM)
    return pv


def _set(pv: Any, on_put: OnPut | None, read_only: bool) -> Any:
    pv.record = Record()
    pv.on_put = on_put
    pv._read_only = read_only
    return pv
