"""What became of each fault, line by line in a file, so that a hunt can be gone on with: name, tab, who found it."""

from __future__ import annotations

from pathlib import Path

SURVIVED = "-"


class Verdicts:
    """Those of earlier hunts, by the fault's name; the latest word on a fault counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        self._by = dict(line.split("\t", 1) for line in text.splitlines())

    def knows(self, name: str) -> bool:
        """Whether it was met before."""
        return name in self._by

    def by(self, name: str) -> str | None:
        """The test that found it; None for a survivor, and for what nobody has met."""
        found = self._by.get(name, SURVIVED)
        return None if found == SURVIVED else found

    def add(self, name: str, by: str | None) -> None:
        """One more, on the disk at once."""
        self._by[name] = by or SURVIVED
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{name}\t{self._by[name]}\n")
