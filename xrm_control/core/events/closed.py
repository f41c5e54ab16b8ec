"""The closed set of events: a `match` on it that forgets one is found by the type checker."""

from __future__ import annotations

from xrm_control.core.events.alerts import AlertSent, AlertUndelivered
from xrm_control.core.events.alignment import AlignmentHeld, AlignmentLook, AlignmentNotHeld
from xrm_control.core.events.commands import CommandDone, CommandRefused, CommandTaken, PauseDisturbed, RunStopped
from xrm_control.core.events.conditions import BudgetSpent, ConditionEnded, ConditionViolated, PolicyApplied
from xrm_control.core.events.frames import (
    AttemptClosed,
    FrameAdopted,
    FrameConfirmed,
    FrameKept,
    FrameMissing,
    FramePostponed,
    FrameRetaken,
    FrameWithdrawn,
    ReferenceDoubted,
)
from xrm_control.core.events.instrument import (
    DeviceTriedAgain,
    InstrumentAwaited,
    InstrumentBegun,
    InstrumentLost,
    InstrumentReached,
    MoveInterrupted,
    MoveStalled,
    SafeStateFailed,
    SafeStateLeft,
    SafeStateVerified,
    ShutterStaysOpen,
    SourceDown,
)
from xrm_control.core.events.mosaic import MosaicDoubted, MosaicFoundAgain, MosaicPlaced, NoRegions, PlacesLeft
from xrm_control.core.events.regions import (
    ExpectationCorrected,
    PreviewBegun,
    PreviewEnded,
    PreviewSkipped,
    ReconstructionWarned,
    RegionDoubted,
    RoiChosen,
    RoiMoved,
    RoiNotCompared,
    RoiPlaced,
    RoiQuarantined,
    RoiStateEntered,
    RotationPairLost,
    RowsReconstructed,
)
from xrm_control.core.events.resuming import (
    LimitsDiffer,
    LimitsKnown,
    RunResumed,
    SampleCompared,
    SampleNotCompared,
    ScanBegunAnew,
)
from xrm_control.core.events.run import (
    FileQuarantined,
    ListenerFailed,
    ListenerLost,
    RecipeDoubted,
    ReportBegun,
    ReportFailed,
    RunAborted,
    RunFailed,
    RunFolderMade,
    RunHeld,
    RunInterrupted,
    RunReleased,
    RunReplanned,
    StageBegun,
    StageEnded,
    StagePlanned,
    StateEntered,
    WorkersAway,
)

AnyEvent = (
    FrameKept
    | FrameRetaken
    | FramePostponed
    | FrameMissing
    | FrameConfirmed
    | FrameWithdrawn
    | ReferenceDoubted
    | FrameAdopted
    | AttemptClosed
    | InstrumentBegun
    | InstrumentReached
    | InstrumentAwaited
    | InstrumentLost
    | SourceDown
    | MoveStalled
    | AlignmentHeld
    | AlignmentLook
    | AlignmentNotHeld
    | MosaicDoubted
    | MosaicFoundAgain
    | MosaicPlaced
    | NoRegions
    | PlacesLeft
    | MoveInterrupted
    | DeviceTriedAgain
    | ConditionViolated
    | ConditionEnded
    | PolicyApplied
    | BudgetSpent
    | AlertSent
    | AlertUndelivered
    | ShutterStaysOpen
    | SafeStateVerified
    | SafeStateFailed
    | SafeStateLeft
    | RoiChosen
    | RoiStateEntered
    | RoiQuarantined
    | RoiPlaced
    | RoiNotCompared
    | RoiMoved
    | RotationPairLost
    | ReconstructionWarned
    | RegionDoubted
    | ExpectationCorrected
    | RowsReconstructed
    | PreviewBegun
    | PreviewSkipped
    | PreviewEnded
    | RunFolderMade
    | RecipeDoubted
    | StateEntered
    | RunHeld
    | RunReleased
    | RunInterrupted
    | RunAborted
    | RunFailed
    | RunReplanned
    | RunResumed
    | LimitsKnown
    | LimitsDiffer
    | SampleCompared
    | SampleNotCompared
    | ScanBegunAnew
    | CommandTaken
    | CommandRefused
    | CommandDone
    | RunStopped
    | PauseDisturbed
    | StagePlanned
    | StageBegun
    | StageEnded
    | ReportBegun
    | ReportFailed
    | WorkersAway
    | ListenerFailed
    | ListenerLost
    | FileQuarantined
)
