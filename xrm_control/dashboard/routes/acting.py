"""To act: letters to runs, and processes that carry runs out. Each says who wants it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body

from xrm_control import app
from xrm_control.contracts.commands import Add
from xrm_control.core.errors import RecipeError
from xrm_control.dashboard.costs import cost_of
from xrm_control.dashboard.drafts import overrides
from xrm_control.dashboard.models import Control, Cost, Draft, DraftView, Request, Said, Start, Take, Wish
from xrm_control.dashboard.models_run import ActionView
from xrm_control.dashboard.routes.asking import Asker, Client, Here, aside

router = APIRouter()


@router.post("/api/runs/{run}/cost")
async def cost(here: Here, run: str, place: Annotated[Add, Body()]) -> Cost:
    """What one more place would cost; nothing is done."""
    return await aside(here.lookers, lambda: cost_of(here.runs.open(run), place))


@router.post("/api/runs/{run}/commands")
async def command(here: Here, run: str, wish: Wish, client: Client) -> Said:
    """Send a command to a run; what it says. The same request again is not carried out twice."""
    by = here.helm.require(client, wish.command)
    folder = here.runs.open(run)
    text = await here.once(
        wish.request,
        (run, wish.command),
        lambda: app.send(folder.path, wish.command, on_behalf_of=by, request=wish.request),
    )
    return Said(text=text)


@router.post("/api/runs/{run}/resume")
async def resume(here: Here, run: str, wanted: Request, client: Client) -> Said:
    """Go on with a run that nobody carries out, in a process of its own."""
    here.helm.require(client)
    folder = here.runs.open(run)
    act = here.once(wanted.request, (run, "resume"), lambda: here.starter.resume(folder, wanted.request))
    return Said(text=await act)


@router.post("/api/runs")
async def start(here: Here, draft: Start, client: Client) -> Said:
    """Start a recipe; the name of its run."""
    here.helm.require(client)

    here.recipes.path(draft.file)

    def begin() -> str:
        faults = here.recipes.check(draft).faults
        if faults:
            raise RecipeError("\n".join(fault.what for fault in faults))
        settings = [f"{path}={value}" for path, value in overrides(draft.settings).items()]
        return here.starter.run(here.recipes.path(draft.file), settings, draft.request)

    return Said(text=await here.once(draft.request, draft, begin))


@router.post("/api/drafts/check")
async def check(here: Here, draft: Draft) -> DraftView:
    """What is wrong with a draft, and what it will cost; nothing is done."""
    view = await aside(here.lookers, lambda: here.recipes.check(draft))
    reason = here.rehearser.obstacle(view.plan)
    rehearse = ActionView(name="rehearse", possible=not reason, reason=reason)
    return view.model_copy(update={"rehearse": rehearse})


@router.post("/api/control/take")
async def take(here: Here, role: Asker, wanted: Take, client: Client) -> Control:
    """Take control, from whoever has it. Raises SafetyRefusal where it is to be free, and somebody has it."""
    if wanted.free:
        here.helm.require(client)
    here.helm.take(client, wanted.name)
    return here.helm.told(client, role, local=here.access.open)


@router.post("/api/control/release")
async def release(here: Here, role: Asker, client: Client) -> Control:
    """Leave control to whoever comes."""
    here.helm.release(client)
    return here.helm.told(client, role, local=here.access.open)
