"""The window's server as the page knows it, with faults that can be switched on: streams and pictures that hang, lines
that break. `python -m tests.dashboard.browser.fake_server PORT` shows a run that moves on by itself.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import xrm_control
from tests.dashboard.browser import fake_run as fake

STATIC = Path(xrm_control.__file__).parent / "dashboard" / "static"
POLICY = "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@dataclass
class World:
    """Runs, who is in control, what was asked for, and which faults are on."""

    runs: dict[str, fake.FakeRun] = field(default_factory=lambda: {"demo": fake.FakeRun()})
    holder: str = ""
    holder_client: str = ""
    posts: list[tuple[str, Any]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    hang: threading.Event = field(default_factory=threading.Event)
    free: threading.Event = field(default_factory=threading.Event)
    lost: threading.Event = field(default_factory=threading.Event)
    dropped: int = 0
    refuse: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    headers: dict[str, str] = field(default_factory=dict)

    def drop(self) -> None:
        """Break all streams."""
        self.dropped += 1
        for run in self.runs.values():
            run.touch()

    def commands(self, kind: str) -> list[Any]:
        """Commands of a kind that were carried out."""
        return [
            body["command"]
            for path, body in self.posts
            if path.endswith("/commands") and body["command"]["kind"] == kind
        ]

    def control(self, client: str) -> dict[str, Any]:
        return {"holder": self.holder, "since_utc": None, "you": bool(client) and client == self.holder_client,
                "role": "operator", "local": True}  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    world: World
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        path, query = unquote(address.path), {key: value[0] for key, value in parse_qs(address.query).items()}
        try:
            self.route(path, query)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def route(self, path: str, query: dict[str, str]) -> None:
        world = self.world
        if path == "/":
            return self.file("index.html")
        if path.startswith("/static/"):
            return self.file(path.removeprefix("/static/"))
        if path == "/api/runs":
            world.asked.append(query)
            cards = [run.card() for run in world.runs.values() if query.get("search", "").lower() in run.name.lower()]
            return self.json({"runs": cards, "total": len(cards)})
        if path == "/api/control":
            return self.json(world.control(query.get("client", "")))
        parts = path.removeprefix("/api/runs/").split("/")
        run = world.runs.get(parts[0])
        if not path.startswith("/api/runs/") or run is None:
            return self.json({"what": "there is no such run", "where": path}, 404)
        if world.hang.is_set() and parts[1:2] != ["stream"]:
            world.free.wait(30)
        return self.of_run(run, "/".join(parts[1:]), query)

    def of_run(self, run: fake.FakeRun, part: str, query: dict[str, str]) -> None:
        if part == "":
            return self.json(run.view())
        if part == "mosaic":
            return self.json(run.mosaic())
        if part == "regions":
            return self.json({"regions": run.regions})
        if part == "lines" and "after" in query:
            after = int(query["after"])
            return self.json({"lines": run.lines[after : after + int(query["limit"])], "last_id": len(run.lines)})
        if part == "lines":
            before, limit = int(query.get("before", 10**9)), int(query.get("limit", 200))
            grave = ["info", "warning", "error"]
            wanted = grave[grave.index(query.get("level", "info")) :]
            lines = [line for line in run.lines if line["id"] < before and line["level"] in wanted][-limit:]
            return self.json({"lines": lines, "last_id": len(run.lines)})
        if part == "stream":
            return self.stream(run, int(self.headers.get("Last-Event-ID") or query.get("after", 0)))
        if match := re.fullmatch(r"frames/mosaic/tile_(\d+)\.png", part):
            return self.bytes(fake.picture(int(match[1])), "image/png")
        if re.fullmatch(r"regions/[\w-]+/planes", part):
            side = fake.SIDE
            return self.json(
                {"shape": [side] * 3, "voxel_size_um": 0.5, "low_per_um": 0.0, "high_per_um": 0.05, "labels": True}
            )
        if match := re.fullmatch(r"regions/[\w-]+/(planes|labels)/(xy|xz|yz)/(\d+)", part):
            about = {"X-Rows": str(fake.SIDE), "X-Columns": str(fake.SIDE)}
            return self.bytes(fake.plane(match[1], match[2], int(match[3])), "application/octet-stream", about)
        if re.fullmatch(r"regions/[\w-]+/particles/\d+/mesh", part):
            return self.bytes(fake.mesh(), "application/octet-stream")
        if part == "tables/particles":
            return self.json(fake.table(query.get("columns", "")))
        return self.json({"what": "nothing is there", "where": part}, 404)

    def do_POST(self) -> None:
        world, path = self.world, unquote(urlsplit(self.path).path)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        client = self.headers.get("X-Xrm-Client", "")
        if not client:
            return self.json({"what": "the header x-xrm-client is missing"}, 403)
        kind = body.get("command", {}).get("kind", path.rsplit("/", 1)[-1])
        if kind in world.refuse:
            return self.json(world.refuse[kind], 409)
        if path == "/api/control/take" and body.get("free") and world.holder and client != world.holder_client:
            return self.json({"what": "somebody else is in control"}, 403)
        if path == "/api/control/take":
            world.holder, world.holder_client = body["name"], client
            return self.json(world.control(client))
        if path == "/api/control/release":
            if client == world.holder_client:
                world.holder = world.holder_client = ""
            return self.json(world.control(client))
        if path.endswith("/cost"):
            return self.json({"windows": 1, "seconds": 250.0, "dose_gy": 2.5e5, "bytes": 9_000_000, "particles": 21.0})
        if path.endswith("/commands") and body["request"] not in world.seen:
            world.seen.add(body["request"])
            world.posts.append((path, body))
            self.carry_out(path.split("/")[3], body["command"])
        return self.json({"text": f"{kind}: taken"})

    def carry_out(self, name: str, command: dict[str, Any]) -> None:
        run = self.world.runs[name]
        if command["kind"] == "abort":
            run.state, run.alive = "aborted", False
            run.impossible = dict.fromkeys(fake.ACTIONS, "the run is aborted")
            run.say("aborted by an operator", "warning", "run.state")
        elif command["kind"] == "pause":
            run.state, run.impossible = "paused", {"pause": "it is paused", "resume": "it runs"}
            run.say("paused", kind="run.state")
        elif command["kind"] == "continue":
            run.state, run.impossible = "scanning", {"continue": "nothing is paused", "resume": "it runs"}
            run.say("scanning", kind="run.state")
        elif command["kind"] == "order":
            place = {name: at for at, name in enumerate(command["rois"])}
            waiting = [region for region in run.regions if not region["planned"]]
            waiting.sort(key=lambda region: place.get(region["name"], len(place)))
            run.regions = [region for region in run.regions if region["planned"]] + waiting
            run.say("order")
        elif command["kind"] == "add":
            run.add_region(command["x_um"], command["y_um"], command.get("width_um") or 50.0)
            run.say(f"roi-{len(run.regions):02d} added")

    def stream(self, run: fake.FakeRun, after: int) -> None:
        self.send_response(200)
        self.common("text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for text in self.told(run, after):
            self.wfile.write(text.encode())
            self.wfile.flush()

    def told(self, run: fake.FakeRun, after: int) -> Iterator[str]:
        world, dropped = self.world, self.world.dropped
        version = -1
        parts = {"run": run.view, "mosaic": run.mosaic, "regions": lambda: {"regions": run.regions}}
        sent: dict[str, str] = {}
        yield ": hello\n\n"
        while world.dropped == dropped and not world.lost.is_set():
            if world.hang.is_set():
                world.free.wait(30)
                return
            version = run.version
            for line in run.lines[after:]:
                after = line["id"]
                yield f"id: {after}\nevent: line\ndata: {json.dumps(line)}\n\n"
                if world.dropped != dropped:
                    return
            for name, look in parts.items():
                text = json.dumps(look())
                if sent.get(name) != text:
                    sent[name] = text
                    yield f"event: {name}\ndata: {text}\n\n"
            with run.changed:
                if run.version == version:
                    run.changed.wait(0.5)
            yield ": ping\n\n"

    def file(self, name: str) -> None:
        path = (STATIC / name).resolve()
        if not path.is_relative_to(STATIC) or not path.is_file():
            return self.json({"what": "there is no such file"}, 404)
        return self.bytes(path.read_bytes(), TYPES.get(path.suffix[1:], "text/plain"))

    def json(self, content: Any, status: int = 200) -> None:
        self.bytes(json.dumps(content).encode(), "application/json", status=status)

    def bytes(self, data: bytes, type_: str, about: dict[str, str] | None = None, status: int = 200) -> None:
        self.send_response(status)
        self.common(type_)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (about or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def common(self, type_: str) -> None:
        self.send_header("Content-Type", type_)
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-cache")
        for name, value in self.world.headers.items():
            self.send_header(name, value)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    # Tabs ask at once for more than five things.
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Browsers leave in the middle of answers."""


def serve(world: World, port: int = 0) -> Server:
    """A server in a thread of its own."""
    server = Server(("127.0.0.1", port), type("Bound", (Handler,), {"world": world}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


if __name__ == "__main__":
    shown = World()
    serve(shown, int(sys.argv[1]))
    run = shown.runs["demo"]
    for step in range(100_000):
        threading.Event().wait(1.0)
        if run.state == "mosaicking" and run.tiles < fake.COLUMNS * fake.ROWS:
            run.keep_tiles(1)
        else:
            run.say(f"frame {step} kept", "warning" if step % 9 == 0 else "info")
