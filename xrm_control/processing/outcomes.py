"""The outcomes of every planned frame, added up by kind."""

from __future__ import annotations

from xrm_control.contracts.outcomes import FrameOutcomes
from xrm_control.contracts.plan import PLAN
from xrm_control.core.errors import DataError
from xrm_control.storage.journal_reader import JournalQueries
from xrm_control.storage.run_folder import RunFolder

NOT_BEGUN = "not begun"


def outcomes(folder: RunFolder, journal: JournalQueries) -> dict[str, FrameOutcomes]:
    """By kind of frame; under "not begun" the frames of stages in plan.json that the journal does not know yet.

    The sum is the plan, but for regions that were chosen otherwise than it foresaw.
    """
    found = journal.outcomes()
    begun = {stage.stage for stage in journal.progress()}
    try:
        plan = PLAN.read(folder.plan)
    except DataError:
        # Without a plan, what the journal knows is all that was planned.
        return found
    ahead = sum(stage.frames for stage in plan.stages if stage.name not in begun)
    return {**found, NOT_BEGUN: FrameOutcomes(not_reached=ahead)} if ahead else found
