"""A console on which text is text, and numbers stay whole: no markup, no emoji codes, nothing that commands a terminal,
and no table that is cut because the terminal is narrow.
"""

from __future__ import annotations

import json
import os
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleDimensions, Group
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

# Control characters but for tab and line feed; those of Unicode's second block too. Rich itself keeps ESC. And what
# turns the order of the letters about, or ends a line (UAX 9, UAX 14).
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"}
_ORDER = (0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))
_CONTROL |= {code: f"\\u{code:04x}" for code in _ORDER}
# Narrower ones are taken for terminals that do not know their width.
LEAST_WIDTH = 20
_LONGEST_WORD = 32
_WIDEST = 10_000


class PlainConsole(Console):
    """Rich's console for strings that may come from outside: in lines, cells, titles and captions."""

    _needed = LEAST_WIDTH

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, emoji=False, **settings)

    @property
    def size(self) -> ConsoleDimensions:
        """See `rich.console.Console`; at least as wide as what is being printed needs."""
        width, height = super().size
        return ConsoleDimensions(max(width, self._needed), height)

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        self._width, self._height = new_size

    def print(self, *objects: Any, **settings: Any) -> None:
        """See `rich.console.Console`. A table that needs more room than there is gets it: the terminal breaks lines."""
        tables = [one for one in objects if isinstance(one, Table | Group)]
        for one in tables:
            _keep_whole(one)
        wide = self.options.update(max_width=_WIDEST)
        self._needed = max([LEAST_WIDTH, *(Measurement.get(self, wide, one).minimum for one in tables)])
        try:
            super().print(*objects, **settings)
        finally:
            self._needed = LEAST_WIDTH

    def render_str(self, text: str, **settings: Any) -> Text:
        """See `rich.console.Console`: every string that is printed passes here."""
        return super().render_str(visible(text), **settings)


def print_json(content: object) -> None:
    """Print for machines, on standard output; what JSON does not know as text."""
    print(json.dumps(content, indent=1, default=str))


def visible(text: str) -> str:
    """A text in which nothing commands a terminal."""
    return text.translate(_CONTROL)


def widen_environment() -> None:
    """COLUMNS of no use is forgotten: other users of the terminal would print nothing at all."""
    columns = os.environ.get("COLUMNS", "")
    if columns and not (columns.isdigit() and int(columns) >= LEAST_WIDTH):
        del os.environ["COLUMNS"]


def _keep_whole(one: object) -> None:
    """Cells of numbers are never broken, nor words of a sensible length; longer ones go on in the next line."""
    if isinstance(one, Group):
        for part in one.renderables:
            _keep_whole(part)
    elif isinstance(one, Table):
        for column in one.columns:
            column.overflow = "fold"
            cells, heading = list(map(_plain, column.cells)), _plain(column.header)
            words = [word for text in (heading, *cells) for word in text.split()]
            numbers = cells if column.justify == "right" else []
            longest = max(map(cell_len, (*words, *numbers)), default=0)
            column.min_width = min(longest, _LONGEST_WORD)


def _plain(cell: object) -> str:
    return cell.plain if isinstance(cell, Text) else cell if isinstance(cell, str) else ""
