"""Files made to hurt, and files that are no recipes: refused in one sentence, at once, in little memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from xrm_control.core.errors import RecipeError
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.issues import explain
from xrm_control.recipe.loading import load_document, load_text
from xrm_control.recipe.yaml_source import MAX_BYTES, MAX_NODES

ROOT = Path(__file__).parents[2]
HEAD = "name: a\nroi: {kind: grid}\ninstrument: {backend: simulated}\n"
MEGABYTES = b"x" * 10_000_000

FILES: list[tuple[str, bytes, str]] = [
    ("png", b"\x89PNG\r\n\x1a\n" + bytes(1000), "is a PNG picture, not a recipe"),
    ("jpeg", b"\xff\xd8\xff\xe0" + bytes(100), "is a JPEG picture"),
    ("tiff", b"II*\0" + bytes(100), "is a TIFF file"),
    ("hdf5", b"\x89HDF\r\n\x1a\n" + bytes(100), "is an HDF5 file"),
    ("txrm", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an OLE file"),
    ("xlsx", b"PK\x03\x04" + bytes(100), "is a ZIP archive"),
    ("gzip", b"\x1f\x8b\x08" + bytes(100), "is a gzip archive"),
    ("sqlite", b"SQLite format 3\0", "is an SQLite data base"),
    ("numpy", b"\x93NUMPY\x01\0", "is a NumPy array"),
    ("utf-16", "name: a\n".encode("utf-16"), "text in UTF-16.*save it as UTF-8"),
    ("zeros", bytes(10_000_000), "is a binary file"),
    ("zeros late", b"name: a\n\0", "is a binary file"),
    ("latin", b"name: \xb5\n", "is not UTF-8 text"),
    ("10 MB", MEGABYTES, "too large for a recipe"),
    ("10 MB of comments", b"# x\n" * 2_500_000, "too large"),
]


@pytest.mark.parametrize(("name", "content", "said"), FILES, ids=[name for name, _, _ in FILES])
def test_what_is_no_recipe_is_told_by_what_it_is(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=said) as caught:
        load_document(path, Recipe)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 400


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    cases = {pipe: "is a pipe", Path("/dev/zero"): "is a device", Path("/dev/null"): "is a device"}
    cases |= {
        tmp_path: "is a folder",
        tmp_path / "a\0b.yaml": "cannot be read",
        tmp_path / ("x" * 300): "cannot be read",
    }
    cases |= {tmp_path / "no" / "x.yaml": "no such folder", tmp_path / "x.yaml": "no such recipe file"}
    for path, said in cases.items():
        with pytest.raises(RecipeError, match=said):
            load_document(path, Recipe)


def keys(count: int, line: str = "key{}: {}\n") -> str:
    return "".join(line.format(number, number) for number in range(count))


MANY = 20_000
TEXTS: list[tuple[str, str, str]] = [
    ("unknown keys", HEAD + keys(MANY), f"more than {MAX_NODES} values"),
    ("fewer unknown keys", HEAD + keys(MAX_NODES - 10), r"and \d+ more errors"),
    ("unknown keys in a group", HEAD + "scan:\n" + keys(2500, "  exposure{}: {}\n"), r"and \d+ more errors"),
    ("the same key", HEAD + "name: a\n" * 2000, "is given twice"),
    ("booleans", HEAD + "scan: {rows: [" + "true, " * 2000 + "]}", "scan.rows: unknown key"),
    ("wrong positions", HEAD.replace("{kind: grid}", "{kind: manual, positions: [" + "{x: 1}, " * 600 + "]}"), "x_um"),
    ("metrics", HEAD + "analysis: {metrics: [" + "{kind: radii}, " * 900 + "]}", "both give the column"),
    ("faults", HEAD.replace("simulated}", "simulated, faults: [" + "{kind: stall}, " * 900 + "]}"), "fault"),
    ("a huge number", HEAD + "scan: {exposure_s: " + "9" * 100_000 + "}", "too large"),
    ("a huge exponent", HEAD + "scan: {exposure_s: 1e" + "9" * 1000 + "}", "too large"),
    ("a huge text", HEAD + "sample: {name: " + "x" * 100_000 + "}", "at most 80 characters, got 100000"),
    ("a huge key", HEAD + "? " + "x" * 100_000 + "\n: 1\n", "unknown key"),
    ("a huge formula", HEAD + "sample: {formula: '" + "(" * 50_000 + "'}", "at most 200 characters"),
    ("deep lists", HEAD + "scan: " + "[" * 50_000, "nested deeper"),
    ("deep groups", HEAD + "scan: " + "{a: " * 25_000, "nested deeper"),
    ("an alias bomb", "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
        f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    ), "aliases"),
    ("wide aliases", "a: &a [" + "1," * 1000 + "]\nb: [" + "*a," * 90 + "]", f"more than {MAX_NODES} values"),
    ("too many projections", HEAD + "scan: {projections: 999999999}", "at most 20000"),
    ("colons", ":" * 100_000, "':' where none can stand"),
    ("escapes", HEAD + 'sample: {name: "' + "\\x41" * 25_000 + '"}', "at most 80 characters, got 25000"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "said"), TEXTS, ids=[name for name, _, _ in TEXTS])
def test_a_hostile_text_is_refused(name: str, text: str, said: str) -> None:
    assert len(text) < MAX_BYTES or name == "unknown keys"
    with pytest.raises(RecipeError, match=f"(?s){said}|too large for a recipe") as caught:
        load_text(text, Recipe)
    assert len(str(caught.value)) < 30_000


def test_only_what_is_told_is_explained() -> None:
    """Errors are put into words for the first lines; of the others it is said how many there are."""
    from pydantic import ValidationError

    data = {f"key{number}": number for number in range(5000)}
    with pytest.raises(ValidationError) as caught:
        Recipe.model_validate(data)
    found = explain(caught.value, Recipe, data, lambda path: len(path), 10)  # type: ignore[arg-type]
    assert len(found.issues) == 10
    assert found.more == 5000 + 3 - 10  # name, instrument and roi are missing, too


def test_many_options_are_refused_and_a_huge_value_is(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="at most 200"):
        load_text(HEAD, Recipe, {f"scan.key{number}": "1" for number in range(5000)})
    with pytest.raises(RecipeError, match="too long"):
        load_text(HEAD, Recipe, {"name": "x" * (MAX_BYTES + 1)})


@pytest.mark.parametrize("content", [MEGABYTES, (HEAD + keys(2900)).encode(), bytes(10_000_000)], ids=len)
def test_a_check_takes_little_memory(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-m", "xrm_control.cli", "check", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    # Of the largest child so far; others in this process may have been larger.
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1e9
