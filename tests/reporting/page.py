"""Reading a report as a reader would: sections, tables, pictures, links."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID_TAGS = {"meta", "img", "input", "br", "link"}


@dataclass
class Part:
    """A section: its heading, text, tables as rows of cells, and the sources of its images."""

    title: str = ""
    text: str = ""
    tables: list[list[list[str]]] = field(default_factory=list)
    images: list[dict[str, str]] = field(default_factory=list)

    def row(self, start: str) -> list[str]:
        """The first row of any table whose first cell starts so."""
        return next(row for rows in self.tables for row in rows if row and row[0].startswith(start))


class Page(HTMLParser):
    """parts: sections by id; references: every src and href; tags: every element; open: what was never closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.parts: dict[str, Part] = {"": Part()}
        self.references: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self._key = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        if tag not in VOID_TAGS:
            self.open.append(tag)
        self.references += [given[name] for name in ("src", "href", "action", "srcset", "poster") if name in given]
        part = self.parts[self._key]
        match tag:
            case "section":
                self._key = given["id"]
                self.parts[self._key] = Part()
            case "img":
                part.images.append(given)
            case "table":
                part.tables.append([])
            case "tr":
                part.tables[-1].append([])
            case "td" | "th":
                part.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.open:
            raise ValueError(f"</{tag}> closes nothing")
        while self.open.pop() != tag:
            pass
        if tag == "section":
            self._key = ""

    def handle_data(self, data: str) -> None:
        if {"style", "script"} & set(self.open):
            return
        part = self.parts[self._key]
        part.text += data
        if "h2" in self.open:
            part.title += data
        if {"td", "th"} & set(self.open):
            part.tables[-1][-1][-1] += data
