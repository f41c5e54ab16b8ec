"""To watch: server-sent events, with the journal's own numbers, so that whoever comes again goes on where it was."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Query
from sse_starlette import EventSourceResponse, ServerSentEvent

from xrm_control.core.errors import XrmError
from xrm_control.dashboard.models import Line, Refusal
from xrm_control.dashboard.routes.asking import Here
from xrm_control.dashboard.watching import Watch

router = APIRouter()
_PING_S = 15
MOST_VIEWERS = 200
"""Of one server: more could leave none of its connections to those who act."""


@router.get("/api/runs/{run}/stream", response_class=EventSourceResponse)
async def stream(
    here: Here,
    run: str,
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
    last_event_id: Annotated[str, Header(max_length=20)] = "",
) -> EventSourceResponse:
    """`line`: each line of the log with a number above `after`, or above Last-Event-ID; `run`, `mosaic`, `regions`: as
    they stand, each when it has changed; `trouble`: why the run cannot be looked at. Raises HTTPException (429) for
    one viewer too many.
    """
    since = min(int(last_event_id), 2**53) if last_event_id.isascii() and last_event_id.isdecimal() else after
    if sum(watch.viewers for watch in here.watches.values()) >= MOST_VIEWERS:
        raise HTTPException(429, f"{MOST_VIEWERS} look on already: close some of the pages that are open")
    return EventSourceResponse(_told(here.watch(run), since), ping=_PING_S, send_timeout=30)


async def _lines(watch: Watch, after: int) -> list[Line]:
    """None of a run that cannot be read now: that is told as its trouble."""
    try:
        return await watch.lines(after)
    except (XrmError, OSError):
        return []


async def _told(watch: Watch, after: int) -> AsyncIterator[ServerSentEvent]:
    told: dict[str, str] = {}
    async with watch.watched():
        while True:
            version, problem = watch.version, watch.problem
            while lines := await _lines(watch, after):
                for line in lines:
                    yield ServerSentEvent(line.model_dump_json(), event="line", id=str(line.id))
                after = lines[-1].id
            for name, text in watch.parts.items():
                if told.get(name) != text:
                    told[name] = text
                    yield ServerSentEvent(text, event=name)
            if not problem and told.pop("trouble", ""):
                # Only news of the run takes the trouble off the page.
                yield ServerSentEvent(watch.parts.get("run", "{}"), event="run")
            if problem and told.get("trouble") != problem:
                told["trouble"] = problem
                yield ServerSentEvent(Refusal(what=problem).model_dump_json(), event="trouble")
            await watch.changed(version, _PING_S)
