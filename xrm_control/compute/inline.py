"""Work in a thread of this process: the least start-up, the easiest to debug."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from xrm_control.compute.executor import Compute, Executed, Workers


class Inline(Compute):
    """One thread of this process."""

    kind: Literal["inline"] = "inline"

    def open(self, tell: Callable[[str], None] | None = None) -> Workers:
        """See `Compute.open`."""
        pool = ThreadPoolExecutor(1, thread_name_prefix="compute")
        return Executed(pool, lambda: pool.shutdown(wait=False, cancel_futures=True))
