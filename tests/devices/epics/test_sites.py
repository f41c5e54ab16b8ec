"""Sites as they are: whole instruments whose maps say something else than motor records and one shutter with one PV.

Each does what a run does, and the pixels are those that the plain map gets.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import epics
import numpy as np
import pytest

from tests.devices.benches import EpicsBench, Hands, epics_map
from tests.devices.epics.test_site import RECIPE, bad
from tests.ioc_process import IocProcess, running_ioc
from xrm_control.core.clock import Clock
from xrm_control.core.errors import DeviceError, LimitReached
from xrm_control.devices.backend import Needs
from xrm_control.devices.epics import EpicsBackend
from xrm_control.devices.protocols import Instrument

FRONT_END = {
    "open": {"pv": "$(P)FrontEnd:Open", "value": 1},
    "close": {"pv": "$(P)FrontEnd:Close", "value": 1},
    "is_open": {"pv": "$(P)FrontEnd:Status_RBV", "good": [1]},
    "travel_s": 3,
}
PULSES = {
    "open": {"pv": "$(P)Shutter:Pulse:Open", "value": 1},
    "close": {"pv": "$(P)Shutter:Pulse:Close", "value": 1},
    "is_open": {"pv": "$(P)Shutter:State_RBV", "good": ["Open"]},
    "is_closed": {"pv": "$(P)Shutter:State_RBV", "good": [1]},
    "travel_s": 0.05,
}
FAST = {
    "open": {"pv": "$(P)Shutter:Fast", "value": 1},
    "close": {"pv": "$(P)Shutter:Fast", "value": 0},
    "is_open": [
        {"pv": "$(P)Shutter:Fast_RBV", "good": [1]},
        {"pv": "$(P)Shutter:IsOpen_RBV", "good": ["Yes"]},
    ],
    "is_closed": {"pv": "$(P)Shutter:IsClosed_RBV", "good": ["Yes"]},
}


def piezo(axis: str) -> dict[str, Any]:
    return {
        "kind": "plain", "setpoint": f"$(P)Piezo:{axis}", "readback": f"$(P)Piezo:{axis}_RBV", "motor_units": "",
        "limits": [-400, 400], "speed": 1500, "acceleration": 40000, "settle_s": 0.05, "tolerance": 0.1,
    }  # fmt: skip


SITES: dict[str, dict[str, Any]] = {
    "as it ships": {},
    "piezos": {"axes__x": piezo("X"), "axes__z": piezo("Z")},
    "an encoder": {"axes__theta__readback": {"pv": "$(P)Sample:Theta:Encoder_RBV", "agrees_within": 0.02}},
    "pulses and a status of many states": {"shutter": PULSES},
    "several statuses": {"shutter": FAST},
    "front end first": {"shutter": {**PULSES, "upstream": [FRONT_END], "closing": "reverse"},
                        "source__available": [{"pv": "$(P)Source:Available_RBV", "good": [1]}]},
    "numbers and ranges": {
        "source__permits": [{"pv": "$(P)Safety:Permit_RBV", "good": [1]}],
        "source__available": [{"pv": "$(P)Source:Flux_RBV", "above": 0.1}, {"pv": "$(P)FrontEnd:Status_RBV",
                              "good": [1]}],
    },
    "nothing but a shutter": {"source__available": [], "source__permits": [], "source__flux": None},
    "TIFF": {"camera__frames": {"kind": "tiff", "prefix": "$(P)Det:TIFF1:", "folder": "FOLDER"}},
    "HDF5": {"camera__frames": {"kind": "hdf5", "prefix": "$(P)Det:HDF1:", "folder": "FOLDER"}},
}  # fmt: skip


@pytest.fixture(scope="module")
def ioc() -> Iterator[IocProcess]:
    with running_ioc(speed=20, noise="off") as process:
        yield process


def in_words(changes: dict[str, Any], folder: Path) -> dict[str, str]:
    return {name: json.dumps(value).replace("FOLDER", str(folder)) for name, value in changes.items()}


def same_picture(found: np.ndarray, expected: np.ndarray) -> None:
    """But for the source and the optics, which drift by some per cent in an hour."""
    assert found.dtype == expected.dtype == np.uint16
    np.testing.assert_allclose(found.astype(float), expected.astype(float), rtol=0.05)


async def work(instrument: Instrument, clock: Clock, _: Hands) -> np.ndarray:
    """What a run does: moves, a dark, a frame in light; returns the latter."""
    for axis, target in (("x", 100.0), ("z", 40.0), ("theta", 30.0), ("x", 5.0), ("z", 0.0), ("theta", 0.0)):
        reached = await instrument.axes[axis].move(target)
        assert abs(reached - target) <= instrument.describe().axes[axis].tolerance
        assert not (await instrument.axes[axis].read()).moving
    with pytest.raises(LimitReached):
        await instrument.axes["z"].move(1e4)
    settings = await instrument.camera.configure(8, 0.5)
    dark = await instrument.camera.expose()
    await instrument.shutter.set(True)
    assert await instrument.shutter.is_open()
    assert (await instrument.source.read()).available
    light = await instrument.camera.expose()
    assert light.image.shape == settings.shape
    assert light.unique_id == dark.unique_id + 1
    assert light.image.mean(dtype=float) > 10 * dark.image.mean(dtype=float)
    assert not dark.disturbances
    assert not light.disturbances
    state = await instrument.make_safe()
    assert state.verified, state
    return np.asarray(light.image)


@pytest.fixture(scope="module")
def pixels(ioc: IocProcess) -> np.ndarray:
    return EpicsBench(ioc).run(work)


@pytest.mark.parametrize("site", SITES)
def test_a_site_works_as_its_map_says_and_its_doctor_is_content(
    ioc: IocProcess, pixels: np.ndarray, tmp_path: Path, site: str
) -> None:
    changes = in_words(SITES[site], tmp_path)
    epics.caput(f"{ioc.prefix}FrontEnd:Open", 1, wait=True)
    same_picture(EpicsBench(ioc).run(work, **changes), pixels)
    assert epics.caget(f"{ioc.prefix}Shutter:Fast_RBV", as_string=True, use_monitor=False) == "Closed"
    closed = epics.caget(f"{ioc.prefix}FrontEnd:Status_RBV", as_string=True, use_monitor=False) == "Closed"
    assert closed is ("upstream" in str(changes))
    found = EpicsBackend(map=epics_map(ioc.prefix, **changes)).examine(RECIPE, expose=True)
    assert not bad(found), bad(found)
    frame = next(finding for finding in found if finding.what == "test frame")
    assert "256 x 256 uint16" in frame.found


def test_a_region_is_the_full_frame(ioc: IocProcess, pixels: np.ndarray) -> None:
    region = {"min_x": 256, "min_y": 512, "size_x": 512, "size_y": 256}
    changes = {"camera__region": region, "camera__width_px": 512, "camera__height_px": 256}
    epics.caput(f"{ioc.prefix}FrontEnd:Open", 1, wait=True)
    image = EpicsBench(ioc).run(work, **in_words(changes, Path()))
    assert image.shape == (32, 64)
    same_picture(image, pixels[64:96, 32:96])


def test_a_file_plugin_can_be_used_before_it_has_written_anything(tmp_path: Path) -> None:
    with running_ioc(speed=20) as fresh:
        name = epics.PV(f"{fresh.prefix}Det:HDF1:FullFileName_RBV", form="time")
        assert name.wait_for_connection(20)
        name.get()
        assert name.severity == 3
        EpicsBench(fresh).run(work, **in_words(SITES["HDF5"], tmp_path))
        assert len(list(tmp_path.glob("*.h5"))) == 2


def test_a_camera_of_another_make(tmp_path: Path) -> None:
    """Its trigger modes have other names, and it does not bin."""
    bins = [f"Det:cam1:Bin{axis}{end}" for axis in "XY" for end in ("", "_RBV")]
    changes = {"camera__readout_s": {"1": 1.0}, "camera__has_binning": False, "camera__trigger_mode": "Off"}
    full = Needs({}, {}, ((1, 0.2),))

    async def session(instrument: Instrument, clock: Clock, _: Hands) -> tuple[int, ...]:
        with pytest.raises(DeviceError, match="does not have this binning"):
            await instrument.camera.configure(2, 0.2)
        assert (await instrument.camera.configure(1, 0.2)).binning == 1
        return (await instrument.camera.expose()).image.shape

    with running_ioc(speed=20, trigger_modes="Off|On|Free Run", without=bins) as ioc:
        assert EpicsBench(ioc).run(session, **in_words(changes, tmp_path)) == (1024, 1024)
        assert not bad(
            EpicsBackend(map=epics_map(ioc.prefix, **in_words(changes, tmp_path))).examine(full, expose=True)
        )
        del changes["camera__trigger_mode"]
        mapped = epics_map(ioc.prefix, **in_words(changes, tmp_path))
        wrong = {finding.what: finding for finding in bad(EpicsBackend(map=mapped).examine(full, expose=True))}
        assert "Off, On, Free Run" in wrong["camera: trigger mode"].remedy
        assert "does not have the map's trigger mode" in wrong["test frame"].found
        wrong = {finding.what: finding for finding in bad(EpicsBackend(map=epics_map(ioc.prefix)).examine(full))}
        assert "has_binning" in wrong["camera"].remedy


@pytest.mark.parametrize("elements", ["uint16", "int32", "float32", "float64", "int8"])
def test_the_waveforms_elements_carry_the_frame_or_are_refused(pixels: np.ndarray, elements: str) -> None:
    with running_ioc(speed=20, noise="off", array_type=elements) as ioc:
        found = {finding.what: finding for finding in EpicsBackend(map=epics_map(ioc.prefix)).examine(RECIPE)}
        assert found["element type"].ok is (elements != "int8")
        if elements == "int8":
            with pytest.raises(DeviceError, match="UCHAR elements, camera DataType UInt16"):
                EpicsBench(ioc).run(work)
            return
        same_picture(EpicsBench(ioc).run(work), pixels)
