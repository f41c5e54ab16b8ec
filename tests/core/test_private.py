"""A name that begins with an underscore belongs to its module: no other takes it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = ("xrm_control", "simulators")


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def taken(path: Path) -> Iterator[str]:
    """Private names of our other modules that a module imports, or reaches through an import."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in OURS:
            imported |= {one.asname or one.name for one in node.names}
            yield from (f"{node.module}.{one.name}" for one in node.names if is_private(one.name))
    for node in ast.walk(tree):
        owner = node.value if isinstance(node, ast.Attribute) and is_private(node.attr) else None
        if isinstance(owner, ast.Name) and owner.id in imported:
            yield ast.unparse(node)


def test_no_module_takes_what_is_another_s_own() -> None:
    paths = [path for room in OURS for path in sorted((ROOT / room).rglob("*.py"))]
    assert {str(path.relative_to(ROOT)): found for path in paths if (found := list(taken(path)))} == {}


def test_one_that_did_would_be_seen(tmp_path: Path) -> None:
    path = tmp_path / "one.py"
    path.write_text(
        "from xrm_control.core import clock\nfrom xrm_control.core.errors import _told, XrmError\n"
        "clock._beat()\nself._own()\nXrmError.__doc__\n"
    )
    assert list(taken(path)) == ["xrm_control.core.errors._told", "clock._beat"]
