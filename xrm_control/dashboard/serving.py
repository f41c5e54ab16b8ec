"""`xrm serve`: the server on this machine, until somebody ends it."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import uvicorn

from xrm_control.core.errors import ResourceLocked, SafetyRefusal
from xrm_control.dashboard.access import Access, hosts_of
from xrm_control.dashboard.server import create_app

OPERATOR, VIEWER = "XRM_OPERATOR_TOKEN", "XRM_VIEWER_TOKEN"
_LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Address:
    """Where the server listens, and for which names: further ones, as a gateway has, are `names`."""

    host: str = "127.0.0.1"
    port: int = 8010
    names: tuple[str, ...] = ()

    @property
    def local(self) -> bool:
        """Whether nobody from another machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


def access_for(address: Address, environment: Mapping[str, str], *, token: bool) -> Access:
    """Beyond this machine a token is needed: one of the environment's, or one made now. Raises SafetyRefusal."""
    operator, viewer = environment.get(OPERATOR, ""), environment.get(VIEWER, "")
    for name, given in ((OPERATOR, operator), (VIEWER, viewer)):
        if given and len(given) < 16:
            raise SafetyRefusal("a token must not be guessed", where=name, value=f"{len(given)} characters", limit=16)
    if not operator and (token or viewer or not address.local):
        operator = secrets.token_urlsafe(24)
    if operator and not viewer:
        viewer = secrets.token_urlsafe(24)
    own = (*_LOCAL, address.host, *address.names)
    if not address.local:
        own = (*own, socket.gethostname(), socket.getfqdn())
    # A gateway has the usual port, which browsers leave out, or one of its own, which belongs to the name then.
    gateways = frozenset(name.lower() for name in address.names)
    return Access(hosts_of(own, address.port) | gateways, operator, viewer)


def serve(
    root: Path,
    recipes: Path,
    address: Address,
    access: Access,
    tell: Callable[[str], object],
    queue: Path | None = None,
) -> None:
    """Until Ctrl-C. Raises ResourceLocked where the address is taken."""
    shown = f"[{address.host}]" if ":" in address.host else address.host
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address.host, address.port))
        except OSError as error:
            raise ResourceLocked(
                f"cannot listen there: {error.strerror}", where=f"{shown}:{address.port}",
                remedy="choose another --port, or end what listens there",
            ) from error  # fmt: skip
        base = f"http://{shown}:{address.port}/"
        if access.open:
            tell(f"{base}  (this machine only; every user of it may act)")
        else:
            tell(f"operators: {base}?token={access.operator_token}")
            tell(f"viewers:   {base}?token={access.viewer_token}")
        config = uvicorn.Config(
            create_app(root, recipes, access, queue), log_level="warning", access_log=False, server_header=False,
            timeout_graceful_shutdown=2,
        )  # fmt: skip
        uvicorn.Server(config).run(sockets=[listener])
