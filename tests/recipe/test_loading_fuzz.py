"""Whatever is thrown at the loader, it loads or is refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.recipe.models import Recipe
from xrm_control.core.errors import RecipeError
from xrm_control.recipe.loading import Source, load_document
from xrm_control.recipe.yaml_source import parse_yaml


def loads(text: str | Path, overrides: dict[str, str] | None = None) -> bool:
    """Whether it loads; anything but success or RecipeError passes through and fails the test."""
    try:
        load_document(text, Recipe, overrides)
    except RecipeError:
        return False
    return True


FEW = settings(max_examples=60, deadline=None)
YAML_BITS = [
    *("name", "scan", "roi", "points", "kind", "seed", "exposure_s", "manual", "grid", ":", "-", "[", "]", "{", "}"),
    *(",", "&", "*", "a", "<<", "!", "!!int", "|", ">", "?", "#", "'", '"', "\\", "---", "...", "%YAML", " 1.2", "0x"),
    *("010", "1:30", "yes", "~", "null", ".inf", "1e999", "-.nan", '"\\UFFFFFFFF"', '"\\ud800"', "9" * 30, "9" * 5000),
    *("\t", "\n", "\r\n", "\n\n", "\x85", "\u2028", "µ", "1s", "true", "*a", "&a ", " ", "\n  ", ": ", "- ", "\n"),
]


@FEW
@given(st.text(max_size=300))
def test_any_text_is_loaded_or_refused(text: str) -> None:
    loads(text)
    loads("name: n\n" + text)


@FEW
@given(st.lists(st.sampled_from(YAML_BITS), max_size=60).map("".join))
def test_any_yaml_like_text_is_loaded_or_refused(text: str) -> None:
    for prefix in ("", "name: n\n", "name: n\nscan:\n  ", "name: n\nroi: "):
        loads(prefix + text)


@FEW
@given(st.binary(max_size=200))
def test_any_file_is_loaded_or_refused(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(raw)
    loads(path)


KEYS = st.text(max_size=12) | st.sampled_from(["scan.fast", "roi.rows", "tags[0]", "scan.rows[0]", "notes.a"])


@FEW
@given(st.dictionaries(KEYS, st.text(max_size=30)))
def test_any_override_is_taken_or_refused(overrides: dict[str, str]) -> None:
    loads("name: n\nscan: {fast: true}\ntags: [a]\n", overrides)


NUMBERS = st.integers(-(10**15), 10**15) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.booleans() | NUMBERS | st.text(max_size=9)
WORDS = st.text("abcxyz_-", min_size=1, max_size=5)
VALUES = st.recursive(
    st.none() | SCALARS | st.sampled_from(["1e3", "yes", "1:30", "0x1", "~", "2025-01-02", "a: b", "#", "- a"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@FEW
@given(VALUES)
def test_the_effective_text_says_the_same(value: Any) -> None:
    """What a recipe with overrides is written down as reads back as the same data, type by type."""
    written = Source("x.yaml", "", {"name": "m", "value": value}, {"name": "m"}).effective_text
    again = parse_yaml(written)
    assert again.problems == []
    assert repr(again.data) == repr({"name": "m", "value": value})


@settings(max_examples=30, deadline=None)
@given(VALUES)
def test_any_data_in_any_place_is_explained(value: Any) -> None:
    for key in ("scan", "roi", "tags", "seed", "notes"):
        loads(Source("x.yaml", "", {"name": "n", key: value}, {"name": "n"}).effective_text)
