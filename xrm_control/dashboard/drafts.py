"""Recipes as forms: which there are, what can be set in them, what is wrong with a draft, and what it costs."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from xrm_control import app
from xrm_control.core.errors import DataError, XrmError
from xrm_control.dashboard.models import Draft, DraftView, RecipeCard, Refusal, Setting
from xrm_control.recipe.reading import read_text

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,190}\.ya?ml")
_Scalar = float | int | str | bool | None


@dataclass(frozen=True)
class Recipes:
    """The recipes in `folder`, and where their runs would be."""

    folder: Path
    runs: Path

    def list(self) -> list[RecipeCard]:
        """By name; what is no recipe's file is left out."""
        names = sorted(entry.name for entry in self.folder.glob("*.y*ml") if _FILE.fullmatch(entry.name))
        return [RecipeCard(name=Path(name).stem, file=name, about=self._about(name)) for name in names]

    def path(self, file: str) -> Path:
        """Raises DataError for what is no file of the folder."""
        place = self.folder / file
        if not _FILE.fullmatch(file) or not place.is_file():
            raise DataError("there is no such recipe", where=str(self.folder), value=file[:80])
        return place

    def settings(self, file: str) -> list[Setting]:
        """What can be set, with what it stands at. Raises RecipeError, with all that is wrong, DataError."""
        return list(_settings(app.load(self.path(file)).recipe, ""))

    def check(self, draft: Draft) -> DraftView:
        """What is wrong with a draft, and its plan. Raises DataError for a file that is not there."""
        try:
            loaded = app.load(self.path(draft.file), overrides(draft.settings))
            plan = app.plan(loaded, self.runs)
        except XrmError as error:
            lines = str(error).splitlines() if "\n" in error.what else []
            faults = [Refusal(what=line) for line in lines] or [refusal(error)]
            return DraftView(faults=tuple(faults), warnings=(), plan=None)
        return DraftView(faults=(), warnings=tuple(one.message() for one in plan.warnings), plan=plan)

    def _about(self, file: str) -> str:
        """The comment at its head, without the commands."""
        try:
            text = read_text(self.folder / file)
        except XrmError as error:
            return str(error)[:200]
        head = [line.lstrip("# ").strip() for line in text.splitlines()[:12] if line.startswith("#")]
        words = " ".join(line for line in head if line and not line.startswith("xrm "))
        return words[:300]


def refusal(error: XrmError) -> Refusal:
    """An error as it is told over the air."""
    facts = {name: value for name, value in error.facts().items() if name != "error"}
    return Refusal.model_validate({name: None if value is None else value[:4000] for name, value in facts.items()})


def overrides(settings: Mapping[str, _Scalar]) -> dict[str, str]:
    """As the command line's --set takes them. Raises DataError for a value that is no single one."""
    return {path: _yaml(path, value) for path, value in settings.items()}


def _yaml(path: str, value: _Scalar) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if not isinstance(value, str):
        return repr(value)
    if len(value) > 500 or any(ord(letter) < 32 for letter in value):
        raise DataError("is no single line of text", where=path, value=value[:40])
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'


def _settings(spec: BaseModel, above: str) -> Iterator[Setting]:
    """The single values of a recipe, in its order; lists and tables stay the file's."""
    for name, field in type(spec).model_fields.items():
        value: Any = getattr(spec, name)
        path = f"{above}{field.alias or name}"
        if isinstance(value, BaseModel):
            yield from _settings(value, f"{path}.")
        elif isinstance(value, float | int | str | bool | None) and path not in ("version",):
            yield _setting(path, field, value)


def _setting(path: str, field: FieldInfo, value: _Scalar) -> Setting:
    choices = _choices(field.annotation)
    shown = str(value) if isinstance(value, StrEnum) else value
    kind = "choice" if choices else _KINDS.get(type(shown), "text")
    return Setting(path=path, kind=kind, value=shown, meaning=field.description or "", choices=choices)


_KINDS: dict[type, str] = {bool: "switch", int: "integer", float: "number", str: "text"}


def _choices(annotation: Any) -> tuple[str, ...]:
    """The texts that a field may have, where there are only some."""
    if typing.get_origin(annotation) is Literal:
        return tuple(map(str, typing.get_args(annotation)))
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return tuple(map(str, annotation))
    found = [_choices(part) for part in typing.get_args(annotation) if part is not type(None)]
    return found[0] if len(found) == 1 else ()
