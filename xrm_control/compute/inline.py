"""Work in a thread of this process: the least start-up, the easiest to debug."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, TypeVar

from xrm_control.compute.executor import Compute, Executed, Workers, told_by

Result = TypeVar("Result")


class Inline(Compute):
    """One thread of this process."""

    kind: Literal["inline"] = "inline"

    def open(self, tell: Callable[[str], None] | None = None) -> Workers:
        """See `Compute.open`."""
        return _Inline(ThreadPoolExecutor(1, thread_name_prefix="compute"))


class _Inline(Executed):
    """A thread cannot be ended from outside: what it waits for is told that it is over."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        super().__init__(pool, lambda: pool.shutdown(wait=False, cancel_futures=True))
        self._over = threading.Event()

    async def run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """See `Workers.run`."""
        return await super().run(told_by, self._over, function, *arguments)

    def stop(self) -> None:
        """See `Workers.stop`."""
        self._over.set()
        super().stop()
