"""Who may do what: hostile pages, names, tokens and bodies, each with what must come of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.dashboard.conftest import HOSTS
from xrm_control.core.errors import SafetyRefusal
from xrm_control.core.version import __version__
from xrm_control.dashboard.access import LONGEST_BODY, Access, cookie_of
from xrm_control.dashboard.serving import Address, access_for

OPERATOR, VIEWER = "operator-" + "o" * 20, "viewer-" + "v" * 20
TOKENS = Access(HOSTS, OPERATOR, VIEWER)
TAKE = {"name": "Ada"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1:8010"}, 200),
        ({"host": "localhost:8010", "origin": "http://localhost:8010"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:8011"}, 403),
        ({"host": "evil.example:8010"}, 421),
        ({"host": "127.0.0.1.evil.example:8010"}, 421),
        ({"host": "127.0.0.1"}, 421),
        ({"host": ""}, 421),
        ({"x-xrm-client": ""}, 403),
        ({"content-length": "999999999"}, 413),
        ({"content-length": "-1"}, 413),
    ],
)
def test_whose_requests_change_something(served: Any, tmp_path: Path, headers: dict[str, str], status: int) -> None:
    client = served(tmp_path)
    answer = client.post("/api/control/take", json=TAKE, headers=headers)
    assert answer.status_code == status
    holder = client.get("/api/control").json()["holder"]
    assert holder == ("Ada" if status == 200 else "")


@pytest.mark.parametrize("headers", [{"host": "evil.example:8010"}, {"origin": "http://evil.example"}])
def test_nothing_is_shown_to_other_sites_either(served: Any, tmp_path: Path, headers: dict[str, str]) -> None:
    assert served(tmp_path).get("/api/runs", headers=headers).status_code in (403, 421)


def test_a_body_without_a_length_ends_where_it_becomes_too_long(served: Any, tmp_path: Path) -> None:
    def endless() -> Any:
        for _ in range(64):
            yield b" " * (LONGEST_BODY // 8)

    answer = served(tmp_path).post("/api/control/take", content=endless())
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize(
    ("token", "look", "act"), [("", 401, 401), ("wrong", 401, 401), (VIEWER, 200, 403), (OPERATOR, 200, 200)]
)
@pytest.mark.parametrize("by", ["bearer", "cookie"])
def test_tokens(served: Any, tmp_path: Path, token: str, look: int, act: int, by: str) -> None:
    client = served(tmp_path, TOKENS)
    if by == "cookie":
        client.cookies.set(cookie_of("127.0.0.1:8010"), token)
        headers = {}
    else:
        headers = {"authorization": f"Bearer {token}"}
    assert client.get("/api/runs", headers=headers).status_code == look
    assert client.post("/api/control/take", json=TAKE, headers=headers).status_code == act


def test_a_token_leaves_the_address_at_once(served: Any, tmp_path: Path) -> None:
    answer = served(tmp_path, TOKENS).get(f"/?token={OPERATOR}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_two_servers_of_one_machine_keep_their_own_tokens(served: Any, tmp_path: Path) -> None:
    # A browser keeps the cookies of all ports together, and sends them to each.
    cookie = served(tmp_path, TOKENS).get(f"/?token={OPERATOR}").headers["set-cookie"]
    assert cookie.startswith("xrm_token_8010=")
    assert len({cookie_of(host) for host in ("lab:8010", "lab:8011", "lab", "[::1]:80", "[::1]")}) == 4


def test_each_answer_tells_which_server_it_is_of(served: Any, tmp_path: Path) -> None:
    client = served(tmp_path)
    builds = {client.get(path).headers["x-xrm-build"] for path in ("/", "/api/runs", "/api/nothing")}
    assert len(builds) == 1
    assert builds.pop().startswith(f"{__version__}-")


def test_every_answer_protects_itself(served: Any, tmp_path: Path) -> None:
    client = served(tmp_path)
    for path in ("/", "/api/runs", "/api/nothing", "/static/nothing"):
        policy = client.get(path).headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize(
    ("address", "environment", "token", "open_", "refused"),
    [
        (Address(), {}, False, True, False),
        (Address("localhost"), {}, False, True, False),
        (Address("::1"), {}, False, True, False),
        (Address("0.0.0.0"), {}, False, False, False),
        (Address("10.0.0.7"), {}, False, False, False),
        (Address("lab-pc"), {}, False, False, False),
        (Address(), {}, True, False, False),
        (Address(), {"XRM_OPERATOR_TOKEN": OPERATOR}, False, False, False),
        (Address(), {"XRM_VIEWER_TOKEN": VIEWER}, False, False, False),
        (Address(), {"XRM_OPERATOR_TOKEN": "short"}, False, False, True),
    ],
)
def test_beyond_this_machine_a_token_is_needed(
    address: Address, environment: dict[str, str], token: bool, open_: bool, refused: bool
) -> None:
    if refused:
        with pytest.raises(SafetyRefusal, match="guessed"):
            access_for(address, environment, token=token)
        return
    access = access_for(address, environment, token=token)
    assert access.open is open_
    assert open_ or len(access.operator_token) >= 16
    assert access.operator_token != access.viewer_token or open_


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("scope.lab.example", 200),
        ("scope.lab.example:8010", 200),
        ("other.lab.example", 421),
        ("scope.lab.example:80", 421),
    ],
)
def test_a_gateway_is_reached_under_its_name(served: Any, tmp_path: Path, host: str, status: int) -> None:
    access = access_for(Address(names=("Scope.lab.example",)), {}, token=False)
    headers = {"host": host, "origin": f"https://{host}"}
    assert served(tmp_path, access).get("/api/runs", headers=headers).status_code == status
