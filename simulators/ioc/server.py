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

from simulators.ioc.circuit import Circuit
from simulators.ioc.pv import Refused

_ATTEMPTS = 50


class PortTaken(OSError):
    """Somebody listens there already."""


def listen(interface: str, port: int) -> socket.socket:
    """A listening socket on a port that is free for TCP and UDP alike; 0 finds one. Raises PortTaken.

    Holding it from now on keeps the number: caproto by itself would quietly move to another TCP port, and share the
    UDP one.
    """
    problem = ""
    for _ in range(1 if port else _ATTEMPTS):
        held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind((interface, port))
            held.listen()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as searches:
                searches.bind(held.getsockname())
        except OSError as error:
            held.close()
            problem = error.strerror or str(error)
        else:
            held.setblocking(False)
            return held
    raise PortTaken(f"port {port} of {interface} cannot be used: {problem}")


class Server(Context):
    """caproto's server, which by itself leaves Nagle's algorithm on: a put then takes 5 to 50 ms instead of 0.4.

    With `held`, a socket of `listen`, it serves there and nowhere else.
    """

    CircuitClass = Circuit

    def __init__(self, pvdb: dict[str, Any], held: socket.socket | None = None) -> None:
        self._held = held
        if held is None:
            super().__init__(pvdb)
        else:
            interface, port = held.getsockname()
            super().__init__(pvdb, [interface])
            self.ca_server_port = port

    async def _bind_tcp_sockets_with_consistent_port_number(self, make_socket: Any) -> Any:
        if self._held is None:
            return await super()._bind_tcp_sockets_with_consistent_port_number(make_socket)
        return self.ca_server_port, {self.interfaces[0]: self._held}

    async def server_accept_loop(self, sock: socket.socket) -> None:
        """Accept with TCP_NODELAY; accepted sockets inherit it from the listening one."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await super().server_accept_loop(sock)


async def serve(
    pvdb: Mapping[str, Any],
    background: Sequence[Coroutine[Any, Any, None]],
    ready: Any = None,
    held: socket.socket | None = None,
) -> None:
    """Serve until cancelled; `background` runs beside it, and whichever fails ends all. `ready()` after the start.

    Port and interface are those of `held`, or else of EPICS_CA_SERVER_PORT and EPICS_CAS_INTF_ADDR_LIST.
    """
    logging.getLogger("caproto").setLevel(logging.CRITICAL)
    server = Server(dict(pvdb), held)

    async def announce(_: object) -> None:
        if ready is not None:
            ready()

    async with asyncio.TaskGroup() as group:
        group.create_task(server.run(startup_hook=announce))
        for work in background:
            group.create_task(work)


__all__ = ["PortTaken", "Refused", "Server", "listen", "serve"]
