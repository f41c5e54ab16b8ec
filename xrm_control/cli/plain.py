"""A console on which text is text: no markup, no emoji codes, nothing that commands a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

# Control characters but for tab and line feed; those of Unicode's second block too. Rich itself keeps ESC.
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"}


class PlainConsole(Console):
    """Rich's console for strings that may come from outside: in lines, cells, titles and captions."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, emoji=False, **settings)

    def render_str(self, text: str, **settings: Any) -> Text:
        """See `rich.console.Console`: every string that is printed passes here."""
        return super().render_str(text.translate(_CONTROL), **settings)
