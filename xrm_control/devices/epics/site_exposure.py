"""A test frame, shutter closed, taken exactly as a run takes its frames; and one of a tenth of its time before it.

Behind a closed shutter a camera counts the same in both, but for its dark current: what grows with the time is light.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.clock import Clock, utc_now
from xrm_control.core.errors import InstrumentLocked, XrmError
from xrm_control.core.findings import Finding
from xrm_control.devices.epics.instrument import EpicsInstrument
from xrm_control.devices.epics.pv_map import PvMap

_WHAT = "test frame"
_SHORT = 0.1
# In noises of one pixel, as far as a run lets darks differ.
_DARK_TOLERANCE = 10.0


async def take(pv_map: PvMap, binning: int, exposure_s: float) -> Finding:
    """Connect, safe state, configure, expose, leave: nothing is moved. What goes wrong is the finding."""
    instrument = EpicsInstrument(pv_map, Clock(utc_now()))
    try:
        await instrument.connect()
        state = await instrument.make_safe()
        if not state.verified:
            return Finding(_WHAT, False, "; ".join(state.problems) or "the shutter is not closed, or an axis moves",
                           "nothing was exposed: bring the instrument to its safe state first")  # fmt: skip
        shorter = await instrument.camera.configure(binning, _SHORT * exposure_s)
        short = (await instrument.camera.expose()).image
        settings = await instrument.camera.configure(binning, exposure_s)
        frame = await instrument.camera.expose()
        # The dead-man is disarmed only after a verified safe state.
        await instrument.make_safe()
    except InstrumentLocked as error:
        return Finding(_WHAT, False, f"not taken: {error.what}", error.remedy or "wait until it is free")
    except XrmError as error:
        return Finding(_WHAT, False, error.message(), error.remedy or "look at the camera and at the plugin")
    finally:
        await instrument.disconnect()
    image = np.asarray(frame.image, dtype=float)
    low, middle, high = float(np.min(image)), float(np.median(image)), float(np.max(image))
    text = (
        f"binning {settings.binning}, {settings.exposure_s:g} s: {image.shape[0]} x {image.shape[1]}"
        f" {frame.image.dtype},"
        f" min {low:g}, median {middle:g}, max {high:g}, id {frame.unique_id}"
    )
    if image.shape != settings.shape:
        wanted = f"{settings.shape[0]} x {settings.shape[1]}"
        return Finding(_WHAT, False, f"{text}; the camera promised {wanted}", "look at the plugin and its source")
    if not np.isfinite(image).all():
        return Finding(_WHAT, False, f"{text}; not a number in the image", "look at the camera")
    if low == high:
        return Finding(_WHAT, False, f"{text}; every pixel has the same value", "look at the camera")
    (level, noise), (level_of_short, _) = _dark_level(image), _dark_level(np.asarray(short, dtype=float))
    if abs(level - level_of_short) > _DARK_TOLERANCE * noise:
        return Finding(
            _WHAT, False, f"{text}; {level_of_short:g} in {shorter.exposure_s:g} s: light behind the closed shutter?",
            "close the beam upstream and look at the shutter; without light it is the camera's dark current: cool it",
        )  # fmt: skip
    return Finding(_WHAT, True, text)


def _dark_level(image: NDArray[np.float64]) -> tuple[float, float]:
    """Median and noise of a dark in counts, the noise at least 1: hot pixels do not count."""
    level = float(np.median(image))
    return level, max(1.0, 1.4826 * float(np.median(np.abs(image - level))))
