"""The shortest list that still fails: delta debugging (Zeller and Hildebrandt, 2002) over what goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def shortest(
    items: Sequence[Item], fails: Callable[[tuple[Item, ...]], bool], most_tries: int = 60
) -> tuple[Item, ...]:
    """A part of `items`, in their order, that still fails; from it no single one can be left out, unless `most_tries`
    are used up before that is known. `items` fail.
    """
    kept, parts, tries = tuple(items), 2, 0
    while kept and parts <= len(kept):
        size = -(-len(kept) // parts)
        chunks = [(at, at + size) for at in range(0, len(kept), size)]
        for begin, end in chunks:
            if tries == most_tries:
                return kept
            tries += 1
            rest = kept[:begin] + kept[end:]
            if fails(rest):
                kept, parts = rest, max(2, parts - 1)
                break
        else:
            if parts == len(kept):
                break
            parts = min(len(kept), 2 * parts)
    return () if len(kept) == 1 and tries < most_tries and fails(()) else kept
