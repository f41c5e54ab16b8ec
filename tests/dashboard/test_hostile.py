"""Hostile requests to the real server, over real sockets: none is answered with an error of the server's, none changes
anything, none keeps others out.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.dashboard.conftest import listening
from xrm_control.core.states import RunState
from xrm_control.dashboard import access
from xrm_control.dashboard.access import CLIENT_HEADER
from xrm_control.dashboard.routes import streaming
from xrm_control.storage.inbox import Inbox
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import RunRecord
from xrm_control.storage.run_folder import RunFolder

RUN = "20260101T000000Z_night_0000"
PAUSE = json.dumps({"command": {"kind": "pause"}, "request": "hostile-1"})
COMMANDS = f"/api/runs/{RUN}/commands"


@dataclass
class Answer:
    status: int
    body: bytes

    @property
    def what(self) -> str:
        return json.loads(self.body)["what"]


@dataclass
class Server:
    """Where it listens, and the run behind it."""

    address: str
    folder: RunFolder

    @property
    def host(self) -> str:
        return urlsplit(self.address).netloc

    def ask(self, method: str, path: str, body: str | bytes = b"", **headers: str) -> Answer:
        """One request; headers with _ for -."""
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(http.client.HTTPConnection(self.host, timeout=30)) as connection:
            connection.request(method, path, body or None, told)
            with connection.getresponse() as answer:
                return Answer(answer.status, answer.read())

    @contextmanager
    def streamed(self, **headers: str) -> Iterator[http.client.HTTPResponse]:
        """The run's stream, while the block runs."""
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(http.client.HTTPConnection(self.host, timeout=30)) as connection:
            connection.request("GET", f"/api/runs/{RUN}/stream", headers=told)
            with connection.getresponse() as answer:
                yield answer

    def raw(self, data: bytes, read: int = 65536) -> bytes:
        """What comes back for bytes as they are, until the server ends it."""
        host, _, port = self.host.partition(":")
        with socket.create_connection((host, int(port)), timeout=30) as line:
            found = b""
            with suppress(ConnectionError):  # it may be told no before all is sent
                line.sendall(data)
                while len(found) < read and (piece := line.recv(65536)):
                    found += piece
        return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    tmp_path = tmp_path_factory.mktemp("hostile")
    folder = RunFolder(tmp_path / "runs" / RUN)
    folder.path.mkdir(parents=True)
    record = RunRecord(RUN, "night", "0" * 64, "simulated", True, "2026-01-01T00:00:00+00:00")
    with Journal.create(folder.journal, record) as journal:
        journal.set_state(RunState.CONNECTING, t_s=0.0)
        with listening(tmp_path / "runs", tmp_path, queue=tmp_path / "queue") as address:
            yield Server(address, folder)


def untouched(server: Server) -> bool:
    """Whether nobody has sent the run anything, and the server still answers."""
    return Inbox(server.folder).waiting() == () and server.ask("GET", f"/api/runs/{RUN}").status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "http://[evil"}, 403),
        ({"Origin": "http://{host}@evil.example"}, 403),
        ({"Origin": "http://{host}.evil.example"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example, {host}"}, 421),
        ({"Host": "{host}:80"}, 421),
        ({"Host": "127.0.0.1.nip.io"}, 421),
        ({"X_Xrm_Client": ""}, 403),
        ({"Content_Type": "text/plain"}, 422),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 422),
        ({"Content_Type": "multipart/form-data; boundary=x"}, 422),
        ({"X_Xrm_Client": "x" * 101}, 422),
    ],
)
def test_who_may_not_send_sends_nothing(server: Server, headers: dict[str, str], status: int) -> None:
    sound = {"X_Xrm_Client": "a-tab", "Content_Type": "application/json"}
    told = {name: value.format(host=server.host) for name, value in headers.items()}
    answer = server.ask("POST", COMMANDS, PAUSE, **{**sound, **told})
    assert (answer.status, untouched(server)) == (status, True)
    assert answer.what


TRAVERSALS = ["..", "%2e%2e", "..%2f..", "%252e%252e%252f", "..%5c..", "%00", f"{RUN}%00", "%2fetc", "."]


@pytest.mark.parametrize("bad", TRAVERSALS)
@pytest.mark.parametrize(
    "path",
    [
        "runs/{bad}",
        "runs/{bad}/lines",
        "runs/{run}/files/{bad}",
        "runs/{run}/files/{bad}/journal.sqlite",
        "runs/{run}/files/roi-01/{bad}",
        "runs/{run}/frames/{bad}/proj_0001.png",
        "runs/{run}/frames/roi-01/{bad}.png",
        "runs/{run}/regions/{bad}/planes",
        "runs/{run}/regions/roi-01/planes/xy/{bad}",
        "runs/{run}/tables/{bad}",
        "recipes/{bad}/settings",
        "recipes/{bad}.yaml/settings",
    ],
)
def test_no_path_leads_out(server: Server, path: str, bad: str) -> None:
    target = f"/api/{path.format(run=RUN, bad=bad)}"
    answer = server.raw(f"GET {target} HTTP/1.1\r\nHost: {server.host}\r\nConnection: close\r\n\r\n".encode())
    status = int(answer.split(b" ", 2)[1])
    assert status in (404, 422), answer[:300]
    assert b"SQLite" not in answer
    assert b"root:" not in answer


@pytest.mark.parametrize("linked", ["run", "region", "volume", "report"])
def test_no_link_leads_out(server: Server, tmp_path: Path, ended: Path, linked: str) -> None:
    root, away = server.folder.path.parent, tmp_path / "elsewhere"
    shutil.copytree(ended, away)
    place = root / "20260102T000000Z_linked_0000"
    shutil.rmtree(place, ignore_errors=True)
    if linked == "run":
        os.symlink(away, place)
    else:
        shutil.copytree(ended, place)
        inside = {"region": "roi-01", "volume": "roi-01/volume.ome.tif", "report": "report.html"}[linked]
        shutil.move(place / inside, tmp_path / "moved")
        os.symlink(away / inside, place / inside)
    paths = {
        "run": [""],
        "region": ["/regions/roi-01/planes", "/tables/particles", "/files/roi-01/preview.png"],
        "volume": ["/regions/roi-01/planes", "/regions/roi-01/planes/xy/3"],
        "report": ["/files/report.html"],
    }
    for path in paths[linked]:
        assert server.ask("GET", f"/api/runs/{place.name}{path}").status == 404, path
    # The list is told all the same.
    names = [card["name"] for card in json.loads(server.ask("GET", "/api/runs").body)["runs"]]
    assert RUN in names
    assert (place.name in names) is (linked != "run")
    if linked == "run":
        place.unlink()


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe\x00",
        b"{",
        b"[" * 100_000,
        b'{"command": {"kind": "pause"}, "request": ' + b"9" * 50_000 + b"}",
        b'{"command": {"kind": "add", "x_um": 1e999, "y_um": 0}, "request": "hostile-1"}',
        b'{"command": {"kind": "add", "x_um": NaN, "y_um": 0}, "request": "hostile-1"}',
        b'{"command": {"kind": "add", "x_um": 0, "y_um": 0, "width_um": -5}, "request": "hostile-1"}',
        b'{"command": {"kind": "skip", "roi": "\\ud800"}, "request": "hostile-1"}',
        b'{"command": {"kind": "pause"}, "request": "hostile-1", "by": "root"}',
        b'{"request": "hostile-1", "command": {"after": "frame"}}',
    ],
)
def test_what_is_no_wish_is_told_so(server: Server, body: bytes) -> None:
    answer = server.ask("POST", COMMANDS, body, X_Xrm_Client="a-tab", Content_Type="application/json")
    assert answer.status in (400, 422)
    assert answer.what
    assert untouched(server)


def head(server: Server, *more: str) -> bytes:
    lines = [f"POST {COMMANDS} HTTP/1.1", f"Host: {server.host}", f"{CLIENT_HEADER}: a-tab",
             "Content-Type: application/json", *more, "", ""]  # fmt: skip
    return "\r\n".join(lines).encode()


def test_huge_bodies_and_headers_are_refused(server: Server) -> None:
    assert b" 413 " in server.raw(head(server, "Content-Length: 99999999999"), read=40)
    chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    assert b" 413 " in server.raw(head(server, "Transfer-Encoding: chunked", "Connection: close") + chunk * 20)[:40]
    assert server.raw(head(server, f"X-Long: {'x' * 200_000}"))[9:10] in (b"4", b"")
    assert untouched(server)


def test_a_body_that_trickles_in_ends_in_time(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "BODY_WITHIN_S", 0.3)
    answer = server.raw(head(server, f"Content-Length: {len(PAUSE)}") + PAUSE[:-1].encode(), read=40)
    assert b" 408 " in answer[:40]
    assert untouched(server)


def test_many_streams_of_one_keep_nobody_out(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "MOST_VIEWERS", 5)
    with ExitStack() as stack:
        for _ in range(5):
            assert stack.enter_context(server.streamed()).readline()
        refused = server.ask("GET", f"/api/runs/{RUN}/stream")
        assert (refused.status, refused.what[:1]) == (429, "5")
        assert untouched(server)


@pytest.mark.parametrize("after", ["99999999999999999999", "-1", "nan", "\xb3", "1e3"])
def test_a_number_that_no_line_has_is_none(server: Server, after: str) -> None:
    with server.streamed(Last_Event_ID=after) as stream:
        assert stream.status == 200
        assert stream.readline()


def test_a_name_of_another_request_s_end_is_one_of_its_own(tmp_path: Path) -> None:
    from xrm_control.contracts.commands import Pause

    inbox = Inbox(RunFolder(tmp_path))
    number = inbox.post(Pause(), request="pause-hostile-1")
    assert inbox.sent("hostile-1") is None
    assert inbox.sent("pause-hostile-1") == number


def test_a_request_is_not_taken_for_another_act(server: Server) -> None:
    headers: dict[str, Any] = {"X_Xrm_Client": "a-tab", "Content_Type": "application/json"}
    skip = {"command": {"kind": "skip", "roi": "roi-01"}, "request": "hostile-2"}
    assert server.ask("POST", COMMANDS, json.dumps(skip), **headers).status == 200
    assert server.ask("POST", COMMANDS, json.dumps(skip), **headers).status == 200
    other = {**skip, "command": {"kind": "until", "stage": "mosaic"}}
    refused = server.ask("POST", COMMANDS, json.dumps(other), **headers)
    assert (refused.status, "something else" in refused.what) == (409, True)
    assert len(Inbox(server.folder).waiting()) == 1
