"""What an examination says of the camera and of the plugin that its frames come from."""

from __future__ import annotations

import os
from pathlib import Path

from xrm_control.core.errors import XrmError
from xrm_control.core.findings import Finding
from xrm_control.devices.backend import Needs
from xrm_control.devices.epics import frames_array, libca, pixels
from xrm_control.devices.epics.camera_map import ArrayFrames
from xrm_control.devices.epics.pv_map import PvMap
from xrm_control.devices.epics.site_snapshot import Snapshot

_BUSY = ("Acquiring", "Acquire", "Collecting", 1)
_FAILED = ("Error", "Disconnected", "Aborting")
_SINGLE = "Single"


def extras(pv_map: PvMap) -> list[str]:
    """Full names of what only an examination looks at."""
    about = pv_map.camera
    cam, plugin = pv_map.full(about.prefix), pv_map.full(about.frames.prefix)
    names = [cam + field for field in ("PortName_RBV", "ColorMode_RBV", "Acquire_RBV", "NumImages_RBV", "DataType_RBV")]
    fields = ("NDArrayPort_RBV", "NDArrayPort", "EnableCallbacks_RBV", "MinCallbackTime_RBV", "DataType_RBV")
    names += [plugin + field for field in fields]
    if not isinstance(about.frames, ArrayFrames):
        names += [plugin + field for field in ("Capture_RBV", "FilePath_RBV")]
    return names


def findings(pv_map: PvMap, site: Snapshot, needs: Needs) -> list[Finding]:
    """All of them."""
    one = _Camera(pv_map, site, needs)
    return [one.detector(), one.idle(), one.trigger(), one.settings(), one.plugin(), one.elements(), one.frames()]


class _Camera:
    def __init__(self, pv_map: PvMap, site: Snapshot, needs: Needs) -> None:
        self._map, self._site, self._needs = pv_map.camera, site, needs
        self._cam, self._plugin = pv_map.full(self._map.prefix), pv_map.full(self._map.frames.prefix)

    def detector(self) -> Finding:
        """The sensor's size, the region, and the binnings of the recipe."""
        about, what = self._map, "camera: detector"
        width, height = (self._site.number(self._cam + field) for field in ("MaxSizeX_RBV", "MaxSizeY_RBV"))
        if width is None or height is None:
            return Finding(what, False, "MaxSizeX_RBV and MaxSizeY_RBV cannot be read", "look at the camera's driver")
        text, region = f"{width:g} x {height:g} px", about.region
        if region is None and (width, height) != (about.width_px, about.height_px):
            text += f", the map says {about.width_px} x {about.height_px}"
            return Finding(
                what, False, text, "correct camera.width_px and height_px, or give camera.region, in the map"
            )
        if region is not None and (region.min_x + region.size_x > width or region.min_y + region.size_y > height):
            return Finding(what, False, f"{text}: the region reaches beyond it", "correct camera.region in the PV map")
        absent = sorted({str(binning) for binning, _ in self._needs.exposures if binning not in about.readout_s})
        if absent:
            text += f"; the recipe wants binning {', '.join(absent)}"
            return Finding(what, False, text, f"choose from {', '.join(map(str, about.readout_s))} in the recipe")
        state = self._site.value(self._cam + "DetectorState_RBV")
        if state in _FAILED:
            said = self._site.value(self._cam + "StatusMessage_RBV")
            return Finding(what, False, f"the detector's state is {state}: {said}", "look at the camera and its driver")
        colour = self._site.value(self._cam + "ColorMode_RBV")
        if colour not in (None, 0, "Mono"):
            return Finding(what, False, f"its frames have colours: ColorMode {colour}", "set ColorMode to Mono")
        return Finding(what, True, text)

    def idle(self) -> Finding:
        """Nobody else shall be exposing."""
        what = "camera: idle"
        if self._site.value(self._cam + "Acquire_RBV") not in _BUSY:
            return Finding(what, True, "not acquiring")
        mode = self._site.value(self._cam + "ImageMode_RBV")
        live = " (live view)" if mode == "Continuous" else ""
        return Finding(what, False, f"it is acquiring, image mode {mode}{live}", "stop it: set Acquire to 0")

    def trigger(self) -> Finding:
        """The map's trigger mode, and the image mode of a run, must be among the camera's choices."""
        what, mode = "camera: trigger mode", self._map.trigger_mode
        choices = self._site.choices(self._cam + "TriggerMode")
        listed = ", ".join(choices)
        if mode not in choices:
            remedy = f"set camera.trigger_mode in the PV map to the one in which Acquire = 1 takes a frame: {listed}"
            return Finding(what, False, f"the camera has no {mode!r}, but {listed or 'no choices at all'}", remedy)
        images = self._site.choices(self._cam + "ImageMode")
        if _SINGLE not in images:
            text = f"ImageMode has no {_SINGLE!r}, but {', '.join(images) or 'no choices at all'}"
            return Finding(what, False, text, "one frame is one acquisition in ImageMode Single: look at the driver")
        now = self._site.value(self._cam + "TriggerMode_RBV")
        return Finding(what, True, f"{mode} (now {now}) of {listed}")

    def settings(self) -> Finding:
        """What a run sets itself, and what it shows when somebody else uses the camera."""
        values = {f: self._site.value(self._cam + f) for f in ("ImageMode_RBV", "NumImages_RBV", "ArrayCallbacks")}
        usual = {"ImageMode_RBV": ("Single", None), "NumImages_RBV": (1, None), "ArrayCallbacks": ("Enable", 1, None)}
        text = ", ".join(f"{field.removesuffix('_RBV')} {value}" for field, value in values.items())
        odd = [field.removesuffix("_RBV") for field, value in values.items() if value not in usual[field]]
        remedy = f"a run sets {', '.join(odd)} itself; see that nobody else uses the camera then" if odd else ""
        return Finding("camera: settings", True, text, remedy)

    def plugin(self) -> Finding:
        """Its source, and whether it is enabled."""
        what = f"frames by {self._map.frames.kind}: plugin"
        port = self._site.value(self._plugin + "NDArrayPort_RBV") or self._site.value(self._plugin + "NDArrayPort")
        wanted = self._map.frames.port or self._site.value(self._cam + "PortName_RBV")
        if port is not None and wanted is not None and port != wanted:
            text = f"it takes its arrays from the port {port!r}, not from {wanted!r}"
            remedy = f"set {self._plugin}NDArrayPort to {wanted}, or camera.frames.port in the PV map if it is meant so"
            return Finding(what, False, text, remedy)
        wait_s = self._site.number(self._plugin + "MinCallbackTime_RBV") or 0.0
        if wait_s > 0:
            text = f"MinCallbackTime is {wait_s:g} s: frames that come sooner are dropped"
            return Finding(what, False, text, f"set {self._plugin}MinCallbackTime to 0")
        if self._site.value(self._plugin + "Capture_RBV") in ("Capturing", "Capture", 1):
            text = "it is capturing a series for somebody else"
            return Finding(what, False, text, f"set {self._plugin}Capture to 0 when that is no longer wanted")
        if self._site.value(self._plugin + "EnableCallbacks_RBV") in ("Disable", 0):
            return Finding(what, True, "disabled", "a run enables it (EnableCallbacks); nothing to do")
        return Finding(what, True, f"enabled, takes its arrays from {port}")

    def elements(self) -> Finding:
        """The camera's data type against what carries its frames."""
        what, pv = "element type", self._cam + "DataType_RBV"
        kind = self._site.value(pv)
        if kind is None:
            return Finding(what, False, f"{pv} cannot be read", "look at the camera's driver")
        array = self._plugin + "ArrayData"
        try:
            if isinstance(self._map.frames, ArrayFrames):
                if not self._site.has(array):
                    return Finding(what, False, f"{array} is not there", "see frames by array")
                element = self._site.registry(array).element_type(array)
                kept = pixels.check_waveform(kind, element, array)
                return Finding(what, True, f"camera {kind}, array {element.name}: kept as {kept.name}")
            return Finding(what, True, f"camera {kind}: kept as {pixels.kept_as(kind, pv).name}")
        except XrmError as error:
            return Finding(what, False, f"{error.what}: {error.value} (needs {error.limit})", error.remedy or "")

    def frames(self) -> Finding:
        """Room for a frame in the array, or the folder of the files."""
        return self._array() if isinstance(self._map.frames, ArrayFrames) else self._folder()

    def _array(self) -> Finding:
        pv, what = frames_array.pvs(self._plugin)["ArrayData"], "array size"
        if not self._site.has(pv):
            return Finding(what, False, f"{pv} is not there", "see frames by array")
        room, element = self._site.registry(pv).elements(pv), self._site.registry(pv).element_bytes(pv)
        binning = min(self._map.readout_s)
        needed = (self._map.width_px // binning) * (self._map.height_px // binning)
        text = f"room for {room} pixels, a frame at binning {binning} has {needed}"
        remedy = "give the IOC's waveform more elements (NELM), or take frames by file (camera.frames.kind: hdf5)"
        largest = libca.array_limit_bytes()
        if room >= needed and largest is not None and largest < element * needed:
            remedy = "set EPICS_CA_AUTO_ARRAY_BYTES=YES, or channel_access.max_array_bytes in the map"
            return Finding(what, False, f"{text}; EPICS_CA_MAX_ARRAY_BYTES is {largest}", remedy)
        return Finding(what, room >= needed, text, "" if room >= needed else remedy)

    def _folder(self) -> Finding:
        frames, what = self._map.frames, "folder of the frames"
        if isinstance(frames, ArrayFrames):
            raise TypeError("frames by array have no folder")
        here = Path(frames.here)
        if not here.is_dir():
            remedy = "make it, mount the IOC's disk here, or correct camera.frames.folder and local_folder in the map"
            return Finding(what, False, f"{here} is not here", remedy)
        if not os.access(here, os.R_OK | os.X_OK):
            return Finding(what, False, f"{here} may not be read by us", "change its permissions")
        if str(self._site.value(self._plugin + "FilePath_RBV")).rstrip("/") != frames.folder.rstrip("/"):
            text = f"{here} is here; whether the IOC sees {frames.folder} is not known"
            return Finding(what, True, text, "xrm doctor --expose writes one frame there, and looks for it")
        if self._site.value(self._plugin + "FilePathExists_RBV") not in ("Yes", 1):
            return Finding(what, False, f"the IOC does not see {frames.folder}", "make it on the IOC's machine")
        return Finding(what, True, f"{frames.folder}, seen by the IOC and here")
