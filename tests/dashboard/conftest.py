"""A run that has ended, and the server beside it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.testclient import TestClient

from tests.system.conftest import write_recipe
from tests.system.test_failing_disk import SHORTEST
from xrm_control import app
from xrm_control.dashboard.access import CLIENT_HEADER, Access, hosts_of
from xrm_control.dashboard.server import create_app

BASE = "http://127.0.0.1:8010"
HOSTS = hosts_of(("127.0.0.1", "localhost"), 8010)


@pytest.fixture(scope="session")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of one region, complete."""
    place = tmp_path_factory.mktemp("window")
    loaded = app.load(write_recipe(place, **SHORTEST))
    return app.run(loaded, place / "runs", None).folder


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Any]:
    """Starts the server over a folder of runs: ``served(root, access)``."""
    clients: list[TestClient] = []

    def start(root: Path, access: Access | None = None, recipes: Path | None = None) -> TestClient:
        about = access or Access(HOSTS)
        client = TestClient(
            create_app(root, recipes or tmp_path, about), BASE, headers={CLIENT_HEADER: "a-tab"}, follow_redirects=False
        )
        clients.append(client.__enter__())
        return client

    yield start
    for client in clients:
        client.__exit__(None, None, None)


@contextmanager
def listening(root: Path, recipes: Path, access: Access | None = None, queue: Path | None = None) -> Iterator[str]:
    """The server on a port of its own; its address."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
        about = access or Access(hosts_of(("127.0.0.1",), port))
        config = uvicorn.Config(create_app(root, recipes, about, queue), log_level="error", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [place]})
        thread.start()
        while not server.started and thread.is_alive():
            threading.Event().wait(0.01)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join()
