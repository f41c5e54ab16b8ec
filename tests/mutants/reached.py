"""Which tests enter which functions: recorded once, so that each fault is met by the tests that can find it."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.mutants.mutant import Mutant

# Built files stand outside of git; a recording is a folder of names.txt (one function a line) and rows.tsv.
RECORDINGS = Path("build", "mutants")
_Function = ast.FunctionDef | ast.AsyncFunctionDef
# What an interpreter carries out that sees nothing but itself (-I) tells nothing.
_PROBED = """
try:
    from xrm_reached import reach as _reach, seen as _seen
except ImportError:
    _reach, _seen = (lambda number: None), ()
"""


@dataclass
class Reached:
    """tests: of a function, each test that enters it and in which phases. seconds: of each test, with its fixtures."""

    tests: dict[str, dict[str, set[str]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(set)))
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def files(self) -> set[str]:
        """Files of tests that were recorded."""
        return {_file(test) for test in self.seconds}

    def of(self, mutant: Mutant, root: Path, most_s: float) -> list[str]:
        """Tests that enter the function of a fault, file by file, up to so many seconds of them: those named like the
        module, those of its room, all others, each time the shortest first.

        What a fixture enters may be looked at by any test of its file. A fault outside of functions is met by what
        enters any function of the module.
        """
        name = enclosing(mutant, root)
        names = [name] if name in self.tests else [one for one in self.tests if one.startswith(f"{mutant.path}::")]
        chosen: dict[str, set[str]] = defaultdict(set)
        for one in names:
            for test, phases in self.tests[one].items():
                file = _file(test)
                chosen[file] |= {test} if "setup" not in phases else {t for t in self.seconds if _file(t) == file}
        named, own = Path(mutant.path).stem, f"tests/{mutant.room}/"
        cost = {file: sum(self.seconds[test] for test in tests) for file, tests in chosen.items()}
        ordered, spent = [], 0.0
        nearness = {file: (named not in Path(file).stem, not file.startswith(own)) for file in chosen}
        for file in sorted(chosen, key=lambda file: (nearness[file], cost[file])):
            for test in sorted(chosen[file], key=lambda test: self.seconds[test]):
                spent += self.seconds[test]
                if ordered and spent > most_s:
                    return ordered
                ordered.append(test)
        return ordered


def _file(test: str) -> str:
    return test.partition("::")[0]


def enclosing(mutant: Mutant, root: Path) -> str:
    """The innermost function a fault lies in, as path::qualified.name; path:: outside of any."""
    text = (root / mutant.path).read_text(encoding="utf-8")
    line = text[: mutant.offset(root)].count("\n") + 1
    inner = [
        (node.lineno, name)
        for node, name in functions(ast.parse(text))
        if node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    return f"{mutant.path}::{max(inner)[1] if inner else ''}"


def functions(node: ast.AST, above: str = "") -> Iterator[tuple[_Function, str]]:
    """Every function below, with its qualified name."""
    for child in ast.iter_child_nodes(node):
        name = above
        if isinstance(child, _Function | ast.ClassDef):
            name = f"{above}.{child.name}".lstrip(".")
            if isinstance(child, _Function):
                yield child, name
        yield from functions(child, name)


def instrument(copy: Path) -> list[str]:
    """Every function of the package in a copy of the tree says when it is entered; their names by number."""
    names: list[str] = []
    for file in sorted((copy / "xrm_control").rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        before = len(names)
        for node, name in functions(tree):
            if _is_compiled(node):
                continue
            call = ast.parse(f"{len(names)} in _seen or _reach({len(names)})").body
            at = int(ast.get_docstring(node) is not None)
            node.body[at:at] = call
            names.append(f"{file.relative_to(copy)}::{name}")
        if len(names) > before:
            after = [isinstance(one, ast.ImportFrom) and one.module == "__future__" for one in tree.body]
            at = after.index(True) + 1 if True in after else int(ast.get_docstring(tree) is not None)
            tree.body[at:at] = ast.parse(_PROBED).body
            file.write_text(ast.unparse(ast.fix_missing_locations(tree)), encoding="utf-8")
    shutil.copy2(Path(__file__).with_name("probe.py"), copy / "xrm_reached.py")
    return names


def _is_compiled(node: _Function) -> bool:
    """Whether numba makes machine code of it, which cannot say that it is entered; its module's other functions can."""
    return any("numba" in ast.unparse(one) or "njit" in ast.unparse(one) for one in node.decorator_list)


def record(copy: Path, kept: Path, tests: list[str], jobs: int) -> int:
    """Run the tests in a copy of the tree, which is instrumented by that; what they enter is added to what is kept."""
    folder = kept / str(1 + max((int(one.name) for one in kept.glob("[0-9]*")), default=0))
    folder.mkdir(parents=True)
    (folder / "names.txt").write_text("\n".join(instrument(copy)), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(copy), "XRM_REACHED": str((folder / "rows.tsv").resolve())}
    how = ["-p", "xrm_reached", "-p", "no:cacheprovider", "--tb=no", "-n", str(jobs), "--dist", "loadfile"]
    command = [sys.executable, "-m", "pytest", *how, *tests]
    return subprocess.run(command, cwd=copy, env=environment, check=False).returncode


def load(kept: Path) -> Reached:
    """All recordings, the newer instead of the older where both know a file of tests; failing tests are left out."""
    rows: dict[str, list[tuple[str, str, float, list[str]]]] = {}
    for folder in sorted(kept.glob("[0-9]*"), key=lambda one: int(one.name)):
        names = (folder / "names.txt").read_text(encoding="utf-8").splitlines()
        file = folder / "rows.tsv"
        found = defaultdict(list)
        for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
            test, phase, seconds, numbers = line.split("\t")
            found[_file(test)].append((test, phase, float(seconds), [names[int(n)] for n in numbers.split(",") if n]))
        rows |= found
    reached = Reached()
    every = [row for of_file in rows.values() for row in of_file]
    failed = {test for test, phase, _, _ in every if phase == "failed"}
    for test, phase, seconds, entered in every:
        if test not in failed:
            reached.seconds[test] += seconds
            for name in entered:
                reached.tests[name][test].add(phase)
    return reached
