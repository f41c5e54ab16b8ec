"""Recipes from YAML: bounded, typed, and with every error at once, each with its file, line, key and remedy."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from xrm_control.core.errors import RecipeError
from xrm_control.recipe.problems import dotted, explain, misplaced_booleans
from xrm_control.recipe.yaml_source import (
    MAX_BYTES,
    Data,
    KeyPath,
    Parsed,
    Place,
    Problem,
    SourceSyntaxError,
    parse_yaml,
)

Model = TypeVar("Model", bound=BaseModel)

_MOST_PROBLEMS = 25


@dataclass(frozen=True)
class Source:
    """Where a model came from: the text, the data after overrides, and the line of every key."""

    name: str
    text: str
    data: dict[str, Any]
    overrides: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[KeyPath, Place] = field(default_factory=dict)
    overridden: Mapping[KeyPath, str] = field(default_factory=dict)

    def where(self, path: str | KeyPath) -> str:
        """Where the value at `path` was said: ``recipes/x.yaml:14`` or ``--set scan.binning=4``; for later checks."""
        try:
            steps = _split(path) if isinstance(path, str) else path
        except SourceSyntaxError:
            return self.name
        for length in range(len(steps), 0, -1):
            if (option := self.overridden.get(steps[:length])) is not None:
                return option
            if (place := self.places.get(steps[:length])) is not None:
                return f"{self.name}:{place.line}"
            # A group that is in no file was made by an option that reaches into it.
            if options := [option for path, option in self.overridden.items() if path[:length] == steps[:length]]:
                return options[0]
        return self.name

    @property
    def effective_text(self) -> str:
        """A recipe that gives the same model without overrides: the text itself, or the data written anew."""
        if not self.overrides:
            return self.text
        options = "".join(f"# {option}\n" for option in dict.fromkeys(self.overridden.values()))
        body = yaml.dump(self.data, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=120)
        return f"# {self.name} with\n{options}{body}"

    @property
    def sha256(self) -> str:
        """SHA-256 of `effective_text` as UTF-8."""
        return hashlib.sha256(self.effective_text.encode("utf-8")).hexdigest()


def load_document(
    path_or_text: Path | str,
    model: type[Model],
    overrides: Mapping[str, str] | None = None,
    *,
    name: str = "recipe",
) -> tuple[Model, Source]:
    """Read a YAML file (a Path, or one line ending in .yaml or .yml) or YAML text into `model`.

    `overrides` are those of ``--set key.sub=value``: dotted keys, list places as numbers, values read as YAML.
    Raises RecipeError with one line for every error that was found. `name` stands for the file when text is given.
    """
    name, text = _read(path_or_text, name)
    return load_text(text, model, overrides, name=name)


def load_text(
    text: str, model: type[Model], overrides: Mapping[str, str] | None = None, *, name: str = "recipe"
) -> tuple[Model, Source]:
    """`load_document` of YAML text; `name` stands for its file in messages."""
    try:
        _check_size(name, len(text.encode("utf-8")))
    except UnicodeEncodeError as error:
        raise _refusal([f"{name}: holds half a character (a lone surrogate)"]) from error
    try:
        parsed = parse_yaml(text)
    except SourceSyntaxError as error:
        raise _refusal([_line(name, error.problem)]) from error
    if not isinstance(parsed.data, dict):
        raise _refusal([f"{name}:1: holds no keys at its top level ('name: ...'): this is no recipe"])
    lines: list[tuple[int, str]] = [(_number(problem.place), _line(name, problem)) for problem in parsed.problems]
    overridden, complaints = _override(parsed.data, overrides or {})
    lines += [(1 << 30, complaint) for complaint in complaints]
    places = {**parsed.values, **parsed.keys}
    source = Source(name, text, parsed.data, dict(overrides or {}), places, overridden)
    result = _validate(model, parsed, source, lines)
    if lines or result is None:
        raise _refusal([line for _, line in sorted(lines, key=lambda item: item[0])])
    return result, source


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a model, for editors and for `xrm schema`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}


def _validate(model: type[Model], parsed: Parsed, source: Source, lines: list[tuple[int, str]]) -> Model | None:
    """Validate; every new error is added to `lines` unless its place was complained about already."""
    result, errors = None, misplaced_booleans(model, parsed.data)
    known = {path for path, _ in errors} | {problem.path for problem in parsed.problems}
    try:
        result = model.model_validate(parsed.data)
    except ValidationError as error:
        found = explain(error, model, parsed.data)
        errors += [item for item in found if not any(item[0][: len(path)] == path for path in known)]
    for path, what in errors:
        where = source.where(path)
        option = source.overridden.get(path)
        place = source.places.get(path) or source.places.get(path[:-1]) or Place(1, 1)
        text = f"{where}: {what}" if option else f"{where}: {dotted(path)}: {what}" if path else f"{where}: {what}"
        lines.append(((1 << 30) if where.startswith("--set") else place.line, text))
    return result


def _read(path_or_text: Path | str, name: str) -> tuple[str, str]:
    if isinstance(path_or_text, str) and not re.fullmatch(r"[^\n\0]+\.ya?ml", path_or_text):
        return name, path_or_text
    path = Path(path_or_text)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise _missing_file(path) from error
    except IsADirectoryError as error:
        raise RecipeError("is a folder, not a recipe", where=str(path)) from error
    except (OSError, ValueError) as error:
        raise RecipeError(f"cannot be read: {getattr(error, 'strerror', None) or error}", where=str(path)) from error
    _check_size(str(path), len(raw))
    try:
        return str(path), raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise RecipeError(
            f"is not UTF-8 text (byte {raw[error.start]:#04x})", where=f"{path}:{line}", remedy="save the file as UTF-8"
        ) from error


def _check_size(name: str, size: int) -> None:
    if size > MAX_BYTES:
        raise RecipeError("is too large for a recipe", where=name, value=f"over {MAX_BYTES >> 20} MiB", limit="1 MiB")


def _missing_file(path: Path) -> RecipeError:
    folder = path.parent
    names = sorted(entry.name for entry in folder.glob("*.y*ml")) if folder.is_dir() else []
    near = difflib.get_close_matches(path.name, names, 1, 0.5)
    remedy = f"did you mean {folder / near[0]}?" if near else f"recipes there: {', '.join(names)}" if names else None
    return RecipeError("no such recipe file", where=str(path), remedy=remedy)


def _refusal(lines: list[str]) -> RecipeError:
    """One error for all lines; with a single line its place becomes the error's `where`."""
    if len(lines) == 1:
        where, _, what = lines[0].partition(": ")
        return RecipeError(what, where=where)
    shown = lines[:_MOST_PROBLEMS]
    if len(lines) > len(shown):
        shown.append(f"... and {len(lines) - len(shown)} more errors")
    return RecipeError("\n".join(shown))


def _line(name: str, problem: Problem) -> str:
    where = f"{name}:{problem.place.line}" if problem.place else name
    return f"{where}: {dotted(problem.path)}: {problem.what}" if problem.path else f"{where}: {problem.what}"


def _number(place: Place | None) -> int:
    return place.line if place else 0


def _override(data: dict[str, Data], overrides: Mapping[str, str]) -> tuple[dict[KeyPath, str], list[str]]:
    """Put the overrides into `data`; returns the option by path, and what was wrong with some."""
    options: dict[KeyPath, str] = {}
    complaints = []
    for key, text in overrides.items():
        option = f"--set {key}={_one_line(text)}"
        try:
            options[_put(data, key, _override_value(text))] = option
        except SourceSyntaxError as error:
            complaints.append(f"{option}: {error.problem.what}")
    return options, complaints


def _override_value(text: str) -> Data:
    if not text.strip():
        return None
    if len(text) > MAX_BYTES:
        raise _wrong("the value is too long")
    parsed = parse_yaml(text)
    if parsed.problems:
        raise SourceSyntaxError(parsed.problems[0])
    return parsed.data


def _put(data: dict[str, Data], key: str, value: Data) -> KeyPath:
    steps = _split(key)
    node: Data = data
    path: KeyPath = ()
    for index, step in enumerate(steps):
        last = index == len(steps) - 1
        if isinstance(node, list):
            number = _place_in(node, step, path)
            if last:
                node[number] = value
            path, node = (*path, number), node[number]
        elif isinstance(node, dict):
            word = str(step)
            if last or node.get(word) is None:
                node[word] = value if last else {}
            path = (*path, word)
            node = node[word]
        else:
            raise _wrong(f"{dotted(path)} is a single value, not a group of keys")
    return path


def _place_in(items: list[Data], step: str | int, path: KeyPath) -> int:
    """The place that a step names in a list; one past its end adds a group there."""
    if not isinstance(step, int) or step > len(items):
        raise _wrong(f"{dotted(path)} is a list of {len(items)}: '{step}' is no place in it")
    if step == len(items):
        items.append({})
    return step


def _split(key: str) -> KeyPath:
    """``roi.points[0].x_um`` or ``roi.points.0.x_um`` -> its steps; list places become numbers."""
    steps = re.sub(r"\[(\d{1,6})\]", r".\1", key).split(".")
    if not all(re.fullmatch(r"[^\[\]\s]+", step) for step in steps):
        raise _wrong("is no key; write --set scan.binning=4, list places as numbers")
    return tuple(int(step) if re.fullmatch(r"[0-9]{1,6}", step) else step for step in steps)


def _wrong(what: str) -> SourceSyntaxError:
    return SourceSyntaxError(Problem((), None, what))


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:57]}..."


class _PlainDumper(yaml.SafeDumper):
    """Writes text in quotes unless it is a plain word, so that it reads back as text; never writes aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    parsed = text if re.fullmatch(r"[A-Za-z][A-Za-z0-9_./-]*", text) else None
    plain = parsed is not None and text.lower() not in ("null", "true", "false", "yes", "no", "on", "off")
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_PlainDumper.add_representer(str, _represent_text)
