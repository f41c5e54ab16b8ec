"""Who is in control, among all who look on in a browser: one at a time, and taken over only on purpose.

Pausing and aborting are every operator's at any time.
"""

from __future__ import annotations

from dataclasses import dataclass

from xrm_control.contracts.commands import Abort, Command, Pause
from xrm_control.core.clock import utc_now
from xrm_control.core.errors import SafetyRefusal
from xrm_control.dashboard.access import Role
from xrm_control.dashboard.models import Control


@dataclass
class Helm:
    """Of one server. Nobody is in control until somebody takes it."""

    holder: str = ""
    _client: str = ""
    _since_utc: str | None = None
    _seen_utc: str | None = None

    def told(self, client: str, role: Role, *, local: bool) -> Control:
        """As one client sees it."""
        if client and client == self._client:
            self._seen_utc = utc_now().isoformat(timespec="seconds")
        return Control(
            holder=self.holder,
            since_utc=self._since_utc,
            seen_utc=self._seen_utc,
            you=bool(client) and client == self._client,
            role=str(role),
            local=local,
        )

    def take(self, client: str, name: str) -> None:
        """From whoever has it."""
        self.holder, self._client = name, client
        self._since_utc = self._seen_utc = utc_now().isoformat(timespec="seconds")

    def release(self, client: str) -> None:
        """Leave it to whoever comes; nothing happens where somebody else has it."""
        if client == self._client:
            self.holder, self._client, self._since_utc, self._seen_utc = "", "", None, None

    def require(self, client: str, command: Command | None = None) -> str:
        """The name under which a client acts. Raises SafetyRefusal where somebody else is in control."""
        if client != self._client and self.holder and not isinstance(command, Pause | Abort):
            raise SafetyRefusal(
                "somebody else is in control", where="the window", value=self.holder,
                remedy="take control first, which they will see; to pause and to abort is everybody's",
            )  # fmt: skip
        return self.holder if client == self._client and self.holder else "an operator"
