"""The queue: what is ahead, and changes of it. Whoever runs it takes them up at its next look."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

from fastapi import APIRouter
from fastapi.responses import FileResponse

from xrm_control.app.queue import items
from xrm_control.core.errors import DataError
from xrm_control.dashboard.enqueuing import Enqueuer
from xrm_control.dashboard.models import Enqueue, Request, Said
from xrm_control.dashboard.models_queue import Move, QueueView
from xrm_control.dashboard.queues import morning_of
from xrm_control.dashboard.routes.asking import Client, Here, aside
from xrm_control.dashboard.server import Window

router = APIRouter()
Result = TypeVar("Result")


def _queue(here: Window) -> Path:
    if here.queue is None:
        raise DataError("this window shows no queue", remedy="start it with `xrm serve --queue FOLDER`")
    return here.queue


def _enqueuer(here: Window) -> Enqueuer:
    return Enqueuer(_queue(here), here.starter.guests)


async def _done(here: Window, act: Awaitable[Result]) -> Result:
    """What came of an act; whoever looks next sees it."""
    try:
        return await act
    finally:
        here.queue_looks.forget()


@router.get("/api/queue")
async def view(here: Here) -> QueueView:
    """The queue as it stands."""
    return await aside(here.lookers, lambda: here.queue_looks.view(_queue(here)))


@router.get("/api/queue/morning.html", response_class=FileResponse)
async def morning(here: Here) -> FileResponse:
    """Its page for the morning. Raises DataError where there is none yet."""
    path = morning_of(_queue(here))
    if not path.is_file():
        raise DataError("there is no such page yet", where=str(path), remedy="`xrm queue report` writes it")
    return FileResponse(path, media_type="text/html; charset=utf-8")


@router.post("/api/queue/items")
async def add(here: Here, draft: Enqueue, client: Client) -> Said:
    """Check a recipe and put it into the queue, frozen as it is now. The same request again adds nothing."""
    by = here.helm.require(client)
    recipe, enqueuer = here.recipes.path(draft.file), _enqueuer(here)
    return Said(text=await _done(here, here.once(draft.request, draft, lambda: enqueuer.add(recipe, draft, by))))


@router.post("/api/queue/run")
async def run(here: Here, wanted: Request, client: Client) -> Said:
    """Carry out what is ahead, in a process of its own."""
    here.helm.require(client)
    enqueuer = _enqueuer(here)
    return Said(text=await _done(here, here.once(wanted.request, "queue run", lambda: enqueuer.run(wanted.request))))


@router.post("/api/queue/items/{number}/move")
async def move(here: Here, number: int, where: Move, client: Client) -> Said:
    """Give an item another place."""
    by = here.helm.require(client)
    before, after = (None if other is None else str(other) for other in (where.before, where.after))

    def act() -> Said:
        item = items.move(_queue(here), str(number), before=before, after=after, first=where.first, by=by)
        return Said(text=f"item {item.number} ({item.name}) has its new place")

    return await _done(here, aside(here.actors, act))


@router.post("/api/queue/items/{number}/skip")
async def skip(here: Here, number: int, client: Client) -> Said:
    """Do not carry an item out, or not any further."""
    by = here.helm.require(client)
    return Said(text=(await _done(here, aside(here.actors, lambda: items.skip(_queue(here), str(number), by=by))))[1])


@router.post("/api/queue/items/{number}/retry")
async def retry(here: Here, number: int, client: Client) -> Said:
    """Let an item wait for its turn again."""
    by = here.helm.require(client)
    item = await _done(here, aside(here.actors, lambda: items.retry(_queue(here), str(number), by)))
    return Said(text=f"item {item.number} ({item.name}) waits for its turn again")


@router.post("/api/queue/stop")
async def stop(here: Here, client: Client) -> Said:
    """Let whoever runs the queue end after the item in hand."""
    by = here.helm.require(client)
    return Said(text=await _done(here, aside(here.actors, lambda: items.stop(_queue(here), by=by))))
