"""YAML as plain data in which every key and value knows its line.

A narrow YAML: mappings with text keys, lists, and plain scalars read by the rules of YAML 1.2. What older YAML would
read as something else than it looks (yes, 1:30, 010, 1_000) is refused with an explanation, never guessed. The text
is only parsed into events; no tag ever makes an object.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn, TypeAlias

import yaml
from yaml import events

# No recipe and no map of an instrument comes near these; what does is refused within a fraction of a second.
MAX_BYTES = 1 << 17
MAX_DEPTH = 40
MAX_NODES = 3_000
MAX_ALIASES = 100

KeyPath: TypeAlias = tuple[str | int, ...]
Data: TypeAlias = "bool | int | float | str | list[Data] | dict[str, Data] | None"

_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}
_WORDS: dict[str, Data] = {"": None, "~": None, "null": None, "true": True, "false": False}
_TRAPS = (
    (re.compile(r"yes|on", re.I), "older YAML reads {0} as true: write true, or '{0}' in quotes if text is meant"),
    (re.compile(r"no|off", re.I), "older YAML reads {0} as false: write false, or '{0}' in quotes if text is meant"),
    (
        re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"),
        "older YAML reads {0} as a number in base 60: write the plain number, or '{0}' in quotes if text is meant",
    ),
    (
        re.compile(r"[-+]?0[0-9_]+"),
        "older YAML reads {0} as an octal number: write it without the leading zero, or '{0}' in quotes",
    ),
    (re.compile(r"[-+]?0[xob][0-9a-fA-F_]+"), "write {0} as a decimal number, or '{0}' in quotes if text is meant"),
    (
        re.compile(r"[-+]?[0-9][0-9,]*_[0-9_,]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?"),
        "write {0} without underscores, or '{0}' in quotes if text is meant",
    ),
)


@dataclass(frozen=True)
class Place:
    """A position in the text, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Problem:
    """Something wrong, at a key path and a place; `what` is the whole explanation without either."""

    path: KeyPath
    place: Place | None
    what: str


class SourceSyntaxError(Exception):
    """The text cannot be read on; carries the one problem that ended it."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.what)


@dataclass
class Parsed:
    """The data, the places of its keys and values by path, and what was wrong without ending the reading."""

    data: Data = None
    keys: dict[KeyPath, Place] = field(default_factory=dict[KeyPath, Place])
    values: dict[KeyPath, Place] = field(default_factory=dict[KeyPath, Place])
    problems: list[Problem] = field(default_factory=list[Problem])


def parse_yaml(text: str) -> Parsed:
    """Read one YAML document; SourceSyntaxError when it cannot be read to its end."""
    reader = _Reader(text)
    try:
        return reader.read()
    except yaml.MarkedYAMLError as error:
        raise SourceSyntaxError(_syntax_problem(error, text)) from error
    except yaml.reader.ReaderError as error:
        position = error.position if isinstance(error.position, int) else 0
        place = Place(text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position))
        what = f"a control character (code {error.character}) does not belong in a text file"
        raise SourceSyntaxError(Problem((), place, what)) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # An escape such as "\UFFFFFFFF" leaves the scanner as a ValueError, without a place.
        raise SourceSyntaxError(Problem((), reader.last, f"cannot be read as YAML: {error}")) from error


class _Reader:
    def __init__(self, text: str) -> None:
        self._events: Iterator[events.Event] = yaml.parse(  # pyright: ignore[reportUnknownMemberType]
            text, Loader=yaml.SafeLoader
        )
        self._parsed = Parsed()
        self._anchors: dict[str, list[events.Event] | None] = {}
        self._replay: list[list[events.Event]] = []
        self._nodes = 0
        self._aliases = 0
        self.last = Place(1, 1)

    def read(self) -> Parsed:
        self._next()
        if isinstance(first := self._next(), events.StreamEndEvent):
            self._stop((), first, "is empty")
        self._parsed.data = self._node(self._next(), ())
        self._next()
        if not isinstance(more := self._next(), events.StreamEndEvent):
            self._stop((), more, "a second document starts here ('---'); one file holds one document")
        return self._parsed

    def _next(self) -> events.Event:
        """The next event, from an alias's recording or from the text; recorded for every anchor being read."""
        event = next(self._events)
        if event.start_mark is not None:
            self.last = _place(event)
        for recording in self._replay:
            recording.append(event)
        return event

    def _stop(self, path: KeyPath, event: events.Event, what: str) -> NoReturn:
        raise SourceSyntaxError(Problem(path, _place(event), what))

    def _note(self, path: KeyPath, event: events.Event, what: str) -> None:
        self._parsed.problems.append(Problem(path, _place(event), what))

    def _node(self, event: events.Event, path: KeyPath) -> Data:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._stop(path, event, f"more than {MAX_NODES} values, aliases counted each time: this is no recipe")
        if len(path) > MAX_DEPTH:
            self._stop((), event, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, events.AliasEvent):
            return self._alias(event, path)
        anchor = getattr(event, "anchor", None)
        if anchor is None:
            return self._content(event, path)
        recording: list[events.Event] = [event]
        self._anchors[anchor] = None
        self._replay.append(recording)
        data = self._content(event, path)
        self._replay.pop()
        self._anchors[anchor] = recording
        return data

    def _alias(self, event: events.AliasEvent, path: KeyPath) -> Data:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            self._stop(path, event, f"more than {MAX_ALIASES} aliases (*name)")
        recording = self._anchors.get(event.anchor)
        if recording is None:
            inside = event.anchor in self._anchors
            what = "stands inside the value it names" if inside else "names no anchor (&name) before it"
            self._stop(path, event, f"the alias *{event.anchor} {what}")
        # Read the recorded events again: each alias gets data of its own, and counts as if written out.
        text, outer = self._events, self._replay
        self._events, self._replay = iter(recording), []
        try:
            return self._content(self._next(), path)
        finally:
            self._events, self._replay = text, outer
            self._parsed.values[path] = _place(event)

    def _content(self, event: events.Event, path: KeyPath) -> Data:
        self._parsed.values[path] = _place(event)
        tag = getattr(event, "tag", None)
        if tag is not None and not (tag == "!" and isinstance(event, events.ScalarEvent)):
            self._note(path, event, f"tags ({_short(tag)}) are not accepted: write the plain value")
        if isinstance(event, events.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, events.SequenceStartEvent):
            return self._sequence(path)
        return self._scalar(event, path)

    def _mapping(self, path: KeyPath) -> Data:
        data: dict[str, Data] = {}
        last: Data = None
        while not isinstance(event := self._next(), events.MappingEndEvent):
            key = self._key(event, path, after_number=isinstance(last, int | float))
            inner = (*path, key)
            if key in data:
                self._note(inner, event, f"is given twice; first in line {self._parsed.keys[inner].line}")
                self._node(self._next(), inner)
                continue
            self._parsed.keys[inner] = _place(event)
            data[key] = last = self._node(self._next(), inner)
        return data

    def _sequence(self, path: KeyPath) -> Data:
        data: list[Data] = []
        while not isinstance(event := self._next(), events.SequenceEndEvent):
            data.append(self._node(event, (*path, len(data))))
        return data

    def _key(self, event: events.Event, path: KeyPath, *, after_number: bool) -> str:
        if not isinstance(event, events.ScalarEvent):
            self._stop(path, event, "a key must be a word, not a list, group or alias (an unquoted bracket?)")
        inner = (*path, event.value)
        if event.anchor is not None or event.tag is not None:
            self._note(inner, event, f"the key {_short(event.value)} carries an anchor or a tag; write the plain word")
        if event.style is None and event.value == "<<":
            self._note(inner, event, "merge keys (<<) are not accepted: write the keys out")
        elif event.style is None and (_WORDS.get(event.value.lower(), "") != "" or _is_number(event.value)):
            comma = " (a comma in a number? it takes a point: 1.5)" if after_number and event.value.isdigit() else ""
            what = f"the key {_short(event.value)} must be a word, not a number or true, false, null{comma}"
            self._note(inner, event, what)
        self._check_text(event, path)
        return event.value

    def _scalar(self, event: events.Event, path: KeyPath) -> Data:
        if not isinstance(event, events.ScalarEvent):
            self._stop(path, event, "a value was expected here")
        self._check_text(event, path)
        if event.style is not None:
            return event.value
        return self._plain(event, path)

    def _plain(self, event: events.ScalarEvent, path: KeyPath) -> Data:
        text = event.value
        if text.lower() in _WORDS:
            return _WORDS[text.lower()]
        for pattern, words in _TRAPS:
            if pattern.fullmatch(text):
                self._note(path, event, words.format(_short(text)))
                return text
        if text.lower() in _SPECIAL:
            return _SPECIAL[text.lower()]
        if not _is_number(text):
            return text
        if _INT.fullmatch(text) and len(text) <= 19:
            return int(text)
        number = float(text)
        if not math.isfinite(number) or _INT.fullmatch(text):
            self._note(path, event, f"the number {_short(text)} is too large")
        return number

    def _check_text(self, event: events.ScalarEvent, path: KeyPath) -> None:
        if any("\ud800" <= character <= "\udfff" for character in event.value):
            self._stop(path, event, "holds half a character (a lone surrogate escape)")


def _is_number(text: str) -> bool:
    return bool(_INT.fullmatch(text) or _FLOAT.fullmatch(text))


def _place(event: events.Event) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."


def _syntax_problem(error: yaml.MarkedYAMLError, text: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    place = Place(mark.line + 1, mark.column + 1) if mark else None
    problem = error.problem or str(error)
    lines = text.splitlines()
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    if "'\\t'" in problem:
        return Problem((), place, "a tab stands here; YAML wants spaces")
    if "mapping values are not allowed" in problem:
        what = "a ':' where none can stand (wrong indentation, or a text with ': ' that needs quotes)"
    elif (closing := re.search(r"but found '([]}])'", problem)) is not None:
        what = f"a closing {closing[1]} too many"
    elif "expected <block end>, but found '-'" in problem:
        what = "an item of a list ('- ...') stands among keys"
    elif "expected <block end>" in problem:
        what = "the indentation does not fit the lines above"
    elif "could not find expected ':'" in problem:
        what = "a key without its ':'"
    elif "found undefined alias" in problem or "undefined tag handle" in problem:
        what = f"{problem}; tags and aliases are not needed here"
    elif "cannot start any token" in problem:
        character = line[mark.column : mark.column + 1] if mark else ""
        what = f"the character {character} cannot start a value: put the text in quotes"
    else:
        what = f"cannot be read as YAML: {problem}"
    context = error.context_mark
    if context and mark and context.line != mark.line:
        what += f" (what it belongs to starts in line {context.line + 1})"
    return Problem((), place, what)
