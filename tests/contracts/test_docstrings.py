"""What a public function may raise stands in its docstring."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2] / "xrm_control"
# A command's docstring is its help: what goes wrong there is an exit code.
ROOMS = sorted(path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0] != "cli")
NAMED = re.compile(r"\b[Rr]aise|[A-Z]\w*(Error|Refusal)\b|\bSee `|\b[Aa]s `|\b[Rr]efuse")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def raising(body: list[ast.stmt], caught: tuple[str, ...] = ()) -> Iterator[ast.Raise]:
    """Statements that raise and are not caught by the function itself; functions within it are not looked into."""
    for node in body:
        if isinstance(node, ast.Raise) and node.exc is not None and not ast.unparse(node.exc).startswith(caught):
            yield node
        if isinstance(node, Function | ast.ClassDef):
            continue
        types = [one.type for one in getattr(node, "handlers", []) if one.type is not None]
        names = tuple(ast.unparse(one) for type_ in types for one in getattr(type_, "elts", [type_]))
        yield from raising(getattr(node, "body", []), (*caught, *names))
        for block in [getattr(node, "orelse", []), getattr(node, "finalbody", [])]:
            yield from raising(block, caught)
        for part in [*getattr(node, "handlers", []), *getattr(node, "cases", [])]:
            yield from raising(part.body, caught)


def public(node: ast.Module | ast.ClassDef) -> Iterator[tuple[Function, bool]]:
    """Public functions and methods of public classes, and whether they may have a docstring from a base class."""
    for inner in node.body:
        if isinstance(inner, ast.ClassDef) and not inner.name.startswith("_"):
            yield from ((function, bool(inner.bases)) for function, _ in public(inner))
        elif isinstance(inner, Function) and not inner.name.startswith("_"):
            yield inner, False


def silent(path: Path) -> list[str]:
    """Functions that raise and whose docstring names no error."""
    found: list[str] = []
    for function, inherits in public(ast.parse(path.read_text(encoding="utf-8"))):
        told = ast.get_docstring(function)
        validates = any("validator" in ast.unparse(one) for one in function.decorator_list)
        if validates or (told is None and inherits) or NAMED.search(told or ""):
            continue
        if any(raising(function.body)):
            found.append(function.name)
    return found


def test_errors_stand_in_the_docstrings() -> None:
    assert {str(path.relative_to(ROOT)): names for path in ROOMS if (names := silent(path))} == {}


ONE = '''
def silent(x):
    """Looks harmless."""
    if x:
        raise ValueError(x)


def in_case(x):
    """It does, too."""
    match x:
        case 1:
            raise KeyError(x)


def told():
    """Raises ValueError."""
    raise ValueError


def caught():
    """All goes well."""
    try:
        raise DataError("x")
    except (OSError, DataError):
        pass


def handed_on():
    """No."""
    try:
        pass
    except OSError:
        raise StorageError() from None


class Base:
    def bare(self):
        raise KeyError("x")


class Member(Base):
    def inherits(self):
        raise KeyError("x")
'''


def test_one_that_is_silent_would_be_seen(tmp_path: Path) -> None:
    path = tmp_path / "one.py"
    path.write_text(ONE)
    assert silent(path) == ["silent", "in_case", "handed_on", "bare"]
