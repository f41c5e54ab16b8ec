"""A plain client of one IOC: pyepics, which shares no code with the server; caproto's for the words of a refusal."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import epics
from caproto import ErrorResponseReceived
from caproto.sync import client as caproto_client

from tests.ioc_process import IocProcess

_TURN_S = 0.02


class Client:
    """Reads and writes PVs by the part of their name that follows the prefix."""

    def __init__(self, ioc: IocProcess) -> None:
        self.prefix = ioc.prefix

    def pv(self, name: str) -> Any:
        """The connected PV."""
        found = epics.get_pv(self.prefix + name, timeout=60.0, connect=True)
        assert found.connected, f"{name} is not there"
        return found

    def connected(self, name: str) -> bool:
        """Whether it is, right now."""
        return epics.get_pv(self.prefix + name).connected

    def get(self, name: str) -> Any:
        """A fresh value; the text of enumerations and of arrays of characters."""
        pv = self.pv(name)
        text = pv.type.endswith(("enum", "char"))
        # By itself pyepics asks for as many elements as it got the last time.
        return pv.get(use_monitor=False, as_string=text, count=pv.nelm, timeout=60.0)

    def severity(self, name: str) -> int:
        """A fresh alarm severity; 3 is INVALID."""
        return self.pv(name).get_with_metadata(use_monitor=False, with_ctrlvars=True, form="time")["severity"]

    def put(self, name: str, value: Any) -> None:
        """Write and wait for the completion; pyepics does not tell whether it was refused."""
        assert self.pv(name).put(value, wait=True, timeout=120.0) == 1

    def refusal(self, name: str, value: Any) -> str | None:
        """Write; the server's words if it refuses."""
        data = value.encode() if isinstance(value, str) and self.pv(name).type.endswith("char") else value
        try:
            caproto_client.write(self.prefix + name, data, notify=True, timeout=60.0, repeater=False)
        except ErrorResponseReceived as error:
            return str(error)
        return None

    def until(self, condition: Callable[[], bool], within_s: float = 30.0) -> None:
        """Ask again until it is so; fails after a generous time."""
        for _ in range(int(within_s / _TURN_S)):
            if condition():
                return
            threading.Event().wait(_TURN_S)
        raise AssertionError("it never came")
