"""Where heavy work runs: a family of executors, one file each in this package."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar

from xrm_control.core.model import Spec

Result = TypeVar("Result")


class Workers:
    """Workers that take picklable functions; a context manager that leaves none behind."""

    def __init__(self, executor: Executor, terminate: Callable[[], None]) -> None:
        self._executor = executor
        self._terminate = terminate

    async def run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Run ``function(*arguments)`` on a worker. The virtual clock stands still meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)

    def stop(self) -> None:
        """End now: work in flight is abandoned (it is safe to repeat), queued work is cancelled."""
        self._terminate()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Compute(Spec):
    """Settings of one kind of executor."""

    @abstractmethod
    def open(self) -> Workers:
        """Workers, not yet started."""
