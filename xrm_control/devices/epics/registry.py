"""Every PV of an instrument, by its full name: one place that connects, asks and writes, and that believes nothing.

Whatever Channel Access does instead of answering (no connection, a connection lost in between, a time-out, a rejected
write, a value that the IOC itself calls INVALID, an IOC that stands still) leaves here as a typed error that names PV,
operation, time-out and what to look at. Only the session's thread talks to the registry.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from xrm_control.core.clock import Clock
from xrm_control.core.errors import InstrumentUnreachable
from xrm_control.devices.epics import libca
from xrm_control.devices.epics.ahead import AskedAhead
from xrm_control.devices.epics.answers import (
    LOOK_AT_IOC,
    NO_ACCESS,
    TimedOut,
    again,
    believed,
    lost,
    plain,
    refused,
    unreached,
)
from xrm_control.devices.epics.call_queue import Flushing, LoopCallQueue, PendingReplies
from xrm_control.devices.epics.libca import CaReply
from xrm_control.devices.epics.pv_map import ChannelAccess, record_of

# Of the wall clock: how long an answer asked for ahead is fresh; how long PVs are waited for that a site may not have.
_FRESH_S, _OPTIONAL_S = 0.05, 0.3


@dataclass
class _Channel:
    name: str
    handle: int = 0
    connected: bool = False
    choices: tuple[str, ...] = ()


class Registry:
    """The channels of one instrument; `timeouts` are seconds of the wall clock, whatever the instrument's speed.

    `optional` names PVs that a site may not have: they are among the others once they have answered.

    `urgent` names those that stopping needs. They have a second channel on a circuit of its own, which no request that
    is pending on the ordinary one can block. Elsewhere a write waits until the record has done what the write before
    had set off: a server queues a second put-callback on a record, and one on the same channel blocks its circuit.
    """

    def __init__(
        self,
        names: Iterable[str],
        clock: Clock,
        timeouts: ChannelAccess,
        urgent: Iterable[str] = (),
        optional: Iterable[str] = (),
    ) -> None:
        self._clock = clock
        self._timeouts = timeouts
        self._channels = {name: _Channel(name) for name in dict.fromkeys(names)}
        self._urgent = {name: _Channel(name) for name in dict.fromkeys(urgent)}
        self._optional = [_Channel(name) for name in dict.fromkeys(optional) if name not in self._channels]
        # Records with a put-callback under way; it may outlive whoever waited for it.
        self._pending: dict[str, asyncio.Future[list[CaReply]]] = {}
        self._fence: Callable[[], None] = lambda: None
        self._written = 0
        self._batches: set[PendingReplies] = set()
        self._calls = LoopCallQueue()
        self._changed = asyncio.Event()
        self._trouble: InstrumentUnreachable | None = None
        self._answered_s = clock.now_s()
        self._epoch = 0
        self._ahead = AskedAhead(clock)
        self._flushing = Flushing(lambda: libca.library().flush())

    @property
    def epoch(self) -> int:
        """Counts every connection lost or gained; what spans time compares it before and after."""
        return self._epoch

    @property
    def written(self) -> int:
        """Counts the writes that may have set something off; stopping does not count."""
        return self._written

    @property
    def idle_s(self) -> float:
        """Instrument seconds since the last answer; 0 while something is under way within its time."""
        return 0.0 if self._batches else self._clock.now_s() - self._answered_s

    @property
    def missing(self) -> tuple[str, ...]:
        """PVs without a connection now."""
        return tuple(dict.fromkeys(channel.name for channel in self._all() if not channel.connected))

    async def connect(self) -> None:
        """Reach every PV. Raises InstrumentUnreachable that names all that are missing."""
        library = libca.library()
        for channels, priority in (
            ((*self._channels.values(), *self._optional), libca.ORDINARY),
            (self._urgent.values(), libca.URGENT),
        ):
            for channel in channels:
                if not channel.handle:
                    channel.handle = library.open(channel.name, self._connection_listener(channel), priority)
        library.flush()
        await self._until(lambda: not self.missing, self._timeouts.connect_s)
        if missing := self.missing:
            raise unreached(missing, len(self._channels), self._timeouts.connect_s)
        if self._optional:
            await self._until(lambda: all(channel.connected for channel in self._optional), _OPTIONAL_S)
            for channel in self._optional:
                if channel.connected:
                    self._channels[channel.name] = channel
                else:
                    library.close(channel.handle)
            self._optional = []
        await self._learn_choices()

    async def _until(self, reached: Callable[[], bool], within_s: float) -> None:
        """Wait for connections, for at most so long (wall clock)."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._clock.wall_s(within_s)):
                while not reached():
                    self._changed.clear()
                    await self._changed.wait()

    def close(self) -> None:
        """Give all channels back."""
        for channel in (*self._all(), *self._optional):
            if channel.handle:
                libca.library().close(channel.handle)
                channel.handle, channel.connected = 0, False

    async def read(self, *names: str, urgent: bool = False) -> tuple[Any, ...]:
        """Fresh values, all asked for at once; enums and texts as str, images as flat arrays.

        `urgent`: over the circuit that nothing blocks, and also while the instrument is not believed (`suspend`).
        """
        return tuple(answer.value for answer in await self.readings(*names, urgent=urgent))

    async def readings(self, *names: str, may_be_invalid: bool = False, urgent: bool = False) -> list[CaReply]:
        """`read` with alarm severity and server time."""
        if not names:
            return []
        channels = [self._urgent[name] if urgent else self._channels[name] for name in names]
        self._check("read", channels, believed=not urgent)
        batch = None if urgent else self._ahead.take(names, _FRESH_S)
        if batch is None:
            batch = self._ask(channels)
        limit_s = self._timeouts.get_s
        text = f"no answer to a read within {limit_s:g} s"
        answers = await self._wait(batch, self._clock.wall_s(limit_s), text, names, tracked=not urgent)
        return [
            believed(name, answer, lambda n=name: self.elements(n), self._channels[name].choices, may_be_invalid)
            for name, answer in zip(names, answers, strict=True)
        ]

    def look_ahead(self, *groups: tuple[str, ...]) -> None:
        """Ask now for what is about to be read, each group by one `read` of just these PVs.

        Such a read takes the answer when it comes soon, and nothing was written in between; it is taken once.
        """
        channels = ([self._channels[name] for name in names] for names in groups)
        reached = (some for some in channels if some and all(channel.connected for channel in some))
        self._ahead.begin({tuple(one.name for one in some): self._ask(some) for some in reached})

    def forget_ahead(self) -> None:
        """What was asked for ahead is not read any more."""
        self._ahead.forget()

    async def write(self, name: str, value: float | int | str, *, within_s: float | None = None) -> None:
        """Write, and wait until the record has done all that it set off, and what was set off there before.

        within_s: instrument seconds for a record that stays busy; none: the time-out of a put. Raises DeviceError when
        the server rejects the value, InstrumentUnreachable when there is no answer.
        """
        channel, library = self._channels[name], libca.library()
        self._check("write", (channel,))
        await self._until_free(name)
        self._check("write", (channel,))
        self._fence()
        if not self._writable(channel):
            raise refused(name, value, NO_ACCESS)
        batch = PendingReplies(1, self._calls)
        self.forget_ahead()
        self._written += 1
        self._pending[record_of(name)] = batch.answered
        library.put(channel.handle, value, _taker(batch, 0))
        self._flushing.soon()
        wall_s = self._clock.wall_s(self._timeouts.put_s)
        limit_s = wall_s if within_s is None else max(wall_s, within_s)
        text = f"the write of {value!r} was not completed within {limit_s:g} s"
        (answer,) = await self._wait(batch, limit_s, text, (name,))
        if answer.status == libca.DISCONNECTED:
            raise lost("write", name)
        if answer.status != libca.NORMAL:
            raise refused(name, value, libca.STATUS.get(answer.status, f"Channel Access status {answer.status}"))

    def command(self, name: str, value: float | int | str) -> None:
        """Write without completion over the urgent circuit: it takes effect whatever else is pending.

        Whether it did is to be polled for with `read(..., urgent=True)`. From any thread and any state, also while the
        instrument is not believed. Raises InstrumentUnreachable where there is no connection, DeviceError where this
        side may not write.
        """
        channel = self._urgent[name]
        self.forget_ahead()
        if channel.connected and not self._writable(channel):
            raise refused(name, value, NO_ACCESS)
        if not (channel.connected and libca.library().send(channel.handle, value)):
            raise lost("write", name)

    def busy(self, name: str) -> bool:
        """Whether what was last written to the PV's record with completion has not been completed yet."""
        pending = self._pending.get(record_of(name))
        return pending is not None and not pending.done()

    def post(self, name: str, value: float | int | str) -> None:
        """Write without waiting and without care for the outcome: heartbeats and notices."""
        channel = self._channels[name]
        if channel.connected and libca.library().may_write(channel.handle):
            libca.library().send(channel.handle, value)

    def watch(self, name: str, listener: Callable[[Any], None], at_once: Callable[[Any], None] | None = None) -> None:
        """Call `listener(value)` in the loop at each change, also after reconnections; the PV must be connected.

        at_once: called before that, in Channel Access' own thread, whatever the loop does; it may only `command`.
        """
        self.watch_replies(name, lambda answer: listener(answer.value), at_once)

    def watch_replies(
        self, name: str, listener: Callable[[CaReply], None], at_once: Callable[[Any], None] | None = None
    ) -> None:
        """`watch`, with alarm severity and server time: a change of the alarm alone is told as well."""
        channel = self._channels[name]

        def told(answer: CaReply) -> None:
            # What was posted last may be told of only after the channel was given back.
            if channel.handle:
                listener(answer)

        def hear(answer: CaReply) -> None:
            if at_once is not None:
                at_once(answer.value)
            self._calls.put(lambda: told(answer))

        libca.library().subscribe(channel.handle, hear)
        libca.library().flush()

    def spoken(self, name: str, raw: Any) -> Any:
        """What `watch` has heard of a PV as `read` says it: enums and texts as str."""
        one = self._channels[name]
        return plain(raw, lambda: libca.library().element_count(one.handle), one.choices)

    def fence(self, check: Callable[[], None]) -> None:
        """Ask `check` before each write; what it raises keeps the write from going out."""
        self._fence = check

    def suspend(self, trouble: InstrumentUnreachable | None) -> None:
        """From now on every operation, also those under way, fails with `trouble`; None: believe the IOC again."""
        self._trouble = trouble
        self.forget_ahead()
        if trouble is not None:
            for batch in self._batches:
                batch.fail(again(trouble))

    def has(self, name: str) -> bool:
        """Whether the PV is among those that are asked for; of the optional ones some are not."""
        return name in self._channels

    def may_write(self, name: str) -> bool:
        """Whether the server lets us write this PV. Raises InstrumentUnreachable."""
        return self._writable(self._channels[name])

    def port(self, name: str) -> str:
        """The TCP port of the server that has the PV: unlike its address it has one spelling only."""
        return libca.library().host(self._channels[name].handle).rpartition(":")[2]

    def elements(self, name: str) -> int:
        """How many elements the PV may hold."""
        self._native(self._channels[name])
        return libca.library().element_count(self._channels[name].handle)

    def element_bytes(self, name: str) -> int:
        """Bytes of one element, as Channel Access sends it."""
        return ctypes.sizeof(libca.dbr.Map[self._native(self._channels[name])])

    def element_type(self, name: str) -> np.dtype:
        """The PV's elements as Channel Access sends them."""
        return libca.element_type(self._native(self._channels[name]))

    def kind(self, name: str) -> str:
        """What the PV holds: number, choice, text (also a short waveform of characters) or bytes."""
        return libca.kind(self._native(self._channels[name]), self.elements(name))

    def choices(self, name: str) -> tuple[str, ...]:
        """The texts of an enum, in order; empty for other types."""
        return self._channels[name].choices

    async def _learn_choices(self) -> None:
        enums = [c for c in self._channels.values() if self._native(c) == libca.dbr.ENUM]
        batch = PendingReplies(len(enums), self._calls)
        if not enums:
            return
        for place, channel in enumerate(enums):
            libca.library().get(channel.handle, _taker(batch, place), choices=True)
        libca.library().flush()
        names = [channel.name for channel in enums]
        limit_s = self._timeouts.get_s
        answers = await self._wait(batch, self._clock.wall_s(limit_s), f"no answer within {limit_s:g} s", names)
        for channel, answer in zip(enums, answers, strict=True):
            if answer.status != libca.NORMAL:
                raise lost("read", channel.name)
            channel.choices = answer.value

    def _native(self, channel: _Channel) -> int:
        """The channel's native type. Raises InstrumentUnreachable where it is lost, also before that was heard of."""
        native = libca.library().field_type(channel.handle)
        if native < 0:
            raise lost("read", channel.name)
        return native

    def _writable(self, channel: _Channel) -> bool:
        """Whether we may write. Raises InstrumentUnreachable where that cannot be told, as it is not connected."""
        if not (may := libca.library().may_write(channel.handle)):
            self._native(channel)
        return may

    def _ask(self, channels: Iterable[_Channel]) -> PendingReplies:
        channels = tuple(channels)
        batch = PendingReplies(len(channels), self._calls)
        for place, channel in enumerate(channels):
            libca.library().get(channel.handle, _taker(batch, place))
        self._flushing.soon()
        return batch

    def _connection_listener(self, channel: _Channel) -> Callable[[bool], None]:
        def changed(up: bool) -> None:
            self._calls.put(lambda: note(up))

        def note(up: bool) -> None:
            channel.connected = up
            self._epoch += 1
            self._changed.set()

        return changed

    def _all(self) -> Iterable[_Channel]:
        return (*self._channels.values(), *self._urgent.values())

    def _check(self, operation: str, channels: Iterable[_Channel], *, believed: bool = True) -> None:
        if believed and self._trouble is not None:
            raise again(self._trouble)
        for channel in channels:
            if not channel.connected:
                raise lost(operation, channel.name)

    async def _until_free(self, name: str) -> None:
        """Wait for the completion of the write before on the same record. Raises InstrumentUnreachable."""
        limit_s = self._timeouts.put_s
        while self.busy(name):
            pending = asyncio.shield(self._pending[record_of(name)])
            try:
                await asyncio.wait_for(pending, self._clock.wall_s(limit_s))
            except TimeoutError:
                raise InstrumentUnreachable(
                    f"the record has not completed the write before within {limit_s:g} s: nothing more is written",
                    where=name,
                    remedy="look what the record waits for: a device that hangs, a file that cannot be written",
                ) from None

    async def _wait(
        self, batch: PendingReplies, limit_s: float, text: str, names: Iterable[str], *, tracked: bool = True
    ) -> list[CaReply]:
        if tracked:
            self._batches.add(batch)
        try:
            async with asyncio.timeout(limit_s):
                return await batch.future
        except TimeoutError:
            first, *more = names
            raise TimedOut(text, where=first + (f" and {len(more)} more" if more else ""), remedy=LOOK_AT_IOC) from None
        finally:
            self._batches.discard(batch)
            self._answered_s = self._clock.now_s()


def _taker(batch: PendingReplies, place: int) -> libca.OnAnswer:
    return lambda answer: batch.reply(place, answer)
