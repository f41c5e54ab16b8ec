"""A disk that is full while somebody acts: told as such, and no hindrance to an abort."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dashboard.browser.town import Town
from xrm_control.core.states import RunState


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 48 MB; without the right to mount one these tests are skipped."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("nobody may mount a file system here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(path: Path) -> None:
    """Raises OSError once nothing more goes onto the disk."""
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_on_a_full_disk_a_command_says_so_and_an_abort_ends_the_run(small_disk: Path, served: Any) -> None:
    town = Town(small_disk)
    for folder in (town.runs, small_disk / "recipes"):
        folder.mkdir()
    lost = {"faults": [{"kind": "beam_loss", "at_s": 60}]}
    process = town.begin(town.recipe("held", instrument=lost), "20", RunState.HELD)
    try:
        assert process.poll() is None
        name = town.run("held").name
        with pytest.raises(OSError, match="No space"):
            fill(small_disk / "fill")
        client = served(town.runs)

        def sent(kind: str, number: int) -> Any:
            body = {"command": {"kind": kind}, "request": f"request-{number:04d}"}
            return client.post(f"/api/runs/{name}/commands", json=body)

        refused = sent("pause", 1)
        assert (refused.status_code, refused.json()["what"]) == (409, "cannot be written: the disk is full")
        assert "free space" in refused.json()["remedy"]
        ended = sent("abort", 2)
        assert (ended.status_code, "signal" in ended.json()["text"]) == (200, True)
        process.wait(120)
        assert client.get(f"/api/runs/{name}").json()["alive"] is False
    finally:
        process.kill()
        process.wait()
