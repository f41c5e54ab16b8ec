"""The docs lead somewhere, and build without a warning."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "recipes").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert [link for link in links if link and not (page.parent / link).exists()] == []


DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
ROOM = re.compile(r"^  (\w+)/ ", re.MULTILINE)


def modules() -> set[str]:
    """Rooms and modules as the design names them: `session`, `session/runner`, `core/events`."""
    package = ROOT / "xrm_control"
    files = {path.relative_to(package).with_suffix("").as_posix() for path in package.rglob("*.py")}
    return files | {name.removesuffix("/__init__") for name in files if name.endswith("/__init__")}


def test_the_design_names_every_room_once() -> None:
    rooms = {name for name in modules() if "/" not in name and f"{name}/__init__" in modules()}
    assert sorted(name for name in ROOM.findall(DESIGN) if name != "ioc") == sorted(rooms)


def test_the_ways_through_the_house_lead_through_modules_that_there_are() -> None:
    named = set(re.findall(r"`([a-z_0-9]+(?:/[a-z_0-9]+)+)(?:\.py)?`", DESIGN))
    assert len(named) >= 25
    assert sorted(name for name in named - modules() if not (ROOT / f"{name}.py").is_file()) == []


def test_they_build_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("sphinx")
    pytest.importorskip("myst_parser")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-b",
        "html",
        ROOT / "docs",
        tmp_path / "html",
    ]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
