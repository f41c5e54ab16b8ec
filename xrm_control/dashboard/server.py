"""The server: what is read, and letters to runs. `create_app` is the whole of it, for tests and for `serve`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from xrm_control.core.clock import Clock, utc_now
from xrm_control.core.errors import (
    CommandRefusal,
    CommandUnanswered,
    DataError,
    RecipeError,
    ResourceLocked,
    SafetyRefusal,
    XrmError,
)
from xrm_control.core.tasks import begin
from xrm_control.core.version import __version__
from xrm_control.dashboard.access import Access, Gate
from xrm_control.dashboard.control import Helm
from xrm_control.dashboard.drafts import Recipes, refusal
from xrm_control.dashboard.models import Refusal
from xrm_control.dashboard.queues import runs_of
from xrm_control.dashboard.rehearsing import Rehearser
from xrm_control.dashboard.runs import RunsFolder
from xrm_control.dashboard.starting import Starter
from xrm_control.dashboard.watching import Watch

# What a viewer asks for, what an operator wants, what is looked at all the time: none waits for another.
_LOOKERS, _ACTORS, _WATCHERS = 4, 8, 2


@dataclass
class Window:
    """What the routes share."""

    runs: RunsFolder
    recipes: Recipes
    access: Access
    starter: Starter
    rehearser: Rehearser
    queue: Path | None = None
    helm: Helm = field(default_factory=Helm)
    lookers: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_LOOKERS, "look"))
    actors: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_ACTORS, "act"))
    watchers: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_WATCHERS, "watch"))
    watches: dict[str, Watch] = field(default_factory=dict[str, Watch])
    under_way: dict[str, asyncio.Task[str]] = field(default_factory=dict[str, asyncio.Task[str]])

    async def once(self, request: str, act: Callable[[], str]) -> str:
        """What comes of an act, in a thread. Asked for again while it is under way, the same one is waited for: what
        has been done before is known by its files, and what is being done by this.
        """
        if request not in self.under_way:
            self.under_way[request] = begin(self._acted(request, act))
        return await asyncio.shield(self.under_way[request])

    async def _acted(self, request: str, act: Callable[[], str]) -> str:
        try:
            return await asyncio.get_running_loop().run_in_executor(self.actors, act)
        finally:
            del self.under_way[request]

    def watch(self, name: str) -> Watch:
        """The one look at a run. Raises DataError where there is no such run."""
        folder = self.runs.open(name)
        self.watches = {known: watch for known, watch in self.watches.items() if watch.viewers or known == name}
        if name not in self.watches:
            self.watches[name] = Watch(folder, self.watchers, Clock(utc_now()))
        return self.watches[name]


def create_app(root: Path, recipes: Path, access: Access, queue: Path | None = None) -> FastAPI:
    """root: the folder of the runs; recipes: of those that may be started; queue: whose items' runs are shown too."""
    from xrm_control.dashboard.routes import acting, charts, looking, nights, queueing, rehearsals, streaming

    runs = RunsFolder(root, lambda: runs_of(queue))
    window = Window(runs, Recipes(recipes, root), access, Starter(root), Rehearser(root), queue)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        window.rehearser.cancel()
        for pool in (window.lookers, window.actors, window.watchers):
            pool.shutdown(wait=False, cancel_futures=True)

    app = FastAPI(
        title="xrm_control", version=__version__, docs_url=None, redoc_url=None, openapi_url="/api/openapi.json",
        lifespan=lifespan, responses={code: {"model": Refusal} for code in (400, 403, 404, 409, 413, 422, 504)},
    )  # fmt: skip
    app.state.window = window
    for routes in (looking, streaming, acting, rehearsals, nights, charts, queueing):
        app.include_router(routes.router)
    static = resources.files("xrm_control") / "dashboard" / "static"
    page = Path(str(static)) / "index.html"
    app.add_api_route("/", lambda: FileResponse(page), include_in_schema=False, response_model=None)
    app.mount("/static", StaticFiles(directory=str(static)))
    app.add_exception_handler(XrmError, _told)
    app.add_exception_handler(RequestValidationError, _misunderstood)
    app.add_middleware(Gate, access=access)
    return app


def _told(_: Request, error: Exception) -> JSONResponse:
    """An error of ours as an answer."""
    if not isinstance(error, XrmError):
        raise error
    return JSONResponse(refusal(error).model_dump(), status_code=status_of(error))


def _misunderstood(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    told = Refusal(what=str(first["msg"]), where=where, value=repr(first.get("input"))[:200])
    return JSONResponse(told.model_dump(), status_code=422)


def status_of(error: XrmError) -> int:
    """The status that tells a script what kind of error it is."""
    match error:
        case CommandUnanswered():
            return 504
        case CommandRefusal() | ResourceLocked():
            return 409
        case SafetyRefusal():
            return 403
        case RecipeError():
            return 400
        case DataError():
            return 404
        case _:
            return 409
