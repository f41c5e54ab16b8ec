"""The Channel Access server: quick answers (TCP_NODELAY, no batching), quiet beacons, one port of one's choosing."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

# caproto reads these when it is imported.
os.environ.setdefault("CAPROTO_SERVER_HIGH_LOAD_TIMEOUT_SEC", "0.0005")
os.environ.setdefault("CAPROTO_SERVER_MAX_LATENCY_SEC", "0.002")
os.environ.setdefault("CAPROTO_SERVER_WRITE_LOCK_TIMEOUT_SEC", "0.00001")
os.environ.setdefault("CAPROTO_SERVER_HIGH_LOAD_WARN_LATENCY_SEC", "0")

from caproto.asyncio.server import Context

from simulators.ioc.pv import Refused


class Server(Context):
    """caproto's server, which by itself leaves Nagle's algorithm on: a put then takes 5 to 50 ms instead of 0.4."""

    async def server_accept_loop(self, sock: socket.socket) -> None:
        """Accept with TCP_NODELAY; accepted sockets inherit it from the listening one."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await super().server_accept_loop(sock)


async def serve(pvdb: Mapping[str, Any], background: Sequence[Coroutine[Any, Any, None]], ready: Any = None) -> None:
    """Serve until cancelled; `background` runs beside it, and whichever fails ends all. `ready()` after the start.

    Port and interfaces are those of EPICS_CA_SERVER_PORT and EPICS_CAS_INTF_ADDR_LIST.
    """
    logging.getLogger("caproto").setLevel(logging.CRITICAL)
    server = Server(dict(pvdb))

    async def announce(_: object) -> None:
        if ready is not None:
            ready()

    async with asyncio.TaskGroup() as group:
        group.create_task(server.run(startup_hook=announce))
        for work in background:
            group.create_task(work)


__all__ = ["Refused", "Server", "serve"]
