"""What a reconstruction has to say besides its volume: that it took another way than the one asked for.

A warning reaches whoever collects in the same thread of control; where nobody collects it is lost, and nothing is
printed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_COLLECTED: ContextVar[list[str] | None] = ContextVar("collected", default=None)


@contextmanager
def collect_warnings() -> Iterator[list[str]]:
    """`with collect_warnings() as said: ...`: `said` holds each warning once, in the order they were made."""
    said: list[str] = []
    token = _COLLECTED.set(said)
    try:
        yield said
    finally:
        _COLLECTED.reset(token)


def warn(text: str) -> None:
    """Tell whoever collects."""
    said = _COLLECTED.get()
    if said is not None and text not in said:
        said.append(text)
