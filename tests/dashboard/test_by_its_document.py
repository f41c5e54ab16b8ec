"""Every operation that the server's own document names, with values that fit it and values that do not: each answer is
one that the document tells, and nobody does what he may not.

XRM_EXAMPLES=2000 for a longer dose.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient

from tests.dashboard.conftest import BASE, HOSTS
from xrm_control.dashboard.access import CLIENT_HEADER, Access
from xrm_control.dashboard.server import create_app

EXAMPLES = int(os.environ.get("XRM_EXAMPLES", "8"))
OPERATOR, VIEWER = "operator-" + "o" * 20, "viewer-" + "v" * 20
DOCUMENT: dict[str, Any] = create_app(Path("nowhere"), Path("nowhere"), Access(HOSTS)).openapi()
# A stream has no end; its answers are in test_streaming.py and test_hostile.py.
OPERATIONS = [
    (path, method) for path, methods in DOCUMENT["paths"].items() for method in methods if not path.endswith("/stream")
]
WORDS = [
    "roi-01", "proj_0003", "particles", "xy", "short.yaml", "report.html", "0", "1", "-1", "9" * 40, "NaN", "1e9",
    "../..", "..%2f..%2fetc%2fpasswd", "%2e%2e%2f", "%252e%252e%252f", "/etc/passwd", "\0", "roi-01\0.png",
    "roi-01\n", "roi-01/../journal.sqlite", "journal.sqlite", "x" * 300, "%", "%zz", "<script>alert(1)</script>",
]  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def fitting(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema of the document allows."""
    if "$ref" in schema:
        return fitting(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return st.one_of([fitting(one) for one in schema[several]])
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    match schema.get("type"):
        case "string" if "pattern" in schema:
            return st.from_regex(schema["pattern"], fullmatch=True)
        case "string":
            return st.text(min_size=schema.get("minLength", 0), max_size=min(40, schema.get("maxLength", 40)))
        case "integer":
            return st.integers(schema.get("minimum"), schema.get("maximum"))
        case "number":
            above = schema.get("exclusiveMinimum")
            return st.floats(above, allow_nan=False, allow_infinity=False, exclude_min=above is not None)
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case "object":
            named = {name: fitting(one) for name, one in schema.get("properties", {}).items()}
            needed = {name: named.pop(name) for name in schema.get("required", ())}
            if not named and not needed:
                return st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8), max_size=3)
            return st.fixed_dictionaries(needed, optional=named)
        case _:
            return ANYTHING


@pytest.fixture(scope="module")
def clients(ended: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, TestClient]]:
    """Of an operator, a viewer, somebody without a token, and an operator's browser on another site's page."""
    place = tmp_path_factory.mktemp("document")
    app = create_app(ended.parent, place, Access(HOSTS, OPERATOR, VIEWER), place / "queue")
    told = {
        "operator": {"authorization": f"Bearer {OPERATOR}"},
        "viewer": {"authorization": f"Bearer {VIEWER}"},
        "nobody": {},
        "page": {"authorization": f"Bearer {OPERATOR}", "origin": "http://evil.example"},
        "form": {"authorization": f"Bearer {OPERATOR}", CLIENT_HEADER: ""},
    }
    with TestClient(app, BASE) as client:
        yield {
            name: TestClient(
                app,
                BASE,
                headers={CLIENT_HEADER: "a-tab", **headers},
                follow_redirects=False,
                raise_server_exceptions=False,
            )
            for name, headers in told.items()
        }
        client.close()


def tree(root: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.stat().st_mtime_ns) for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=[f"{method} {path}" for path, method in OPERATIONS])
def test_answers_are_those_of_the_document(clients: dict[str, TestClient], ended: Path, path: str, method: str) -> None:
    about = DOCUMENT["paths"][path][method]
    words = st.sampled_from([ended.name, *WORDS]) | st.text(max_size=12)
    before = tree(ended)

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES < 100, database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )  # fmt: skip
    @given(st.data())
    def ask(data: st.DataObject) -> None:
        address, query = path, dict[str, str]()
        for one in about.get("parameters", ()):
            name, schema = one["name"], one["schema"]
            if one["in"] == "path":
                sure = st.just(ended.name) if name == "run" else fitting(schema).map(str)
                value = str(data.draw(st.one_of(sure, sure, words), name))
                address = address.replace(
                    f"{{{name}}}", data.draw(st.sampled_from([quote(value, safe=""), quote(value)]))
                )
            elif one["in"] == "query" and data.draw(st.booleans()):
                value = data.draw(fitting(schema).map(str) | words, name)
                query[name] = value
        body = None
        if "requestBody" in about:
            schema = about["requestBody"]["content"]["application/json"]["schema"]
            body = data.draw(st.one_of(fitting(schema), fitting(schema), ANYTHING), "body")
        assume({".", ".."}.isdisjoint(address.split("/")))  # a client takes these out; see test_hostile.py
        for who, client in clients.items():
            try:
                if "requestBody" in about:
                    answer = client.request(method, address, params=query, json=body)
                else:
                    answer = client.request(method, address, params=query)
            except (ValueError, UnicodeError):
                return  # what no client can send
            check(answer, about, acts=method == "post", who=who)

    ask()
    assert tree(ended) == before


def check(answer: Any, about: dict[str, Any], *, acts: bool, who: str) -> None:
    status = answer.status_code
    if who in ("nobody", "page") or (acts and who in ("viewer", "form")):
        assert status in (401, 403), (who, status, answer.text)
    told = about["responses"].get(str(status))
    assert told is not None, (who, status, answer.text[:300])
    content = told.get("content", {})
    kind = answer.headers["content-type"].partition(";")[0]
    if kind == "application/json" and kind in content:
        schema = {**content[kind].get("schema", {}), "components": DOCUMENT["components"]}
        problems = [error.message for error in Draft202012Validator(schema).iter_errors(answer.json())]
        assert problems == [], (who, status, answer.text[:300])
    else:
        assert status == 200, (who, status, answer.text[:300])
