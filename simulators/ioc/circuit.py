"""One client's connection, with the rules of EPICS base for puts that caproto leaves out.

A put with completion (a put-callback) waits in the line of its record while another's is pending (dbNotify). A second
one on the same channel waits for the first with the whole circuit, reads included, for a minute at most (rsrv's
`write_notify_action`); news for monitors still come, and so does everything of other circuits, such as one that libca
opens for another priority. A put without completion is done at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import caproto as ca
from caproto.asyncio.server import AsyncioEvent, VirtualCircuit
from caproto.server.common import DisconnectedCircuit, LoopExit

BLOCKED_AT_MOST_S = 60.0
# caerr.h: a put-callback was given up because another one came on its channel.
_PUT_IN_PROGRESS = 362


class _Never(AsyncioEvent):
    """In place of caproto's lock, which lets reads wait for writes under way: EPICS base answers at once."""

    async def wait(self, timeout: float | None = None) -> bool:
        """Nothing is waited for."""
        return True


class Circuit(VirtualCircuit):
    """Requests that came together are answered together, as EPICS base does."""

    def __init__(self, *arguments: Any, **words: Any) -> None:
        super().__init__(*arguments, **words)
        self._answers: list[Any] = []
        self._pending: dict[int, tuple[Any, asyncio.Task[None]]] = {}

    async def command_queue_loop(self) -> None:
        """caproto's, which sends each answer by itself: a system call for every field that a client asks for."""
        self.write_event = _Never()
        queue = self.command_queue
        try:
            while True:
                commands = [await queue.get()]
                while not queue.empty():
                    commands.append(queue.get_nowait())
                for command in commands:
                    self._answers += await self._command_queue_iteration(command) or []
                await self._flush()
                await self._wake_new_command()
        except DisconnectedCircuit:
            for channel in tuple(self._pending):
                self._give_up(channel)
            await self._on_disconnect()
            self.circuit.disconnect()
            await self.context.circuit_disconnected(self)
        except (asyncio.CancelledError, LoopExit):
            return

    async def get_from_sub_queue(self, timeout: float | None = None) -> Any:
        """The next update for a monitor; with a time-out, only what is there. caproto's waits for more to come, and so
        a put's completion, which does not wait, overtook the news by milliseconds.
        """
        queue = self.subscription_queue
        if timeout is None:
            return await queue.get()
        return None if queue.empty() else queue.get_nowait()

    async def _process_command(self, command: Any) -> Any:
        """caproto's, but for puts."""
        if isinstance(command, ca.WriteRequest):
            await self._begin(self._put(command))
            return []
        if isinstance(command, ca.WriteNotifyRequest):
            await self._wait_for_channel(command.sid)
            self._pending[command.sid] = command, await self._begin(self._put_callback(command))
            return []
        if isinstance(command, ca.ClearChannelRequest):
            self._give_up(command.sid)
        return await super()._process_command(command)

    async def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start it, and let it come as far as it does without waiting: what follows finds it done."""
        task = self.tasks.create(work)
        await asyncio.wait([task], timeout=0)
        return task

    async def _put(self, command: Any) -> None:
        """Without completion: nothing is answered but a refusal."""
        refusal = await self._write(command)
        if refusal is not None:
            await self._reply(refusal)

    async def _put_callback(self, command: Any) -> None:
        """With completion. Whoever gives it up leaves the line of its record; what it has set off goes on."""
        channel, entry = self._get_db_entry_from_command(command)
        async with entry.record.line:
            refusal = await asyncio.shield(self.context.server_tasks.create(self._write(command)))
        await self._reply(refusal or channel.write(ioid=command.ioid, status=True, data_count=entry.length))

    async def _write(self, command: Any) -> Any:
        """What the record makes of it; the answer that says why, where it refuses."""
        channel, entry = self._get_db_entry_from_command(command)
        try:
            await entry.auth_write(
                self.client_hostname,
                self.client_username,
                command.data,
                command.data_type,
                command.metadata,
                user_address=self.circuit.address,
            )
        except Exception as refusal:
            self.log.exception("put refused: %r", command)
            words = f"Python exception: {type(refusal).__name__} {refusal}"
            return ca.ErrorResponse(command, channel.cid, status=ca.CAStatus.ECA_PUTFAIL, error_message=words)
        return None

    async def _wait_for_channel(self, number: int) -> None:
        """Until a put-callback that is pending on a channel has come; after a minute it is given up."""
        if number not in self._pending:
            return
        command, task = self._pending[number]
        if task.done():
            return
        await self._flush()
        await asyncio.wait([task], timeout=BLOCKED_AT_MOST_S)
        if not task.done():
            self._give_up(number)
            channel, entry = self._get_db_entry_from_command(command)
            await self._reply(channel.write(ioid=command.ioid, status=_PUT_IN_PROGRESS, data_count=entry.length))

    def _give_up(self, number: int) -> None:
        """Nobody waits any longer for the put-callback of a channel."""
        _, task = self._pending.pop(number, (None, None))
        if task is not None:
            task.cancel()

    async def _flush(self) -> None:
        answers, self._answers = self._answers, []
        if answers:
            await self.send(*answers)

    async def _reply(self, answer: Any) -> None:
        try:
            await self.send(answer)
        except DisconnectedCircuit:
            self.log.debug("nobody is there to be answered")
