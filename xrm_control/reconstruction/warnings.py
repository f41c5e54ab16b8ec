"""What a reconstruction has to say besides its volume: that it took another way than the one asked for.

A remark reaches whoever listens in the same thread of control; without a listener it is lost, and nothing is printed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_LISTENER: ContextVar[list[str] | None] = ContextVar("listener", default=None)


@contextmanager
def collect_warnings() -> Iterator[list[str]]:
    """`with collect_warnings() as said: ...`: `said` holds each remark once, in the order they were made."""
    said: list[str] = []
    token = _LISTENER.set(said)
    try:
        yield said
    finally:
        _LISTENER.reset(token)


def warn(text: str) -> None:
    """Tell the nearest listener."""
    said = _LISTENER.get()
    if said is not None and text not in said:
        said.append(text)
