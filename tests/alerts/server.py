"""A messenger's server on this machine: alive, refusing, hanging, or not there at all."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Mood = Literal["alive", "refusing", "hanging"]
# No address of a test may be found anywhere else.
SECRET = "t0psecret"


@dataclass
class Server:
    """`heard`: what it was told, as JSON; address: for apprise."""

    address: str
    heard: list[dict[str, Any]] = field(default_factory=list)


@contextlib.contextmanager
def server(mood: Mood = "alive") -> Iterator[Server]:
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if mood == "hanging":
                over.wait(60)
                return
            if mood == "alive":
                told.heard.append(json.loads(body))
            self.send_response(200 if mood == "alive" else 500)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.daemon_threads = True
    told = Server(f"json://user:{SECRET}@127.0.0.1:{found.server_address[1]}/")
    thread = threading.Thread(target=found.serve_forever, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        over.set()
        found.shutdown()
        found.server_close()


def nobody() -> str:
    """The address of a server that is not there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"json://user:{SECRET}@127.0.0.1:{free.getsockname()[1]}/"
