"""Which kinds a hunt has met, and which two of them in one night; the table of docs/reliability.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from tests.hunt.case import KINDS

BEGIN, END = "<!-- hunt: begin -->", "<!-- hunt: end -->"


@dataclass
class Coverage:
    """Nights by kind and by pair of kinds, and their sums."""

    nights: int = 0
    frames: int = 0
    sittings: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, met: Iterable[str], frames: int, sittings: int) -> None:
        """One more night."""
        known = sorted(met)
        self.nights += 1
        self.frames += frames
        self.sittings += sittings
        self.kinds.update(known)
        self.pairs.update(combinations(known, 2))

    def table(self, seeds: str) -> str:
        """As Markdown; `seeds` says which nights they were."""
        possible = len(KINDS) * (len(KINDS) - 1) // 2
        unmet = possible - len(self.pairs)
        lines = [
            f"Seeds {seeds}: {self.nights} nights, {self.sittings} sittings, {self.frames} frames. Of {possible} pairs"
            f" of kinds {len(self.pairs)} met in one night, {unmet} not yet; the median pair {self._median(possible)}"
            " times.",
            "",
            "| kind | nights | met with the others, least often |",
            "|---|---|---|",
        ]
        for kind in KINDS:
            least = min((self.pairs[_pair(kind, other)], other) for other in KINDS if other != kind)
            lines.append(f"| {kind} | {self.kinds[kind]} | {least[0]} with {least[1]} |")
        return "\n".join(lines)

    def _median(self, possible: int) -> int:
        counts = sorted([*self.pairs.values(), *[0] * (possible - len(self.pairs))])
        return counts[len(counts) // 2]


def _pair(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one < other else (other, one)


def write_into(page: Path, table: str) -> None:
    """Put the table in its place on the page. Raises ValueError where the page has none."""
    text = page.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise ValueError(f"{page} has no place for the table: {BEGIN} ... {END}")
    before, _, rest = text.partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
