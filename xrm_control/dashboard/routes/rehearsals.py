"""To rehearse a draft before it is started: in a process of its own, one at a time."""

from __future__ import annotations

from fastapi import APIRouter

from xrm_control.dashboard.drafts import overrides
from xrm_control.dashboard.models import Start
from xrm_control.dashboard.models_rehearsal import RehearsalView
from xrm_control.dashboard.routes.asking import Here, aside

router = APIRouter()


@router.get("/api/rehearsal")
async def rehearsal(here: Here) -> RehearsalView:
    """The newest rehearsal as it stands."""
    return here.rehearser.told()


@router.post("/api/rehearsal")
async def begin(here: Here, draft: Start) -> RehearsalView:
    """Begin to rehearse a draft, without images; nothing moves. The same request again is not carried out twice."""

    def act() -> RehearsalView:
        settings = [f"{path}={value}" for path, value in overrides(draft.settings).items()]
        plan = here.recipes.check(draft).plan
        return here.rehearser.begin(draft, here.recipes.path(draft.file), settings, plan)

    return await aside(here.actors, act)


@router.post("/api/rehearsal/cancel")
async def cancel(here: Here) -> RehearsalView:
    """End what is played; nothing happens where nothing is."""
    return here.rehearser.cancel()
