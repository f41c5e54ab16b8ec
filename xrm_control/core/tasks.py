"""Tasks whose errors are told by whoever waits for them, or by nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


def begin(action: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
    """A task that whoever began it may stop waiting for, as when it is cancelled itself.

    What the task raises is then of no interest any more; the event loop would print it as a traceback.
    """
    task = asyncio.ensure_future(action)
    task.add_done_callback(_heard)
    return task


def _heard(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()
