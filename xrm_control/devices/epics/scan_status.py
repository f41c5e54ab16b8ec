"""The scan status that operators know from their screens, written as the run goes, and their AbortScan button."""

from __future__ import annotations

import math
from collections.abc import Callable

from xrm_control.core.clock import Clock
from xrm_control.core.states import ENDS
from xrm_control.devices.epics.registry import Registry
from xrm_control.devices.protocols import RunStatus

_EVERY_S = 0.25
_FIELDS = (
    "StartScan",
    "AbortScan",
    "ScanStatus",
    "ImagesCollected",
    "ImagesTotal",
    "ElapsedTime",
    "RemainingTime",
    "RunName",
)


class ScanStatusPVs:
    """Best effort: a screen that cannot be reached never holds a run up."""

    def __init__(self, prefix: str, registry: Registry, clock: Clock) -> None:
        self._pv = pvs(prefix)
        self._registry = registry
        self._clock = clock
        self._shown: dict[str, float | int | str] = {}
        self._shown_s = -math.inf

    def show(self, status: RunStatus) -> None:
        """Write what has changed; as often as eyes can follow, and at each change of state."""
        now_s = self._clock.now_s()
        if self._shown.get("ScanStatus") == status.state and now_s - self._shown_s < self._clock.wall_s(_EVERY_S):
            return
        self._shown_s = now_s
        self._post("RunName", status.run[:39])
        self._post("ScanStatus", status.state.value)
        self._post("StartScan", "Done" if status.state in ENDS else "Busy")
        self._post("ImagesCollected", status.images_collected)
        self._post("ImagesTotal", status.images_total)
        self._post("ElapsedTime", round(status.elapsed_s, 1))
        self._post("RemainingTime", round(status.remaining_s, 1))

    def watch(self, on_abort: Callable[[str], None], halt: Callable[[], None]) -> None:
        """Call `on_abort(who)` when AbortScan rises; the button is released again.

        `halt` is called before, from another thread, as with a signal: the event loop may be busy, or hang.
        """

        def pressed(value: object) -> None:
            if value:
                self._registry.post(self._pv["AbortScan"], 0)
                on_abort(f"AbortScan ({self._pv['AbortScan']})")

        self._registry.post(self._pv["AbortScan"], 0)
        self._registry.watch(self._pv["AbortScan"], pressed, at_once=lambda value: halt() if value else None)

    def forget(self) -> None:
        """Write everything anew: the IOC has been started again."""
        self._shown.clear()

    def _post(self, field: str, value: float | int | str) -> None:
        if self._shown.get(field) != value:
            self._shown[field] = value
            self._registry.post(self._pv[field], value)


def pvs(prefix: str) -> dict[str, str]:
    """Field -> PV of the scan status."""
    return {field: prefix + field for field in _FIELDS}
