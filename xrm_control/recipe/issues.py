"""From pydantic's errors to sentences for an operator: which key, what is wrong, what to write instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from xrm_control.core.errors import XrmError
from xrm_control.core.numbers import is_number
from xrm_control.recipe.schema_view import SchemaView
from xrm_control.recipe.units import convert, number, read_quantity, unit_of_key
from xrm_control.recipe.yaml_source import Data, KeyPath

_EXPECTS = {
    "float": "a number",
    "int": "a whole number",
    "decimal": "a number",
    "string": "text",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "frozen_set": "a list",
    "dict": "a group of keys",
    "mapping": "a group of keys",
    "model": "a group of keys",
    "model_attributes": "a group of keys",
    "none": "nothing",
    "path": "a file path as text",
    "date": "a date (2025-12-31)",
    "datetime": "a time (2025-12-31T23:59:00Z)",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}
_MOST_KEYS = 30
_LONGEST_NUMBER = 400


@dataclass(frozen=True)
class ConfigIssue:
    """One error: at which path, in which words; `expects` when it is only about the type or choice of the value."""

    path: KeyPath
    what: str
    expects: str | None = None
    branch: bool = False
    spurious: bool = False


@dataclass(frozen=True)
class Explained:
    """(path, sentence) of the errors that come first, and at how many more places there are some."""

    issues: list[tuple[KeyPath, str]]
    more: int


def explain(
    error: ValidationError, model: type[BaseModel], data: Data, rank: Callable[[KeyPath], int], most: int
) -> Explained:
    """What is wrong with `data`, at the `most` places that come first by their `rank`; the branches of a union speak
    with one voice.
    """
    view = SchemaView(model)
    items: dict[KeyPath, list[Any]] = {}
    for item in error.errors(include_url=False):
        items.setdefault(_locate(item["loc"], data, missing=item["type"] == "missing")[0], []).append(item)
    first = sorted(items, key=rank)[:most]
    by_path: dict[KeyPath, list[ConfigIssue]] = {}
    for issue in (_config_issue(item, view, data) for path in first for item in items[path]):
        if not issue.spurious:
            by_path.setdefault(issue.path, []).append(issue)
    found: list[tuple[KeyPath, str]] = []
    for path, group in by_path.items():
        deeper = any(len(other) > len(path) and other[: len(path)] == path for other in by_path)
        if deeper and all(complaint.branch for complaint in group):
            continue
        found += [(path, sentence) for sentence in merge_issues(group, view, data)]
    return Explained(found, len(items) - len(first))


def misplaced_booleans(model: type[BaseModel], data: Data, most: int) -> list[tuple[KeyPath, str]]:
    """true and false where only a number is meant; Python would take them for 1 and 0. The first `most` are looked at:
    no recipe has so many.
    """
    booleans = [(path, value) for path, value in _leaves(data) if isinstance(value, bool)][:most]
    if not booleans:
        return []
    view = SchemaView(model)
    return [
        (path, f"expected a number, got {_say(value)}")
        for path, value in booleans
        if view.allows(path, data, "boolean") is False and view.allows(path, data, "number", "integer")
    ]


def misread_texts(model: type[BaseModel], data: Data, most: int) -> list[tuple[KeyPath, str]]:
    """Texts where a number is meant, which Python would take for one and nobody else: '1_0' for 10, digits of other
    scripts. The first `most` are looked at.
    """
    odd = [(path, value) for path, value in _leaves(data) if isinstance(value, str) and _misread(value)][:most]
    if not odd:
        return []
    view = SchemaView(model)
    return [
        (path, f"expected a number, got {_say(value)}; write it with the digits 0 to 9 and a point")
        for path, value in odd
        if view.allows(path, data, "number", "integer")
    ]


def _misread(text: str) -> bool:
    if len(text) > _LONGEST_NUMBER or is_number(text):
        return False
    try:
        float(text)
    except ValueError:
        return False
    return True


def _config_issue(item: Any, view: SchemaView, data: Data) -> ConfigIssue:
    kind: str = item["type"]
    path, value, branch = _locate(item["loc"], data, missing=kind == "missing")
    context: dict[str, Any] = item.get("ctx", {})
    if kind == "extra_forbidden":
        return ConfigIssue(path, _unknown_key(path, value, view, data))
    if kind == "missing":
        length = view.length(path[:-1], data) if path and isinstance(path[-1], int) else 0
        wanted = f": {length} values are wanted" if length else _inside(path, view, data)
        return ConfigIssue(path, f"is missing{wanted}")
    if kind == "union_tag_invalid":
        name = context["discriminator"].strip("'")
        kinds = re.findall(r"'([^']*)'", context["expected_tags"])
        return ConfigIssue(
            (*path, name), f"unknown {name} '{context['tag']}'" + _near(context["tag"], kinds, f"{name}s")
        )
    if kind == "union_tag_not_found":
        name = context["discriminator"].strip("'")
        return ConfigIssue(path, f"needs a '{name}'" + _listed(view.family(path, data)[1], f"{name}s"))
    if kind == "string_pattern_mismatch":
        meaning = view.description(path, data) or f"the pattern {context['pattern']}"
        return ConfigIssue(path, f"must be {meaning}, got {_say(value)}")
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return ConfigIssue(path, f"must be {words} {number(context[name])}{_unit(path)}, got {_say_value(value)}")
    if kind == "multiple_of":
        return ConfigIssue(path, f"must be a multiple of {number(context['multiple_of'])}, got {_say_value(value)}")
    if kind in ("too_short", "too_long"):
        short = kind == "too_short"
        words, bound = ("at least", context["min_length"]) if short else ("at most", context["max_length"])
        count = len(value) if isinstance(value, list | dict) else context["actual_length"]
        # Items that are wrong themselves do not count for pydantic; they are complained about on their own.
        spurious = short and count >= bound
        return ConfigIssue(path, f"must have {words} {bound} item{'s' * (bound != 1)}, got {count}", spurious=spurious)
    if kind in ("string_too_short", "string_too_long"):
        short = kind == "string_too_short"
        words, bound = ("at least", context["min_length"]) if short else ("at most", context["max_length"])
        return ConfigIssue(
            path, f"must have {words} {bound} character{'s' * (bound != 1)}, got {len(str(value))}: {_say(value)}"
        )
    if kind == "finite_number":
        return ConfigIssue(path, f"must be a finite number, got {_say_value(value)}")
    if kind in ("literal_error", "enum"):
        return ConfigIssue(path, "", context["expected"], branch)
    if kind in ("value_error", "assertion_error"):
        error = context.get("error")
        return ConfigIssue(path, error.message() if isinstance(error, XrmError) else str(error or item["msg"]))
    stem = re.sub(r"_(type|parsing|from_float|parsing_size)$", "", kind)
    if stem in _EXPECTS and stem != kind:
        return ConfigIssue(path, "", _EXPECTS[stem], branch)
    text = item["msg"].removeprefix("Input ")
    return ConfigIssue(path, f"{text[:1].lower()}{text[1:]}, got {_say(value)}")


def _locate(loc: Sequence[str | int], data: Data, *, missing: bool) -> tuple[KeyPath, Data, bool]:
    """The key path of an error, the value there, and whether names of union branches were left out of the path."""
    path: KeyPath = ()
    branch = False
    for index, step in enumerate(loc):
        last = index == len(loc) - 1
        inner = _child(data, step)
        if inner is not None:
            path, data, branch = (*path, step), inner[0], False
        elif missing and last:
            path, data = (*path, step), None
        else:
            branch = True
    return path, data, branch


def _child(data: Data, step: str | int) -> tuple[Data] | None:
    """What `data` holds at a step, in a tuple; None when it has no such step."""
    if isinstance(data, dict) and isinstance(step, str) and step in data:
        return (data[step],)
    if isinstance(data, list) and isinstance(step, int) and step < len(data):
        return (data[step],)
    return None


def merge_issues(group: list[ConfigIssue], view: SchemaView, data: Data) -> list[str]:
    firm = list(dict.fromkeys(complaint.what for complaint in group if complaint.expects is None))
    if firm:
        return firm
    path = group[0].path
    expects = " or ".join(dict.fromkeys(str(complaint.expects) for complaint in group))
    value = _get(path, data)
    return [f"expected {expects}, got {_say(value)}{_hint(path, value, expects, view, data)}"]


def _hint(path: KeyPath, value: Data, expects: str, view: SchemaView, data: Data) -> str:
    key = next((step for step in reversed(path) if isinstance(step, str)), "")
    _, unit = unit_of_key(key)
    if isinstance(value, str) and "number" in expects:
        if re.fullmatch(r"\s*\d{1,15}e\+?\d\s*", value, re.IGNORECASE):
            return f"; write {int(float(value))} without quotes"
        quantity = read_quantity(value)
        if quantity:
            amount, given, written = quantity
            converted = convert(amount, given, unit) if given and unit else None
            if unit and given and converted is None:
                return f"; {key} is in {unit.symbol}, which {given.symbol} cannot be turned into"
            return f"; write {converted or written}" + (f" ({key} is in {unit.symbol})" if unit else " without a unit")
        if re.fullmatch(r"\s*[-+]?\d+,\d+\s*", value):
            return f"; write {value.strip().replace(',', '.')} with a point, not a comma"
    if isinstance(value, float) and "whole" in expects:
        return f"; write {round(value)}" if abs(value) < 1e15 else ""
    if isinstance(value, bool | int | float) and expects == "text":
        return f"; write '{_say_value(value)}' in quotes"
    if expects == "a list" and (length := view.length(path, data)) > 1:
        return f"; write {length} values: [..., ...]"
    if expects == "a list" and not isinstance(value, dict):
        return f"; write [{_say_value(value)}]"
    if expects == "a group of keys":
        name, kinds = view.family(path, data)
        if isinstance(value, str) and value in kinds:
            return f"; write {{{name}: {value}}}"
        return _listed(kinds, f"{name}s") if kinds else _listed(view.known_keys(path, data), "known")
    if isinstance(value, str) and value in re.findall(r"\d+", expects):
        return f"; write {value} without quotes"
    if isinstance(value, str) and "'" in expects:
        near = difflib.get_close_matches(value, re.findall(r"'([^']*)'", expects), 1, 0.6)
        return f"; did you mean '{near[0]}'?" if near else ""
    return ""


def _unknown_key(path: KeyPath, value: Data, view: SchemaView, data: Data) -> str:
    key = str(path[-1])
    known = view.known_keys(path[:-1], data)
    if now := view.renamed(path[:-1], data, key):
        return f"unknown key; it is called '{now}' now"
    stem, given = unit_of_key(key)
    for other in known:
        other_stem, wanted = unit_of_key(other)
        if wanted and other_stem == stem and other != key:
            hint = f"unknown key; did you mean '{other}' (in {wanted.symbol})?"
            other_unit = given is not None and given.symbol != wanted.symbol
            if given and other_unit and isinstance(value, int | float) and (converted := convert(value, given, wanted)):
                hint += f" {number(value)} {given.symbol} is {converted} {wanted.symbol}"
            return hint + _listed(known, "known")
    comma = "; a comma in front of it? a number takes a point" if key[:1].isdigit() and value is None else ""
    return f"unknown key{comma}" + _near(key, known, "known")


def _near(word: str, known: list[str], label: str) -> str:
    lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), lower, 1, 0.6)
    return (f"; did you mean '{lower[near[0]]}'?" if near else "") + _listed(known, label)


def _listed(known: list[str], label: str) -> str:
    more = f" and {len(known) - _MOST_KEYS} more" if len(known) > _MOST_KEYS else ""
    return f" ({label}: {', '.join(known[:_MOST_KEYS])}{more})" if known else ""


def _inside(path: KeyPath, view: SchemaView, data: Data) -> str:
    """What a missing key would hold: its kinds, its meaning, or at least its unit."""
    name, kinds = view.family(path, data)
    if kinds:
        return _listed(kinds, f"{name}s")
    meaning = view.description(path, data) or _unit(path, "in ")
    return f" ({meaning})" if meaning else ""


def _unit(path: KeyPath, before: str = " ") -> str:
    _, unit = unit_of_key(str(path[-1])) if path else ("", None)
    return f"{before}{unit.symbol}" if unit else ""


def _say(value: Data) -> str:
    if isinstance(value, str):
        return f"the text '{_cut(value)}'"
    return {"int": "the number ", "float": "the number "}.get(type(value).__name__, "") + _say_value(value)


def _say_value(value: Data) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "a group of keys"
    return _cut(value) if isinstance(value, str) else number(value)


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _get(path: KeyPath, data: Data) -> Data:
    return _locate(path, data, missing=True)[1]


def _leaves(data: Data, path: KeyPath = ()) -> list[tuple[KeyPath, Data]]:
    if isinstance(data, dict):
        return [leaf for key, value in data.items() for leaf in _leaves(value, (*path, key))]
    if isinstance(data, list):
        return [leaf for index, value in enumerate(data) for leaf in _leaves(value, (*path, index))]
    return [(path, data)]
