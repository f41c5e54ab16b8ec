"""One fault in one place: what a mutant is, and how it gets into a copy of the tree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mutant:
    """`old` at the offset `at` of the file `path` (relative to the checkout) becomes `new`.

    at: None for text that occurs once. what: the fault in words.
    """

    path: str
    old: str
    new: str
    what: str
    at: int | None = None

    @property
    def room(self) -> str:
        """The part of the house it is in."""
        first, *rest = Path(self.path).parts
        return rest[0].removesuffix(".py") if rest and first == "xrm_control" else first

    def name(self, root: Path) -> str:
        """Where it is, for people: path, line and what becomes of what."""
        line = (root / self.path).read_text(encoding="utf-8")[: self.offset(root)].count("\n") + 1
        return f"{self.path}:{line}: {self.what}"

    def line(self, root: Path) -> str:
        """The line it begins on, as it reads with the fault."""
        text, at = (root / self.path).read_text(encoding="utf-8"), self.offset(root)
        faulty = text[:at] + self.new + text[at + len(self.old) :]
        return faulty[faulty.rfind("\n", 0, at) + 1 :].partition("\n")[0].strip()

    def offset(self, root: Path) -> int:
        """Where the fault goes. Raises LookupError when the text is not there, or not once."""
        text = (root / self.path).read_text(encoding="utf-8")
        if self.at is not None:
            if text[self.at : self.at + len(self.old)] != self.old:
                raise LookupError(f"{self.path}: {self.old!r} is not at {self.at}")
            return self.at
        if text.count(self.old) != 1:
            raise LookupError(f"{self.path}: {self.old!r} occurs {text.count(self.old)} times, not once")
        return text.index(self.old)

    def plant(self, root: Path) -> str:
        """Write it into the tree at `root`; the file as it was comes back."""
        file = root / self.path
        text, at = file.read_text(encoding="utf-8"), self.offset(root)
        file.write_text(text[:at] + self.new + text[at + len(self.old) :], encoding="utf-8")
        return text
