"""The mosaic of a run before, used again: brought into this run's folder, and found again on the stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from xrm_control.acquisition.mosaic import EarlierMosaic
from xrm_control.contracts.rois import EarlierRecord
from xrm_control.core.errors import Altered
from xrm_control.core.events import MosaicDoubted, MosaicFoundAgain
from xrm_control.mosaic.earlier import find_again
from xrm_control.mosaic.file import read_mosaic
from xrm_control.mosaic.tiles import FoundAgain, Mosaic, Tile
from xrm_control.processing.earlier import EarlierRun, earlier_run
from xrm_control.session.context import RunContext
from xrm_control.storage.artifacts import record_file
from xrm_control.storage.durable import sha256_bytes, storage_error
from xrm_control.storage.records import ArtifactKind


def bring(run: RunContext, spec: EarlierMosaic) -> None:
    """Copy the earlier mosaic into the run's folder, once: from then on the earlier run may go. Raises XrmError."""
    path = run.folder.earlier_mosaic
    if run.recorded(path.name):
        return
    before = earlier_run(spec.run)
    try:
        data = before.mosaic.read_bytes()
    except OSError as error:
        raise storage_error("the earlier run's mosaic cannot be read", before.mosaic, error) from error
    if sha256_bytes(data) != before.sha256:
        raise _altered(before)
    run.folder.write_bytes(path, data, replace=True)
    record_file(run.folder, run.journal, path, ArtifactKind.CHECK, run.clock.now_s())


def _altered(before: EarlierRun) -> Altered:
    return Altered(
        "the earlier run's mosaic changed while it was read",
        where=str(before.mosaic),
        limit=f"sha256 {before.sha256[:12]}...",
        remedy=f"`xrm verify {before.folder.path}`",
    )


def found_again(run: RunContext, tiles: Sequence[Tile], pixel_um: float) -> Mosaic:
    """The earlier mosaic where the sample lies now, by the tiles that were looked at. Raises UnusableData."""
    earlier = read_mosaic(run.folder.earlier_mosaic)
    if not run.shows_sample:
        # Nothing can be recognised in frames that show no sample.
        return replace(earlier, earlier=FoundAgain(0, 0, (), 0.0, 0.0, None, 0.0))
    return find_again(
        earlier,
        tiles,
        pixel_um,
        reach_um=run.description.camera.field_of_view_um / 2,
        allowed_um=run.recipe.mosaic.stage_accuracy_um + 3 * (earlier.residual_um or 0.0),
        told=run.instrument.sign_of_life,
    )


def tell(run: RunContext, spec: EarlierMosaic, mosaic: Mosaic) -> None:
    """Say how it was found, what no longer looks as it did, and what spoke against it already."""
    found = mosaic.earlier
    if found is None:
        return
    run.events.emit(
        MosaicFoundAgain(_name(spec), found.looks, found.recognised, found.x_um, found.y_um, found.scatter_um or 0.0)
    )
    if mosaic.registration is not None and mosaic.registration.refused:
        run.events.emit(MosaicDoubted(mosaic.registration.refused))
    if found.unlike:
        where = ", ".join(f"row {row + 1} column {column + 1}" for row, column in found.unlike)
        run.events.emit(MosaicDoubted(f"what it shows is not there any more: tile {where}"))


def _name(spec: EarlierMosaic) -> str:
    return Path(spec.run).resolve().name


def earlier_record(run: RunContext, mosaic: Mosaic) -> EarlierRecord | None:
    """As rois.json holds it; None for a mosaic of this run's own."""
    found, spec = mosaic.earlier, run.recipe.mosaic.earlier
    if found is None or spec is None:
        return None
    return EarlierRecord(
        run=_name(spec),
        sha256=run.journal.artifacts()[run.folder.earlier_mosaic.name].sha256,
        looks=found.looks,
        recognised=found.recognised,
        unlike=found.unlike,
        x_um=found.x_um,
        y_um=found.y_um,
        scatter_um=found.scatter_um,
    )
