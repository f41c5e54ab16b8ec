"""Making the morning page, and keeping what it is made of. A page that cannot be made ends no night."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from xrm_control.app.queue.facts import told_of
from xrm_control.contracts.morning import EVIDENCE, MORNING, Evidence, Morning
from xrm_control.contracts.queue import Item, QueueSettings
from xrm_control.core.clock import utc_now
from xrm_control.core.errors import DataError, XrmError
from xrm_control.processing.evidence import evidence
from xrm_control.processing.morning import MOSAIC_PICTURE, PARTICLE_PICTURE, morning
from xrm_control.storage.durable import write_durable
from xrm_control.storage.queue_folder import QueueFolder

Tell = Callable[[str], None]

# What reading others' files and drawing pictures may fail with.
_FAILURES = (XrmError, ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)


def report(queue: Path) -> tuple[Path, Morning]:
    """Write the morning page anew, from the runs' own files as they are now; returns where it is."""
    folder = QueueFolder.open(queue)
    for item in folder.read().items.values():
        note_evidence(folder, item, lambda _: None)
    made = _made(folder, running=folder.runner() is not None)
    _write(folder, made)
    return folder.morning_html, made


def as_of_now(queue: Path) -> Morning:
    """What the page would tell now; nothing is written. Raises DataError for what is no queue."""
    folder = QueueFolder.open(queue)
    return _made(folder, running=folder.runner() is not None)


def note_evidence(folder: QueueFolder, item: Item, tell: Tell) -> None:
    """Keep what an item's run shows, with its pictures."""
    from xrm_control.reporting.morning_pictures import mosaic_picture, particle_picture

    place = folder.folder(item.number)
    run = place.run()
    if run is None:
        return
    try:
        told = evidence(run, place.path, item.cost)
        for name, draw in ((MOSAIC_PICTURE, mosaic_picture), (PARTICLE_PICTURE, particle_picture)):
            picture = draw(run)
            if picture is not None:
                write_durable(place.path / name, picture, replace=True)
        # Last: where it is, the pictures are.
        write_durable(place.evidence, EVIDENCE.text(told).encode(), replace=True)
    except _FAILURES as error:
        tell(f"item {item.number} ({item.name}): its evidence cannot be kept: {error}")


def write_page(folder: QueueFolder, *, running: bool, tell: Tell) -> None:
    """The page as of now; what was noted of items that have ended is taken as it was noted."""
    try:
        _write(folder, _made(folder, running=running))
    except _FAILURES as error:
        tell(f"the morning page cannot be written: {error}; `xrm queue report` tries again")


def _made(folder: QueueFolder, *, running: bool) -> Morning:
    contents, problems = folder.read(), list[str]()
    try:
        settings = folder.settings()
    except DataError as error:
        settings = QueueSettings()
        problems.append(f"{error}: `xrm queue set` begins it anew")
    folders, found = folder.folders(), dict[int, Evidence]()
    for number, item in contents.items.items():
        run = folders[number].run() if item.begun and number in folders else None
        if run is not None:
            found[number] = told_of(folders[number], item, run)
    return morning(folder, contents, settings, found, utc_now(), running=running, problems=problems)


def _write(folder: QueueFolder, made: Morning) -> None:
    from xrm_control.reporting.morning import build_page

    page = build_page(made, folder.path)
    with folder.editing():
        folder.write_page(MORNING.text(made), page)
