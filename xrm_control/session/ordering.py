"""The order in which regions are scanned: changed by operators, for those whose scan has not begun."""

from __future__ import annotations

from collections.abc import Sequence

from xrm_control.contracts.commands import Order
from xrm_control.contracts.rois import ROIS
from xrm_control.core.errors import RecipeError
from xrm_control.roi.strategy import Roi
from xrm_control.session.context import RunContext
from xrm_control.session.stages import record_artifact
from xrm_control.storage.journal_reader import JournalQueries


def require_waiting(order: Order, names: Sequence[str], journal: JournalQueries) -> None:
    """Raise RecipeError unless all regions of an order are among `names`, and none has been begun."""
    waiting = waiting_of(names, journal)
    for roi in order.rois:
        if roi not in names:
            known = ", ".join(names) or "none is chosen yet"
            raise RecipeError("no such region", where=order.text, value=roi, remedy=f"the regions: {known}")
        if roi not in waiting:
            life = journal.roi_states().get(roi)
            what = "its scan has begun" if life is None else "its scan is over"
            left = ", ".join(waiting) or "none"
            raise RecipeError(what, where=order.text, value=roi, remedy=f"those that wait: {left}")


def waiting_of(names: Sequence[str], journal: JournalQueries) -> list[str]:
    """Regions of which nothing was begun and none is set aside, in order."""
    over = journal.roi_states()
    return [roi for roi in names if roi not in over and not journal.planned_frames(roi)]


def reordered(rois: Sequence[Roi], order: Order, journal: JournalQueries) -> list[Roi]:
    """The regions of the order first of those that wait, then the others that wait; who does not wait stays where it
    stands. A region that has been begun meanwhile is passed over.
    """
    waiting = waiting_of([roi.name for roi in rois], journal)
    named = [roi for roi in order.rois if roi in waiting]
    wanted = iter([*named, *(roi for roi in waiting if roi not in named)])
    by_name = {roi.name: roi for roi in rois}
    return [by_name[next(wanted)] if roi.name in waiting else roi for roi in rois]


async def record_order(run: RunContext, rois: Sequence[Roi]) -> None:
    """rois.json in the order of `rois`, durable and in the journal: whoever goes on with the run keeps to it."""
    place = run.folder.rois
    names = [roi.name for roi in rois]

    def write() -> None:
        before = ROIS.read(place)
        after = before.model_copy(update={"rois": tuple(sorted(before.rois, key=lambda roi: names.index(roi.name)))})
        run.folder.write_text(place, ROIS.text(after), replace=True)

    await run.on_disk(write)
    record_artifact(run, ROIS.name, "rois")
