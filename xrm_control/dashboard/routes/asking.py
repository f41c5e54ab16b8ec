"""What every route needs of its request: the window, work in a thread, who asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request

from xrm_control.dashboard.access import Role
from xrm_control.dashboard.server import Window

Result = TypeVar("Result")


def _window(request: Request) -> Window:
    return request.app.state.window


def _role(request: Request) -> Role:
    return request.scope.get("state", {}).get("role", Role.VIEWER)


Here = Annotated[Window, Depends(_window)]
Asker = Annotated[Role, Depends(_role)]
Client = Annotated[str, Header(alias="x-xrm-client", max_length=100)]


async def aside(executor: Executor, call: Callable[[], Result]) -> Result:
    """In a thread: files are read there, and processes waited for."""
    return await asyncio.get_running_loop().run_in_executor(executor, call)
