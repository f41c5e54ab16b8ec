"""To look: runs, their pictures, volumes and tables. Nothing is changed by any of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse
from pydantic import AwareDatetime

from xrm_control.core.states import Level, Verdict
from xrm_control.dashboard import metrics
from xrm_control.dashboard.files import TYPES, file_of
from xrm_control.dashboard.lines import lines_before, lines_since
from xrm_control.dashboard.meshes import mesh_file, shown, warm
from xrm_control.dashboard.models import Control, Lines, RecipeCard, Setting
from xrm_control.dashboard.models_mosaic import MosaicView, Regions
from xrm_control.dashboard.models_run import Runs, RunView
from xrm_control.dashboard.models_table import Planes, Table
from xrm_control.dashboard.mosaic import mosaic_view, regions_view
from xrm_control.dashboard.pictures import frame_png, mosaic_png
from xrm_control.dashboard.routes.asking import Asker, Here, aside
from xrm_control.dashboard.run_order import RunOrder
from xrm_control.dashboard.tables import table
from xrm_control.dashboard.view import look
from xrm_control.dashboard.volumes import Plane, Section, label_section, planes, section

router = APIRouter()
Width = Annotated[int, Query(ge=16, le=2048)]
_BYTES: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": {}}}}
_PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}}}


@router.get("/api/runs")
async def list_runs(
    here: Here,
    search: Annotated[str, Query(max_length=200)] = "",
    verdict: Verdict | None = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    order: RunOrder = RunOrder.BEGUN,
    descending: bool = True,
) -> Runs:
    """The one begun last first, unless another order is wanted; since, until: those that were carried out at a time
    between them.
    """

    def found() -> Runs:
        return here.runs.list(
            search, verdict, offset, limit, since=since, until=until, order=order, descending=descending
        )

    return await aside(here.lookers, found)


@router.get("/api/runs/{run}")
async def run_view(here: Here, run: str) -> RunView:
    """A run as it stands."""
    return await aside(here.lookers, lambda: look(here.runs.open(run)))


@router.get("/api/runs/{run}/mosaic")
async def mosaic(here: Here, run: str) -> MosaicView:
    """Its tiles, and where the stitched picture lies."""
    return await aside(here.lookers, lambda: mosaic_view(here.runs.open(run)))


@router.get("/api/runs/{run}/regions")
async def regions(here: Here, run: str) -> Regions:
    """Its regions as they stand."""
    return await aside(here.lookers, lambda: regions_view(here.runs.open(run)))


@router.get("/api/runs/{run}/lines")
async def lines(
    here: Here,
    run: str,
    before: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    after: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    level: Level = Level.INFO,
) -> Lines:
    """The newest lines of its log, or those before one; after: the next ones of all levels, as a stream tells them."""
    if after is not None:
        return await aside(here.lookers, lambda: lines_since(here.runs.open(run), after, limit))
    return await aside(here.lookers, lambda: lines_before(here.runs.open(run), before, limit, level))


@router.get("/api/runs/{run}/frames/{group}/{frame}.png", responses=_PNG, response_class=Response)
async def frame(here: Here, run: str, group: str, frame: str, width: Width = 512) -> Response:
    """A kept frame."""
    data = await aside(here.lookers, lambda: frame_png(here.runs.open(run), f"{group}/{frame}", width))
    return Response(data, media_type="image/png")


@router.get("/api/runs/{run}/mosaic.png", responses=_PNG, response_class=Response)
async def mosaic_picture(here: Here, run: str, width: Width = 2048) -> Response:
    """The stitched mosaic, without anything drawn on it."""
    return Response(await aside(here.lookers, lambda: mosaic_png(here.runs.open(run), width)), media_type="image/png")


@router.get("/api/runs/{run}/files/{name:path}", response_class=FileResponse)
async def file(here: Here, run: str, name: str) -> FileResponse:
    """Reports, tables and previews."""
    path = await aside(here.lookers, lambda: file_of(here.runs.open(run), name))
    return FileResponse(path, media_type=TYPES[path.suffix])


@router.get("/api/runs/{run}/regions/{roi}/planes")
async def volume(here: Here, run: str, roi: str) -> Planes:
    """What the volume of a region offers."""
    return await aside(here.cutters, lambda: planes(here.runs.open(run).roi(roi)))


@router.get("/api/runs/{run}/regions/{roi}/planes/{plane}/{index}", responses=_BYTES, response_class=Response)
async def grey_plane(here: Here, run: str, roi: str, plane: Plane, index: int) -> Response:
    """A plane in grey, a byte a pixel."""
    return _pixels(await aside(here.cutters, lambda: section(here.runs.open(run).roi(roi), plane, index)))


@router.get("/api/runs/{run}/regions/{roi}/labels/{plane}/{index}", responses=_BYTES, response_class=Response)
async def label_plane(here: Here, run: str, roi: str, plane: Plane, index: int) -> Response:
    """The numbers of the particles in a plane, two bytes a pixel."""
    return _pixels(await aside(here.cutters, lambda: label_section(here.runs.open(run).roi(roi), plane, index)))


@router.get("/api/runs/{run}/regions/{roi}/particles/{particle}/mesh", responses=_BYTES, response_class=Response)
async def particle_mesh(here: Here, run: str, roi: str, particle: int, voids: bool = False) -> Response:
    """The surface of a particle, or the walls of its voids, as STL. X-Blocks: why it runs along the voxels."""
    found = await aside(here.lookers, lambda: shown(here.runs.open(run), roi, particle, voids=voids))
    about = {"x-blocks": quote(found.blocks)} if found.blocks else {}
    return Response(found.data, media_type="application/octet-stream", headers=about)


@router.get("/api/runs/{run}/regions/{roi}/particles/{particle}/mesh/{kind}", responses=_BYTES, response_class=Response)
async def particle_mesh_file(here: Here, run: str, roi: str, particle: int, kind: str) -> Response:
    """The surface of a particle with the walls of its voids, to be kept: stl, ply, glb."""
    file = await aside(here.lookers, lambda: mesh_file(here.runs.open(run), roi, particle, kind))
    about = {"content-disposition": f'attachment; filename="{file.name}"'}
    return Response(file.data, media_type=file.media_type, headers=about)


@router.get("/api/runs/{run}/tables/{name}", response_model=Table)
async def rows(
    here: Here,
    run: str,
    name: Literal["particles", "voids"],
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=100_000)] = 100_000,
    columns: Annotated[str, Query(max_length=10_000)] = "",
) -> Response:
    """particles.csv or voids.csv, of the regions that have been measured so far. columns: names with commas; those of
    them that there are, and none for all.
    """
    wanted = tuple(word for word in columns.split(",") if word)

    def told() -> str:
        return table(here.runs.open(run), name, offset, limit, wanted).model_dump_json()

    answer = Response(await aside(here.lookers, told), media_type="application/json")
    # Whoever looks at particles will turn one.
    here.cutters.submit(warm)
    return answer


@router.get("/api/recipes")
async def list_recipes(here: Here) -> list[RecipeCard]:
    """Those that may be started."""
    return await aside(here.lookers, here.recipes.list)


@router.get("/api/recipes/{name}/settings")
async def settings(here: Here, name: str) -> list[Setting]:
    """What can be set in a recipe."""
    return await aside(here.lookers, lambda: here.recipes.settings(name))


@router.get("/api/control")
async def control(here: Here, role: Asker, client: Annotated[str, Query(max_length=100)] = "") -> Control:
    """Who is in control."""
    return here.helm.told(client, role, local=here.access.open)


@router.get("/metrics", response_class=Response)
async def prometheus(here: Here) -> Response:
    """Figures for Prometheus."""
    return Response(
        await aside(here.lookers, lambda: metrics.exposition(here.runs)), media_type=metrics.CONTENT_TYPE_LATEST
    )


def _pixels(plane: Section) -> Response:
    rows_, columns = plane.pixels.shape
    about = {"x-rows": str(rows_), "x-columns": str(columns)}
    return Response(plane.data, media_type="application/octet-stream", headers=about)
