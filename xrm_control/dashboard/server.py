"""The server: what is read, and letters to runs. `create_app` is the whole of it, for tests and for `serve`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from importlib import resources
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

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
from xrm_control.dashboard.guests import Guests
from xrm_control.dashboard.models import Refusal
from xrm_control.dashboard.queues import QueueLooks, runs_of
from xrm_control.dashboard.rehearsing import Rehearser
from xrm_control.dashboard.runs import RunsFolder
from xrm_control.dashboard.starting import Starter
from xrm_control.dashboard.watching import Watch

# What viewers ask for, planes of volumes, what operators want, what is looked at all the time: none waits for another.
_LOOKERS, _CUTTERS, _ACTORS, _WATCHERS = 4, 2, 8, 2
REFUSED = (400, 401, 403, 404, 405, 408, 409, 413, 421, 422, 429, 504)
"""The statuses of refusals, each told as a `Refusal`."""


@dataclass
class Window:
    """What the routes share."""

    runs: RunsFolder
    recipes: Recipes
    access: Access
    starter: Starter
    rehearser: Rehearser
    queue: Path | None = None
    queue_looks: QueueLooks = field(default_factory=QueueLooks)
    helm: Helm = field(default_factory=Helm)
    lookers: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_LOOKERS, "look"))
    cutters: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_CUTTERS, "cut"))
    actors: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_ACTORS, "act"))
    watchers: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_WATCHERS, "watch"))
    watches: dict[str, Watch] = field(default_factory=dict[str, Watch])
    under_way: dict[str, tuple[object, asyncio.Task[str]]] = field(
        default_factory=dict[str, tuple[object, asyncio.Task[str]]]
    )

    async def once(self, request: str, what: object, act: Callable[[], str]) -> str:
        """What comes of an act, in a thread. Asked for again while it is under way, the same one is waited for: what
        has been done before is known by its files, and what is being done by this.

        what: the act as it was asked for. Raises CommandRefusal where another one of the same name is under way.
        """
        if request not in self.under_way:
            self.under_way[request] = what, begin(self._acted(request, act))
        known, task = self.under_way[request]
        if known != what:
            raise CommandRefusal(
                "this request is something else's", where=request, remedy="give each request a name of its own"
            )
        return await asyncio.shield(task)

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
    from xrm_control.dashboard.routes import (
        acting,
        again,
        charts,
        looking,
        nights,
        queueing,
        rehearsals,
        streaming,
    )

    runs = RunsFolder(root, lambda: runs_of(queue))
    window = Window(runs, Recipes(recipes, root), access, Starter(Guests(root)), Rehearser(root), queue)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        window.rehearser.cancel()
        for pool in (window.lookers, window.cutters, window.actors, window.watchers):
            pool.shutdown(wait=False, cancel_futures=True)

    app = FastAPI(
        title="xrm_control", version=__version__, docs_url=None, redoc_url=None, openapi_url="/api/openapi.json",
        lifespan=lifespan, redirect_slashes=False, responses={code: {"model": Refusal} for code in REFUSED},
    )  # fmt: skip
    app.state.window = window
    for routes in (looking, streaming, acting, again, rehearsals, nights, charts, queueing):
        app.include_router(routes.router)
    static = resources.files("xrm_control") / "dashboard" / "static"
    page = Path(str(static)) / "index.html"
    app.add_api_route("/", lambda: FileResponse(page), include_in_schema=False, response_model=None)
    app.mount("/static", StaticFiles(directory=str(static)))
    app.add_exception_handler(XrmError, _told)
    app.add_exception_handler(RequestValidationError, _misunderstood)
    app.add_exception_handler(HTTPException, _not_so)
    app.add_middleware(Gate, access=access, build=_build(Path(str(static))))
    return app


def _build(static: Path) -> str:
    """Other where the version, or a file of the page, is."""
    files = sorted(path for path in static.rglob("*") if path.is_file())
    told = sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    return f"{__version__}-{told[:12]}"


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


def _not_so(request: Request, error: Exception) -> JSONResponse:
    """What the framework itself refuses: no such address, not in this way, no JSON."""
    if not isinstance(error, HTTPException):
        raise error
    headers = dict(error.headers or {})
    if error.status_code == 405:
        routes = [one for one in request.app.router.routes if isinstance(one, Route)]
        here = [one.methods or () for one in routes if one.matches(request.scope)[0] is not Match.NONE]
        headers["allow"] = ", ".join(sorted({method for methods in here for method in methods}))
    told = Refusal(what=error.detail[:1].lower() + error.detail[1:], where=request.url.path[:200])
    return JSONResponse(told.model_dump(), status_code=error.status_code, headers=headers)


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
