"""One owner of an instrument on this machine, kept by the kernel.

Each name is an abstract Unix socket (unix(7)): it needs no file, no disk and no permission, belongs to everybody on the
machine, and is free in the moment when the process that holds it dies, however it dies.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from collections.abc import Iterable

from xrm_control.core.errors import InstrumentLocked

# What an address may hold after its leading zero byte.
_LONGEST = 107


class MachineLock:
    """Holds all of its names, or none."""

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    @property
    def held(self) -> bool:
        """Whether it is taken by this object."""
        return bool(self._held)

    def take(self, names: Iterable[str]) -> None:
        """Take all names. Raises InstrumentLocked, naming the process that has one of them; then none is taken."""
        try:
            # In one order for all: of two who want the same, the first gets all of it.
            for name in sorted(set(names)):
                self._held.append(_bound(name))
        except InstrumentLocked:
            self.release()
            raise

    def release(self) -> None:
        """Give all names back."""
        for one in self._held:
            one.close()
        self._held.clear()


def _bound(name: str) -> socket.socket:
    address = b"\0" + f"xrm_control:{name}".encode()[:_LONGEST]
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        one.bind(address)
        one.listen(1)
    except OSError as error:
        one.close()
        if error.errno != errno.EADDRINUSE:
            raise
        holder = _holder(address)
        raise InstrumentLocked(
            f"the instrument is in use on this machine{f' by process {holder}' if holder else ''}",
            where=name,
            value=holder,
            remedy="nothing was touched: wait for that run, or end it (Ctrl-C where it runs, or a SIGTERM)",
        ) from None
    return one


def _holder(address: bytes) -> int | None:
    """The process that listens there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as question, contextlib.suppress(OSError):
        question.setblocking(False)
        question.connect(address)
        credentials = question.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return struct.unpack("3i", credentials)[0] or None
    return None
