"""The repeater as its clients know it: who registers is answered, and hears what servers and the others send."""

from __future__ import annotations

import contextlib
import socket
import struct

import pytest

from xrm_control.devices.epics import repeater

# Channel Access: command, payload, type or port, count, and two words; 127.0.0.1 is 0x7f000001.
HEADER = struct.Struct(">HHHHII")
BEACON, CONFIRM, REGISTER, LOCAL, OTHER = 13, 17, 24, 0x7F000001, 0x0A000007


def test_beacons_go_to_all_others_with_the_address_that_they_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.ExitStack() as stack:
        one, two, server, free = (
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(4)
        )
        for each in (one, two, server, free):
            each.bind(("127.0.0.1", 0))
            each.settimeout(20)
        place = free.getsockname()
        free.close()
        monkeypatch.setenv("EPICS_CA_REPEATER_PORT", str(place[1]))
        assert repeater.start()
        assert not repeater.start()
        for each, message in ((one, HEADER.pack(REGISTER, 0, 0, 0, 0, LOCAL)), (two, b"")):
            each.sendto(message, place)
            assert HEADER.unpack(each.recv(64)) == (CONFIRM, 0, 0, 0, 0, LOCAL)
        # A server that does not say where it is, and one that stands for another machine; (version, port, number).
        for said, told in ((0, LOCAL), (OTHER, OTHER)):
            server.sendto(HEADER.pack(BEACON, 13, 5064, 0, 7, said), place)
            for each in (one, two):
                assert HEADER.unpack(each.recv(64)) == (BEACON, 13, 5064, 0, 7, told)
        # A client that passes a beacon on does not hear itself: the next it hears is the server's.
        one.sendto(HEADER.pack(BEACON, 13, 5064, 0, 8, OTHER), place)
        server.sendto(HEADER.pack(BEACON, 13, 5064, 0, 9, OTHER), place)
        assert [HEADER.unpack(two.recv(64))[4] for _ in range(2)] == [8, 9]
        assert HEADER.unpack(one.recv(64))[4] == 9
