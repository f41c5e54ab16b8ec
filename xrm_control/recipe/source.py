"""Where a model came from: the text, the data after overrides and files, and the place of every key."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from xrm_control.recipe.yaml_source import KeyPath, Place, Problem, SourceSyntaxError


@dataclass(frozen=True)
class Source:
    """What was read and what was said where.

    `files` holds the names of the files whose content stands at a path; `left_out` what a change of kind put aside.
    """

    name: str
    text: str
    data: dict[str, Any]
    overrides: Mapping[str, str] = field(default_factory=dict[str, str])
    places: Mapping[KeyPath, Place] = field(default_factory=dict[KeyPath, Place])
    overridden: Mapping[KeyPath, str] = field(default_factory=dict[KeyPath, str])
    files: Mapping[KeyPath, str] = field(default_factory=dict[KeyPath, str])
    left_out: tuple[str, ...] = ()

    def where(self, path: str | KeyPath) -> str:
        """Where the value at `path` was said: ``recipes/x.yaml:14`` or ``--set scan.binning=4``; for later checks."""
        try:
            steps = split_key(path) if isinstance(path, str) else path
        except SourceSyntaxError:
            return self.name
        for length in range(len(steps), 0, -1):
            if length < len(steps) and (name := self.files.get(steps[:length])) is not None:
                return name
            if (option := self.overridden.get(steps[:length])) is not None:
                return option
            if (place := self.places.get(steps[:length])) is not None:
                return f"{self.file_of(steps[:length])[0]}:{place.line}"
            # A group that is in no file was made by an option that reaches into it.
            if options := [option for path, option in self.overridden.items() if path[:length] == steps[:length]]:
                return options[0]
        return self.name

    def blamed(self, paths: Sequence[str]) -> str:
        """Of several fields that do not go together, the one whose value was said last: by option, in a file, or the
        first.
        """
        steps = {path: split_key(path) for path in paths}
        for said in (self.overridden, self.places):
            for path, key in steps.items():
                if any(key[:length] in said for length in range(2 if said is self.places else 1, len(key) + 1)):
                    return path
        return paths[0]

    def file_of(self, path: KeyPath) -> tuple[str, KeyPath]:
        """The file that holds the key at `path`, and the key's path inside that file."""
        for length in range(len(path) - 1, 0, -1):
            if (name := self.files.get(path[:length])) is not None:
                return name, path[length:]
        return self.name, path

    @property
    def effective_text(self) -> str:
        """A document that gives the same model alone: the text itself, or the data written anew.

        Nothing is asked for anew: what came from options and other files stands in it.
        """
        if not self.overrides and not self.files:
            return self.text
        notes = [*dict.fromkeys(self.overridden.values()), *self.left_out]
        notes += [f"{dotted(path)} from {name}" for path, name in self.files.items()]
        head = "".join(f"# {note}\n" for note in notes)
        body = yaml.dump(self.data, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=120)
        return f"# {self.name} with\n{head}{body}"

    @property
    def sha256(self) -> str:
        """SHA-256 of `effective_text` as UTF-8."""
        return hashlib.sha256(self.effective_text.encode("utf-8")).hexdigest()


_LONGEST_KEY = 60


def split_key(key: str) -> KeyPath:
    """``roi.points[0].x_um`` or ``roi.points.0.x_um`` -> its steps; list places become numbers.

    Raises SourceSyntaxError for what is no key.
    """
    steps = re.sub(r"\[(\d{1,6})\]", r".\1", key).split(".")
    if not all(re.fullmatch(r"[^\[\]\s]+", step) for step in steps):
        raise SourceSyntaxError(Problem((), None, "is no key; write --set scan.binning=4, list places as numbers"))
    return tuple(int(step) if re.fullmatch(r"[0-9]{1,6}", step) else step for step in steps)


def dotted(path: KeyPath) -> str:
    """A path as people write it: ``roi.points[0].x_um``; of a word that no key would be, its beginning."""
    text = ""
    for step in path:
        if isinstance(step, str) and len(step) > _LONGEST_KEY:
            step = f"{step[: _LONGEST_KEY - 3]}..."
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


class _PlainDumper(yaml.SafeDumper):
    """Writes text in quotes unless it is a plain word, so that it reads back as text; never writes aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    parsed = text if re.fullmatch(r"[A-Za-z][A-Za-z0-9_./-]*", text) else None
    plain = parsed is not None and text.lower() not in ("null", "true", "false", "yes", "no", "on", "off")
    return dumper.represent_scalar(  # pyright: ignore[reportUnknownMemberType]
        "tag:yaml.org,2002:str", text, style=None if plain else '"'
    )


_PlainDumper.add_representer(str, _represent_text)
