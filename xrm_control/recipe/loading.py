"""Recipes from YAML: bounded, typed, and with every error at once, each with its file, line, key and remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from xrm_control.core.errors import RecipeError
from xrm_control.recipe.document_builder import DocumentBuilder, problem_line
from xrm_control.recipe.issues import explain, misplaced_booleans, misread_texts
from xrm_control.recipe.reading import check_size, read_text
from xrm_control.recipe.schema_view import SchemaView
from xrm_control.recipe.source import Source
from xrm_control.recipe.yaml_source import KeyPath, SourceSyntaxError, parse_yaml

__all__ = ["Source", "json_schema", "load_document", "load_text"]

Model = TypeVar("Model", bound=BaseModel)

_MOST_PROBLEMS = 25
# More are found for the first lines of a document than are told: some of them speak of the same place.
_MOST_EXPLAINED = 4 * _MOST_PROBLEMS


def load_document(
    path_or_text: Path | str,
    model: type[Model],
    overrides: Mapping[str, str] | None = None,
    *,
    name: str = "recipe",
) -> tuple[Model, Source]:
    """Read a YAML file (a Path, or one line ending in .yaml or .yml) or YAML text into `model`.

    `overrides` are those of ``--set key.sub=value``: dotted keys, list places as numbers, values read as YAML. One that
    chooses another kind of a family drops what the file gave for the former kind only. Fields marked `InFile` may name
    a file. Raises RecipeError with one line for every error that was found. `name` stands for the file of a text.
    """
    if isinstance(path_or_text, str) and not re.fullmatch(r"[^\n\0]+\.ya?ml", path_or_text):
        return load_text(path_or_text, model, overrides, name=name)
    path = Path(path_or_text)
    return load_text(read_text(path), model, overrides, name=str(path), folder=path.parent)


def load_text(
    text: str,
    model: type[Model],
    overrides: Mapping[str, str] | None = None,
    *,
    name: str = "recipe",
    folder: Path | None = None,
) -> tuple[Model, Source]:
    """`load_document` of YAML text; `name` stands for its file in messages, `folder` (none: here) for its place.

    Validators find the folder in their context: ``info.context["folder"]``. Raises RecipeError, with all that is wrong.
    """
    try:
        check_size(name, len(text.encode("utf-8")))
    except UnicodeEncodeError as error:
        raise _refusal([f"{name}: holds half a character (a lone surrogate)"]) from error
    try:
        parsed = parse_yaml(text)
    except SourceSyntaxError as error:
        raise _refusal([problem_line(name, error.problem)]) from error
    if not isinstance(parsed.data, dict):
        raise _refusal([f"{name}:1: holds no keys at its top level ('name: ...'): this is no recipe"])
    folder = folder or Path.cwd()
    builder = DocumentBuilder(name, text, parsed, SchemaView(model), folder)
    builder.override(overrides or {})
    builder.inline()
    result, more = _validate(model, builder, folder)
    if builder.lines or result is None:
        raise _refusal([line for _, line in sorted(builder.lines, key=lambda item: item[0])], more)
    return result, builder.source()


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a model, for editors and for `xrm schema`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}


def _validate(model: type[Model], builder: DocumentBuilder, folder: Path) -> tuple[Model | None, int]:
    """Validate; every new error is added to the draft unless its place was complained about already. Also at how many
    more places there are errors.
    """
    result, more = None, 0
    errors = misplaced_booleans(model, builder.data, _MOST_EXPLAINED)
    told = builder.known
    errors += [item for item in misread_texts(model, builder.data, _MOST_EXPLAINED) if item[0] not in told]
    known = {path for path, _ in errors} | builder.known
    try:
        result = model.model_validate(builder.data, context={"folder": folder})
    except ValidationError as error:
        found = explain(error, model, builder.data, builder.rank, _MOST_EXPLAINED)
        errors += [item for item in found.issues if known.isdisjoint(_beginnings(item[0]))]
        more = found.more
    for path, what in errors:
        builder.complain(path, what)
    return result, more


def _beginnings(path: KeyPath) -> Iterator[KeyPath]:
    return (path[:length] for length in range(len(path) + 1))


def _refusal(lines: list[str], more: int = 0) -> RecipeError:
    """One error for all lines; with a single line its place becomes the error's `where`."""
    if len(lines) == 1:
        where, _, what = lines[0].partition(": ")
        return RecipeError(what, where=where)
    shown = lines[:_MOST_PROBLEMS]
    left = len(lines) - len(shown) + more
    if left:
        shown.append(f"... and {left} more errors")
    return RecipeError("\n".join(shown))
