"""To look back: a night on one page."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import AwareDatetime

from xrm_control.dashboard.models_night import NightView
from xrm_control.dashboard.nights import night_view
from xrm_control.dashboard.routes.asking import Here, aside

router = APIRouter()


@router.get("/api/night")
async def night(here: Here, since: AwareDatetime, until: AwareDatetime) -> NightView:
    """The runs that were carried out between two moments: good ones, problems, what goes on; and the queue."""
    return await aside(here.lookers, lambda: night_view(here.runs, here.queue, since, until))
