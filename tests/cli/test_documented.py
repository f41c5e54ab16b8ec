"""Commands that the docs tell people to type are those that there are, with their options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from xrm_control.cli.main import cli

ROOT = Path(__file__).parents[2]
KINDS = ("docs/**/*.md", "recipes/**/*.md", "recipes/**/*.yaml")
PAGES = [ROOT / "README.md", *sorted(page for kind in KINDS for page in ROOT.glob(kind))]
PROGRAM: Any = typer.main.get_command(cli)
TOLD = re.compile(r"(?:^|[`(\s])(?:\.venv/bin/)?(xrm [a-z][^`#\n]*)", re.MULTILINE)


def told(text: str) -> Iterator[str]:
    """`xrm ...` in blocks of code and between backticks, and in the comments of recipes."""
    blocks = re.findall(r"```.*?```", text, re.DOTALL)
    rest = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    for block in blocks:
        yield from (match.group(1) for match in TOLD.finditer(block))
    yield from (match.group(1) for match in re.finditer(r"`(?:\.venv/bin/)?(xrm [a-z][^`]*)`", rest))
    yield from (match.group(1) for match in re.finditer(r"^# +(xrm [a-z].*?)(?:   |$)", rest, re.MULTILINE))


def wrong_with(line: str) -> str:
    """What the command line does not know of it; nothing where it knows all."""
    command = PROGRAM
    words = re.split(r" (?:[|;>]|&&|&)(?: |$)", " ".join(line.split()))[0].split()[1:]
    while words and (inner := getattr(command, "commands", None)) is not None:
        name, *words = words
        # Several in a breath: `xrm pause|skip|add RUN`.
        if missing := [one for one in name.split("|") if one not in inner]:
            return f"no command {', '.join(missing)}"
        command = inner[name.partition("|")[0]]
    known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)} | {"--help"}
    given = [word.strip("[],;.").partition("=")[0] for word in words if word.startswith(("--", "[--"))]
    return ", ".join(f"no option {word}" for word in given if word not in known)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.suffix in (".md", ".yaml")], ids=lambda page: page.name
)
def test_every_command_is_one_that_there_is(page: Path) -> None:
    lines = dict.fromkeys(told(page.read_text(encoding="utf-8")))
    assert {line: wrong for line in lines if (wrong := wrong_with(line))} == {}


def test_they_are_found_and_one_that_is_not_there_would_be_seen() -> None:
    assert sum(len(set(told(page.read_text(encoding="utf-8")))) for page in PAGES) > 100
    assert wrong_with("xrm frobnicate RUN") == "no command frobnicate"
    assert wrong_with("xrm queue add RECIPE --at 0,1 --frob 3") == "no option --frob"
    assert wrong_with("xrm run RECIPE --set key=value --speed virtual") == ""
