"""A CA repeater inside this process, where the machine has none.

libca wants one to hear the beacons of servers: with them it finds a restarted IOC at once instead of after up to half
a minute of ever rarer searches, and without one it complains on standard error. EPICS base brings a program for that;
pyepics' wheel does not. Protocol: Channel Access Protocol Specification, "Repeater".
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading

_HEADER = struct.Struct(">HHHHII")
_BEACON, _CONFIRM, _REGISTER = 13, 17, 24
_DEFAULT_PORT = 5065


def start() -> bool:
    """Take the repeater's port, EPICS_CA_REPEATER_PORT, if it is free, and serve it from a thread; whether it was."""
    port = int(os.environ.get("EPICS_CA_REPEATER_PORT") or _DEFAULT_PORT)
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        server.bind(("", port))
    except OSError:
        server.close()
        return False
    threading.Thread(target=_serve, args=(server,), name="ca repeater", daemon=True).start()
    return True


def _serve(server: socket.socket) -> None:
    clients: set[tuple[str, int]] = set()
    while True:
        try:
            message, sender = server.recvfrom(65536)
        except ConnectionError:
            # A client that has gone answers a forwarded beacon with "port unreachable".
            continue
        except OSError:
            return
        command = _HEADER.unpack_from(message)[0] if len(message) >= _HEADER.size else _REGISTER
        if command == _REGISTER:
            clients.add(sender)
            _send(server, _HEADER.pack(_CONFIRM, 0, 0, 0, 0, _address(sender)), {sender}, clients)
        elif command == _BEACON:
            fields = list(_HEADER.unpack_from(message))
            fields[5] = fields[5] or _address(sender)
            _send(server, _HEADER.pack(*fields), clients - {sender}, clients)


def _send(server: socket.socket, message: bytes, targets: set[tuple[str, int]], clients: set[tuple[str, int]]) -> None:
    for target in targets:
        with contextlib.suppress(OSError):
            server.sendto(message, target)
            continue
        clients.discard(target)


def _address(place: tuple[str, int]) -> int:
    return int.from_bytes(socket.inet_aton(place[0]), "big")
