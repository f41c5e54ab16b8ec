"""One root for all errors, each mixed with the builtin it is, each carrying its facts as fields.

An error says what happened, where, which value met which limit, and what to do next; the command line prints
exactly that and exits with the error's code.
"""

from __future__ import annotations

from typing import ClassVar

from xrm_control.core.exit_code import ExitCode


class XrmError(Exception):
    """Root of the project's errors.

    what: one sentence; where: file, field, device or frame; value and limit: the numbers that met; remedy: next step.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.FAILURE

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        value: object = None,
        limit: object = None,
        remedy: str | None = None,
    ) -> None:
        self.what = what
        self.where = where
        self.value = value
        self.limit = limit
        self.remedy = remedy
        super().__init__(self.message())

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the fields when an error crosses a process border."""
        return (_rebuild, (type(self), self.what, self.where, self.value, self.limit, self.remedy))

    def with_remedy(self, remedy: str) -> XrmError:
        """The same error, with what to do next; as it is where that is said already."""
        return self if self.remedy else _rebuild(type(self), self.what, self.where, self.value, self.limit, remedy)

    def and_then(self, step: str) -> XrmError:
        """The same error, with a further step after what to do next."""
        remedy = f"{self.remedy}; then {step}" if self.remedy else step
        return _rebuild(type(self), self.what, self.where, self.value, self.limit, remedy)

    def message(self) -> str:
        """The error in one line, its facts in a fixed order."""
        text = f"{self.where}: {self.what}" if self.where else self.what
        facts: list[str] = []
        if self.value is not None:
            facts.append(f"value {self.value}")
        if self.limit is not None:
            facts.append(f"limit {self.limit}")
        if facts:
            text += f" ({', '.join(facts)})"
        if self.remedy:
            text += f" -> {self.remedy}"
        return text

    def facts(self) -> dict[str, str | None]:
        """The error as JSON-able fields, for the journal and `--json`."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "where": self.where,
            "value": None if self.value is None else str(self.value),
            "limit": None if self.limit is None else str(self.limit),
            "remedy": self.remedy,
        }


def _rebuild(
    kind: type[XrmError], what: str, where: str | None, value: object, limit: object, remedy: str | None
) -> XrmError:
    return kind(what, where=where, value=value, limit=limit, remedy=remedy)


class RecipeError(XrmError, ValueError):
    """The recipe, or an argument of a command, cannot be accepted."""

    exit_code = ExitCode.USAGE


class DataError(XrmError, ValueError):
    """A file or an array does not hold what its reader needs."""

    exit_code = ExitCode.USAGE


class Altered(XrmError, ValueError):
    """A file of a run is not what was recorded, or is not there any more: nothing is made of it."""

    exit_code = ExitCode.ALTERED


class UnusableData(XrmError, ValueError):
    """What the instrument delivered during a run cannot be used; nobody has used the command wrongly."""


class AnalysisError(XrmError, ValueError):
    """A sound volume from which nothing can be measured."""


class NothingToScan(AnalysisError):
    """A sound mosaic that shows no particle worth a scan."""


class InstrumentUnreachable(XrmError, ConnectionError):
    """A device does not answer."""

    exit_code = ExitCode.UNREACHABLE


class WorkersLost(XrmError, ConnectionError):
    """The workers that compute, or the way to them, are gone."""

    exit_code = ExitCode.UNREACHABLE


class SafetyRefusal(XrmError, ValueError):
    """A command was refused because it would leave the safe envelope."""

    exit_code = ExitCode.SAFETY


class ResourceLocked(XrmError, PermissionError):
    """Another process works on it: a run folder, a volume, an instrument."""

    exit_code = ExitCode.LOCKED


class LockUnknown(ResourceLocked):
    """Whether another process works on it cannot be told from here: it is left alone."""


class InstrumentLocked(ResourceLocked):
    """Another process controls the instrument."""


class DeviceError(XrmError, RuntimeError):
    """A device did not do what it was told."""


class MotionStalled(DeviceError):
    """An axis stopped short of its target."""


class LimitReached(DeviceError):
    """A hard limit switch ended a motion, or the controller refused the target."""


class MotionInterrupted(DeviceError):
    """Somebody or something else stopped or moved an axis."""


class ShutterStuck(DeviceError):
    """The shutter's read-back differs from its command."""


class BlockerStuck(DeviceError):
    """The read-back of the opaque blade differs from its command."""


class BeamLost(DeviceError):
    """The source does not deliver beam."""


class InterlockOpen(DeviceError):
    """The interlock has taken the permit for beam away; nobody but a person gives it back."""


class FrameLost(DeviceError):
    """The camera did not deliver the frame that was exposed."""


class FrameUnusable(DeviceError):
    """A frame arrived that cannot be a picture (constant, repeated, wrong shape, not a number)."""


class AxisSlipped(FrameUnusable):
    """An axis was not, after an exposure, where it had been verified before it, and nobody moves it."""


class ConditionBroken(DeviceError):
    """A value that the recipe watches is outside its limits, or cannot be believed."""


class Saturated(DeviceError):
    """The camera's pixels are full: no frame with these settings can be good."""


class SampleMoved(XrmError):
    """What stands in the instrument is not, or not where, what a run that is gone on with had seen."""


class CameraMoved(XrmError):
    """The camera does not stand against the stage as it was calibrated."""


class StorageError(XrmError, OSError):
    """Something could not be made durable; the run must stop."""


class DiskFull(StorageError):
    """There is no room left for what has to be written, on the disk or within a quota."""


class OutOfResources(XrmError, OSError):
    """The system gives no more of something: files that are open, processes, memory."""


class NotSafe(DeviceError):
    """Whatever else happened: axes at rest and shutter closed could not be verified at the end."""

    exit_code = ExitCode.NOT_SAFE


class CommandRefusal(XrmError, ValueError):
    """A run does not take a command."""

    exit_code = ExitCode.USAGE


class CommandUnanswered(XrmError, TimeoutError):
    """A run has not answered to a command."""

    exit_code = ExitCode.UNREACHABLE


class Interrupted(XrmError):
    """The operator ended the run (Ctrl-C or SIGTERM)."""

    exit_code = ExitCode.INTERRUPTED
