"""A network in between: Channel Access passes through, until the cable is pulled.

During a gap nothing is closed and nothing is refused: what is sent simply does not arrive, as behind a dead switch;
what TCP has accepted comes late, as after retransmission.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_HEADER = struct.Struct(">HHHHII")
_SEARCH = 6
_USE_SENDER = 0xFFFFFFFF
_MOST_CLIENTS = 100


class Relay:
    """Listens on `port` (TCP and UDP) and passes on to an IOC's port, both on the loopback interface."""

    def __init__(self, port: int, ioc_port: int) -> None:
        self.port, self._ioc_port = port, ioc_port
        self._through = threading.Event()
        self._through.set()
        self._ended = threading.Event()
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", port))
        self._tcp = socket.create_server(("127.0.0.1", port))
        self._sockets: list[socket.socket] = [self._udp, self._tcp]
        for work in (self._searches, self._circuits):
            threading.Thread(target=work, daemon=True).start()

    def cut(self) -> None:
        """The gap begins."""
        self._through.clear()

    def mend(self) -> None:
        """The gap is over."""
        self._through.set()

    def drop(self) -> None:
        """Every connection breaks, as of a switch that starts anew; who connects again comes through."""
        for one in list(self._sockets):
            if one not in (self._udp, self._tcp):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """No more relaying; all its sockets are closed."""
        self._ended.set()
        self._through.set()
        for one in list(self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _searches(self) -> None:
        """UDP: each client is spoken for by a socket of its own; answers name the relay's port."""
        clients: dict[socket.socket, tuple[str, int]] = {}
        sockets: dict[tuple[str, int], socket.socket] = {}
        while not self._ended.is_set():
            # Whoever has not asked for long has found what it wanted, or is gone.
            while len(sockets) > _MOST_CLIENTS:
                gone = sockets.pop(next(iter(sockets)))
                del clients[gone]
                gone.close()
            readable, _, _ = select.select([self._udp, *clients], [], [], 0.2)
            for one in readable:
                try:
                    message, sender = one.recvfrom(65536)
                except OSError:
                    continue
                if not self._through.is_set():
                    continue
                if one is self._udp:
                    if sender not in sockets:
                        sockets[sender] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                        clients[sockets[sender]] = sender
                    sockets[sender].sendto(message, ("127.0.0.1", self._ioc_port))
                else:
                    self._udp.sendto(self._renamed(message), clients[one])
        for one in clients:
            one.close()

    def _renamed(self, message: bytes) -> bytes:
        """Search answers with the relay's TCP port in place of the server's."""
        found, at = bytearray(message), 0
        while at + _HEADER.size <= len(found):
            command, size, _, count, _, second = _HEADER.unpack_from(found, at)
            if command == _SEARCH:
                _HEADER.pack_into(found, at, command, size, self.port, count, _USE_SENDER, second)
            at += _HEADER.size + size
        return bytes(found)

    def _circuits(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._tcp.accept()
                server = socket.create_connection(("127.0.0.1", self._ioc_port))
            except OSError:
                continue
            self._sockets += [client, server]
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._circuit, args=(client, server), daemon=True).start()

    def _circuit(self, client: socket.socket, server: socket.socket) -> None:
        """Both ways, until either end leaves."""
        back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
        back.start()
        self._pump(client, server)
        back.join()
        for one in (client, server):
            one.close()
            with contextlib.suppress(ValueError):
                self._sockets.remove(one)

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._through.wait()
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@contextmanager
def relay(port: int, ioc_port: int) -> Iterator[Relay]:
    """A relay for the length of a block."""
    one = Relay(port, ioc_port)
    try:
        yield one
    finally:
        one.close()
