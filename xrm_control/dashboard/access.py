"""Who may do what: hosts, origins and tokens, asked before anything else is.

A page of another site must not reach this server through the browser of somebody who may: the Host must be one that it
was started for (against DNS rebinding), a request that changes something must come from its own pages, with a header
that no form can set (against forged requests), and no page may frame it or run a script that is not its own.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from xrm_control.dashboard.models import Refusal

CLIENT_HEADER = "x-xrm-client"
COOKIE = "xrm_token"
BUILD_HEADER = b"x-xrm-build"
LONGEST_BODY = 256_000
BODY_WITHIN_S = 20.0
_SAFE = ("GET", "HEAD")
_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "form-action 'self'"
)
# Reports carry their own styles and pictures, and no scripts of the server's.
_REPORT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; sandbox allow-scripts"
)


class Role(StrEnum):
    """What somebody may do: look, or act as well."""

    VIEWER = "viewer"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Access:
    """hosts: names (with port, as browsers send them) under which the server is to be reached; without tokens
    everybody who reaches it is an operator.
    """

    hosts: frozenset[str]
    operator_token: str = ""
    viewer_token: str = ""

    @property
    def open(self) -> bool:
        """Whether no token is needed."""
        return not self.operator_token

    def role(self, token: str) -> Role | None:
        """What the bearer of a token may do; None: nothing."""
        if self.open or _same(token, self.operator_token):
            return Role.OPERATOR
        return Role.VIEWER if self.viewer_token and _same(token, self.viewer_token) else None


class Gate:
    """ASGI: lets through what may come through, and puts the protecting headers on every answer."""

    def __init__(self, inner: ASGIApp, access: Access, build: str = "") -> None:
        """build: told with each answer; another one means another server."""
        self._inner, self._access = inner, access
        self._build = (BUILD_HEADER, build.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._inner(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_protection(scope["path"]), self._build]
            await send(message)

        refused = self._refused(scope, headers)
        if isinstance(refused, Role):
            scope.setdefault("state", {})["role"] = refused
            await self._inner(scope, _bounded(receive), protected)
        else:
            await refused(scope, receive, protected)

    def _refused(self, scope: Scope, headers: Headers) -> ASGIApp | Role:
        host, method = headers.get("host", ""), scope["method"]
        if host.lower() not in self._access.hosts:
            return _no(
                421, "this server is not reached under that name", value=host, remedy="use the address that it told"
            )
        origin = headers.get("origin")
        if origin is not None and _host_of(origin) != host.lower():
            return _no(403, "another site's page may not ask", value=origin)
        if method not in _SAFE and not headers.get(CLIENT_HEADER):
            return _no(403, f"the header {CLIENT_HEADER} is missing", remedy="send it with any text of your own")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > LONGEST_BODY:
            return _no(413, "the request is too long", value=length, limit=str(LONGEST_BODY))
        asked = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        cookie = cookie_of(host)
        role = self._access.role(asked or _token(headers, cookie))
        if role is None:
            return _no(401, "a token is needed", remedy="open the address that `xrm serve` has printed")
        if asked and method == "GET" and scope["path"] == "/" and not self._access.open:
            return _remembered(asked, cookie)
        if method not in _SAFE and role is not Role.OPERATOR:
            return _no(403, "viewers may look, and not act", remedy="open the operators' address")
        return role


def hosts_of(names: Iterable[str], port: int) -> frozenset[str]:
    """What browsers send as Host for those names."""
    return frozenset(f"{f'[{name}]' if ':' in name else name}:{port}".lower() for name in names)


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(), known.encode())


def cookie_of(host: str) -> str:
    """Browsers keep the cookies of all ports of a machine together: each server has a name of its own for its."""
    port = host.rpartition(":")[2]
    return f"{COOKIE}_{port}" if port.isdecimal() else COOKIE


def _token(headers: Headers, name: str) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return "" if cookie is None else cookie.value


def _remembered(token: str, name: str) -> ASGIApp:
    """The token leaves the address, and with it the browser's history."""
    answer = RedirectResponse("/", status_code=303)
    answer.set_cookie(name, token, httponly=True, samesite="strict", max_age=30 * 24 * 3600)
    return answer


def _no(
    status: int, what: str, value: str | None = None, limit: str | None = None, remedy: str | None = None
) -> ASGIApp:
    told = Refusal(what=what, value=None if value is None else value[:200], limit=limit, remedy=remedy)
    headers = {"www-authenticate": "Bearer"} if status == 401 else None
    return JSONResponse(told.model_dump(), status_code=status, headers=headers)


def _protection(path: str) -> list[tuple[bytes, bytes]]:
    policy = _REPORT_POLICY if path.endswith(".html") else _POLICY
    return [
        (b"content-security-policy", policy.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"cache-control", b"no-cache" if path.startswith("/static/") else b"no-store"),
    ]


def _bounded(receive: Receive) -> Receive:
    """A body without a length, or with a false one, ends where it becomes too long; one that trickles in, in time."""
    left, whole, ends_s = LONGEST_BODY, False, asyncio.get_running_loop().time() + BODY_WITHIN_S

    async def bounded() -> Message:
        nonlocal left, whole
        try:
            async with asyncio.timeout_at(None if whole else ends_s):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, "the request did not come to its end in time") from None
        whole = whole or not message.get("more_body", False)
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(413, "the request is too long")
        return message

    return bounded
