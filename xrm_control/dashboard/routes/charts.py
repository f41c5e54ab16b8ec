"""Numbers over time: within one run, and from run to run."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from xrm_control.core.states import Verdict
from xrm_control.dashboard.charts import control_chart, numbers
from xrm_control.dashboard.models_charts import ChartNumber, ControlChart, Trends
from xrm_control.dashboard.routes.asking import Here, aside
from xrm_control.dashboard.trends import trends_of

router = APIRouter()


@router.get("/api/runs/{run}/trends")
async def trends(here: Here, run: str) -> Trends:
    """Flux, drift, disk and watched conditions over a run."""
    return await aside(here.lookers, lambda: trends_of(here.runs.open(run)))


@router.get("/api/chart/numbers")
async def chart_numbers(here: Here) -> tuple[ChartNumber, ...]:
    """The numbers of which a control chart can be drawn."""
    return await aside(here.lookers, numbers)


@router.get("/api/chart")
async def chart(
    here: Here,
    number: Annotated[str, Query(max_length=100)],
    search: Annotated[str, Query(max_length=200)] = "",
    verdict: Verdict | None = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
) -> ControlChart:
    """A number over the runs that are found as in the list of runs, as a control chart."""
    return await aside(here.lookers, lambda: control_chart(here.runs, number, search, verdict, since, until))
