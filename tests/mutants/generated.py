"""Faults made by rule: an operator turned round, a number changed, a statement left out; drawn at random by room."""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.mutants.mutant import Mutant

_COMPARISONS = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.In: ("in", "not in"), ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is"),
}  # fmt: skip
_ARITHMETIC = {ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*")}
# What only says something is not a fault that measures anything wrong: words are tested where they matter.
Span = Callable[[ast.expr | ast.stmt], tuple[int, int]]
_WORDS = ("description", "title", "help", "remedy", "where", "what", "limit", "value")


def draw(root: Path, rooms: dict[str, int], seed: int) -> list[Mutant]:
    """So many mutants of each room; the same for the same seed and tree."""
    found = []
    for room, count in sorted(rooms.items()):
        files = sorted((root / "xrm_control" / room).rglob("*.py")) or [root / "xrm_control" / f"{room}.py"]
        every = [mutant for file in files if file.is_file() for mutant in mutants_of(file, root)]
        found += random.Random(f"{seed} {room}").sample(every, min(count, len(every)))
    return found


def mutants_of(file: Path, root: Path) -> list[Mutant]:
    """Every fault of these kinds that a file can have."""
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))

    def offset(line: int, column: int) -> int:
        return starts[line - 1] + len(lines[line - 1].encode()[:column].decode())

    def span(node: ast.expr | ast.stmt) -> tuple[int, int]:
        return offset(node.lineno, node.col_offset), offset(node.end_lineno or 0, node.end_col_offset or 0)

    path = str(file.relative_to(root))
    found = []
    for node in _walk(ast.parse(text)):
        for start, old, new in _changes(node, text, span):
            found.append(Mutant(path, old, new, f"{_short(old)} -> {_short(new)}", start))
    return found


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """All that is carried out: no annotations, no words, no imports."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr | ast.Assert):
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.keyword) and child.arg in _WORDS:
                continue
            if isinstance(child, ast.AST):
                yield from _walk(child)


def _changes(node: ast.AST, text: str, span: Span) -> Iterator[tuple[int, str, str]]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        yield from _operator(text, span(node.left)[1], span(node.comparators[0])[0], _COMPARISONS[type(node.ops[0])])
    elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        yield from _operator(text, span(node.left)[1], span(node.right)[0], _ARITHMETIC[type(node.op)])
    elif isinstance(node, ast.BoolOp):
        pair = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        yield from _operator(text, span(node.values[0])[1], span(node.values[1])[0], pair)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        start, end = span(node)
        yield start, text[start:end], text[span(node.operand)[0] : span(node.operand)[1]]
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float, bool):
        start, end = span(node)
        yield start, text[start:end], _another(node.value)
    elif isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await)):
        start, end = span(node)
        yield start, text[start:end], "pass"


def _another(value: object) -> str:
    if isinstance(value, bool):
        return str(not value)
    return repr(value + 1) if isinstance(value, int) else repr(1.5 * float(str(value)) or 0.1)


def _operator(text: str, start: int, end: int, pair: tuple[str, str]) -> Iterator[tuple[int, str, str]]:
    old, new = pair
    at = text.find(old, start, end)
    # Brackets and comments in between: leave it.
    if at >= 0 and text[start:end].strip() == old:
        yield at, old, new


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:57]}..."
