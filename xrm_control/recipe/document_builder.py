"""A document while it is put together: YAML data, options laid over it, and files in the places that name them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from xrm_control.core.errors import RecipeError
from xrm_control.recipe.reading import read_text, yaml_names
from xrm_control.recipe.schema_view import SchemaView, value_at
from xrm_control.recipe.source import Source, dotted, split_key
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

# Complaints are told in this order: the document's own by line, then those of its files, then those of options.
_FILES, _OPTIONS = 1 << 29, 1 << 30
# A file may name files; a chain of more is a circle.
_MOST_FILES = 20
_MOST_OPTIONS = 200


class DocumentBuilder:
    """Data and the place of everything in it. `lines` are the complaints so far, each with its rank."""

    def __init__(self, name: str, text: str, parsed: Parsed, view: SchemaView, folder: Path) -> None:
        self._name, self._text, self._view, self._folder = name, text, view, folder
        self.data: dict[str, Data] = parsed.data if isinstance(parsed.data, dict) else {}
        self._places = {**parsed.values, **parsed.keys}
        self._options: dict[str, str] = {}
        self._overridden: dict[KeyPath, str] = {}
        self._files: dict[KeyPath, str] = {}
        self._left_out: list[str] = []
        self.lines: list[tuple[int, str]] = []
        # Where something is wrong already: nothing more is said of what lies below.
        self.known: set[KeyPath] = set()
        self._note(name, parsed, (), 0)

    def source(self) -> Source:
        """What was read and what was said where."""
        return Source(
            self._name,
            self._text,
            self.data,
            self._options,
            self._places,
            self._overridden,
            self._files,
            tuple(self._left_out),
        )

    def override(self, options: Mapping[str, str]) -> None:
        """Lay the options of ``--set`` over the data: first those that name groups, then those that reach into them."""
        self._options = dict(options)
        if len(options) > _MOST_OPTIONS:
            self.lines.append((_OPTIONS, f"--set: {len(options)} options, at most {_MOST_OPTIONS}: write a recipe"))
            return
        for key, text in sorted(options.items(), key=lambda item: len(re.findall(r"[.\[]", item[0]))):
            option = f"--set {key}={_one_line(text)}"
            try:
                steps = split_key(key)
                for length in range(1, len(steps)):
                    self._inline(steps[:length])
                if not self._is_known(steps):
                    former = self._kind_keys(steps)
                    self._overridden[_put(self.data, steps, _value(text))] = option
                    self._leave_out(steps, former)
            except SourceSyntaxError as error:
                self.lines.append((_OPTIONS, f"{option}: {error.problem.what}"))

    def inline(self) -> None:
        """Put the content of every file that is named, or is the default, in the place of its name."""
        while any(self._inline(path) for path in self._view.in_files(self.data)):
            pass

    def rank(self, path: KeyPath) -> int:
        """Where among all complaints one about the value at `path` is told."""
        if any(path[:length] in self._overridden for length in range(len(path) + 1)):
            return _OPTIONS
        place = self._places.get(path) or self._places.get(path[:-1]) or Place(1, 1)
        of_file = any(path[:length] in self._files for length in range(1, len(path)))
        return place.line + (_FILES if of_file else 0)

    def complain(self, path: KeyPath, what: str) -> None:
        """Add the complaint about the value at `path`, where it was said."""
        source = self.source()
        where, (_, inner) = source.where(path), source.file_of(path)
        option = where.startswith("--set")
        key = "" if path in self._overridden else dotted(path if option else inner)
        self.lines.append(
            (_OPTIONS if option else self.rank(path), f"{where}: {key}: {what}" if key else f"{where}: {what}")
        )

    def _is_known(self, path: KeyPath) -> bool:
        return any(path[:length] in self.known for length in range(len(path) + 1))

    def _note(self, name: str, parsed: Parsed, path: KeyPath, rank: int) -> None:
        """Add what was wrong with the text of a file that stands at `path`."""
        for problem in parsed.problems:
            line = problem.place.line if problem.place else 0
            self.lines.append((rank + line, problem_line(name, problem)))
            self.known.add((*path, *problem.path))

    def _inline(self, path: KeyPath) -> bool:
        """Put a file's content at `path` if a file is named there, or is the default; whether it was done."""
        parent = value_at(path[:-1], self.data)
        allowed, default = self._view.in_file(path, self.data)
        if not allowed or not isinstance(parent, dict) or self._is_known(path):
            return False
        key = str(path[-1])
        named = parent.get(key, default)
        if not isinstance(named, str):
            return False
        file = named
        try:
            if len(self._files) >= _MOST_FILES:
                raise RecipeError(f"more than {_MOST_FILES} files; do they name each other?")
            file = str(self._find(named))
            parsed = parse_yaml(read_text(Path(file)))
        except RecipeError as error:
            self.complain(path, error.message())
        except SourceSyntaxError as error:
            self.lines.append((_FILES, problem_line(file, error.problem)))
        else:
            self._note(file, parsed, path, _FILES)
            parent[key] = parsed.data
            self._files[path] = file
            # The place of the whole stays that of its name.
            inside = {(*path, *inner): place for inner, place in {**parsed.values, **parsed.keys}.items() if inner}
            self._places |= inside
            return True
        parent[key] = named
        self.known.add(path)
        return False

    def _find(self, name: str) -> Path:
        """The file of that name beside the document, or in the working directory."""
        places = [Path(self._folder / name), Path(name)]
        for place in places:
            try:
                if place.is_file():
                    return place
            except (OSError, ValueError):
                break
        folders = list(dict.fromkeys(place.parent for place in places))
        there = [f"{folder / found}" for folder in folders for found in yaml_names(folder)]
        raise RecipeError(
            f"no such file: '{_one_line(name)}'",
            limit=f"looked in {' and '.join(map(str, folders))}",
            remedy=f"files there: {', '.join(there)}" if there else "name a YAML file, or write its content here",
        )

    def _kind_keys(self, steps: KeyPath) -> tuple[str, list[str]] | None:
        """The kind and the keys of the group whose tag `steps` names; None when it is no tag of a family's member."""
        group = value_at(steps[:-1], self.data)
        tag, kinds = self._view.family(steps[:-1], self.data)
        if not isinstance(group, dict) or not tag or steps[-1] != tag or group.get(tag) not in kinds:
            return None
        return str(group[tag]), self._view.known_keys(steps[:-1], self.data)

    def _leave_out(self, steps: KeyPath, former: tuple[str, list[str]] | None) -> None:
        """After another kind was chosen: drop what the file said for the former kind and the new one does not know."""
        chosen, group = self._kind_keys(steps), value_at(steps[:-1], self.data)
        if former is None or chosen is None or former[0] == chosen[0] or not isinstance(group, dict):
            return
        for key in [key for key in group if key in former[1] and key not in chosen[1]]:
            path = (*steps[:-1], key)
            if not any(given[: len(path)] == path[: len(given)] for given in self._overridden):
                del group[key]
                self._left_out.append(f"{dotted(path)} left out: {chosen[0]} does not know it")


def problem_line(name: str, problem: Problem) -> str:
    """A problem of a file's text in one line."""
    where = f"{name}:{problem.place.line}" if problem.place else name
    return f"{where}: {dotted(problem.path)}: {problem.what}" if problem.path else f"{where}: {problem.what}"


def _value(text: str) -> Data:
    if not text.strip():
        return None
    if len(text) > MAX_BYTES:
        raise _wrong("the value is too long")
    if re.fullmatch(r"[\w:.-]+:", text.strip()):
        # A prefix of PVs, not the group of one empty key that YAML would read.
        return text.strip()
    parsed = parse_yaml(text)
    if parsed.problems:
        raise SourceSyntaxError(parsed.problems[0])
    return parsed.data


def _put(data: dict[str, Data], steps: KeyPath, value: Data) -> KeyPath:
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


def _wrong(what: str) -> SourceSyntaxError:
    return SourceSyntaxError(Problem((), None, what))


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:57]}..."
