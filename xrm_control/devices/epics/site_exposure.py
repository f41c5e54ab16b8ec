"""One test frame, shutter closed, taken exactly as a run takes its frames."""

from __future__ import annotations

import numpy as np

from xrm_control.core.clock import Clock, utc_now
from xrm_control.core.errors import InstrumentLocked, XrmError
from xrm_control.core.findings import Finding
from xrm_control.devices.epics.instrument import EpicsInstrument
from xrm_control.devices.epics.pv_map import PvMap

_WHAT = "test frame"


async def take(pv_map: PvMap, binning: int, exposure_s: float) -> Finding:
    """Connect, safe state, configure, expose, leave: nothing is moved. What goes wrong is the finding."""
    instrument = EpicsInstrument(pv_map, Clock(utc_now()))
    try:
        await instrument.connect()
        state = await instrument.make_safe()
        if not state.verified:
            return Finding(_WHAT, False, "; ".join(state.problems) or "the shutter is not closed, or an axis moves",
                           "nothing was exposed: bring the instrument to its safe state first")  # fmt: skip
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
    return Finding(_WHAT, True, text)
