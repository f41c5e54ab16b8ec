"""Whether a command can be carried out as a run stands, and what will come of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import assert_never

from xrm_control.contracts.commands import (
    REGION,
    STAGES,
    Abort,
    Add,
    Command,
    Continue,
    Order,
    Pause,
    Skip,
    Stop,
    Until,
)
from xrm_control.contracts.rois import ROIS
from xrm_control.core.errors import RecipeError
from xrm_control.core.states import ENDING, ENDS, RunState
from xrm_control.roi.strategy import Roi
from xrm_control.session.context import RunContext
from xrm_control.session.ordering import require_waiting
from xrm_control.session.regions import require_possible
from xrm_control.session.wishes import Wish


@dataclass(frozen=True)
class Standing:
    """How a run stands that is sent a command. paused: or about to be; closed: nothing is taken any more; region: the
    one that is being scanned; rois: once they are chosen; over: stages that are.
    """

    run: RunContext
    paused: bool
    closed: bool
    region: str | None
    rois: Sequence[Roi]
    over: Collection[str]

    @property
    def names(self) -> list[str]:
        """The regions, also where a run that is gone on with has not come to them yet."""
        if not self.rois and self.run.recorded("rois.json"):
            return [roi.name for roi in ROIS.read(self.run.folder.rois).rois]
        return [roi.name for roi in self.rois]

    def answer(self, wish: Wish) -> str:
        """What will come of a command. Raises RecipeError where it cannot be carried out, SafetyRefusal where the stage
        cannot go.
        """
        state, command = self.run.states.state, wish.command
        # Paused before its end it waits for one of these, and for nobody else.
        released = self.paused and isinstance(command, Continue | Abort)
        if (self.closed and not released) or state in (*ENDING, *ENDS):
            raise refusal(command, f"the run is {state}", "nothing is taken any more", "`xrm status` tells its end")
        match command:
            case Pause():
                if state is RunState.PAUSED or self.paused:
                    raise refusal(command, "the run is paused already", state, "`xrm continue` goes on")
                held = state is RunState.HELD
                return "pauses when what it waits for is over" if held else "pauses after the frame in flight"
            case Continue():
                if not self.paused:
                    what = "it waits, and goes on by itself" if state is RunState.HELD else "it is not paused"
                    raise refusal(command, what, state, "`xrm status` tells what it does")
                return "goes on"
            case Skip():
                return self._skipped(command)
            case Order():
                require_waiting(command, self.names, self.run.journal)
                return "the order is changed" if self.rois else "the order is changed when the run comes to its regions"
            case Add():
                return self._added(command, wish.by)
            case Until():
                return self._until(command)
            case Stop(after=after):
                return f"ends after this {after}"
            case Abort():
                return "ends now"
            case _:
                assert_never(command)

    def _skipped(self, command: Skip) -> str:
        names, roi = self.names, command.roi
        if roi not in names:
            known = ", ".join(names) or "none is chosen yet"
            raise refusal(command, "no such region", roi, f"the regions: {known}")
        life = self.run.journal.roi_states().get(roi)
        if life is not None:
            raise refusal(command, "its scan is over", life.state, "its files stay; leave it out of what you read")
        return "is set aside after the frame in flight" if roi == self.region else "is set aside"

    def _added(self, command: Add, by: str) -> str:
        if self.rois:
            return "is added"
        require_possible(self.run, command, by)
        if self.names:
            return "is added when the run comes to its regions"
        return "is scanned in place of the regions that the recipe would choose"

    def _until(self, command: Until) -> str:
        names, stage = self.names, command.stage
        if stage in self.over or stage in self.run.journal.roi_states():
            raise refusal(command, "is over already", stage, "name a later stage, or `xrm stop`")
        known = stage in names if names else bool(REGION.fullmatch(stage))
        if stage not in STAGES and not known:
            raise refusal(command, "no such stage", stage, f"stages: {', '.join((*STAGES, *names))}")
        return f"ends after {stage}"


def refusal(command: Command, what: str, value: object, remedy: str) -> RecipeError:
    """Of a command, in words."""
    return RecipeError(what, where=command.text, value=str(value), remedy=remedy)
