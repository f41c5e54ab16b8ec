"""A run's volumes, measured again with other settings."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import FileResponse

from xrm_control.dashboard.again import Analyst, measurements, report_of
from xrm_control.dashboard.drafts import overrides
from xrm_control.dashboard.guests import Guests
from xrm_control.dashboard.models import Said
from xrm_control.dashboard.models_again import Again, Measurements
from xrm_control.dashboard.routes.asking import Client, Here, aside

router = APIRouter()


@router.get("/api/runs/{run}/reanalyses")
async def listed(here: Here, run: str) -> Measurements:
    """What the run found out itself, and what was measured again since."""
    return await aside(here.lookers, lambda: measurements(Analyst(Guests(here.runs.root)), here.runs.open(run)))


@router.post("/api/runs/{run}/reanalyses")
async def begin(here: Here, run: str, wanted: Again, client: Client) -> Said:
    """Measure the volumes again, beside the run's own results; nothing is acquired or reconstructed."""
    here.helm.require(client)
    folder = here.runs.open(run)
    settings = [f"{path}={value}" for path, value in overrides(wanted.settings).items()]
    analyst = Analyst(Guests(here.runs.root))
    act = here.once(wanted.request, (run, wanted), lambda: analyst.begin(folder, settings, wanted.request))
    return Said(text=await act)


@router.get("/api/runs/{run}/reanalyses/{key}/report.html", response_class=FileResponse)
async def report(here: Here, run: str, key: str) -> FileResponse:
    """The report of a re-analysis."""
    path = await aside(here.lookers, lambda: report_of(here.runs.open(run), key))
    return FileResponse(path, media_type="text/html; charset=utf-8")
