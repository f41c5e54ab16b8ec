"""`xrm doctor`: is this installation fit to work?"""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.table import Table
from rich.text import Text

from xrm_control.core.clock import stopwatch
from xrm_control.core.errors import XrmError
from xrm_control.core.findings import Finding
from xrm_control.recipe.families import examine_families
from xrm_control.reconstruction.methods.fbp import FilteredBackProjection
from xrm_control.reconstruction.methods.fourier import FourierReconstruction
from xrm_control.storage.durable import write_durable

_PACKAGES = ("astra-toolbox", "finufft", "numpy", "pyepics", "tifffile", "transitions", "xraydb")
_METHODS: tuple[FourierReconstruction | FilteredBackProjection, ...] = (
    FourierReconstruction(),
    FilteredBackProjection(device="cpu"),
)
_LEAST_FREE_GB = 2.0
_SLOW_COMMIT_MS = 100.0


def examine() -> list[Finding]:
    """All examinations; none of them moves anything."""
    found = [_python(), *_packages(), *map(_reconstruction, _METHODS), _gpu(), _disk(), _commit(), *examine_families()]
    # Here a remedy says what would help if it were not in order; in order there is nothing to note.
    return [replace(finding, remedy="") if finding.ok else finding for finding in found]


def table(findings: Sequence[Finding]) -> Table:
    """Findings for the screen; what comes from outside is text, never markup."""
    found = Table("", "what", "found", "what to do")
    for finding in findings:
        mark = Text("note", "yellow") if finding.note else Text("ok", "green") if finding.ok else Text("bad", "red")
        remedy = finding.remedy if finding.note or not finding.ok else ""
        found.add_row(mark, Text(finding.what), Text(finding.found), Text(remedy))
    return found


def _python() -> Finding:
    return Finding("Python", sys.version_info >= (3, 11), platform.python_version(), "install Python 3.11 or newer")


def _packages() -> list[Finding]:
    found = []
    for name in _PACKAGES:
        try:
            found.append(Finding(name, True, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            found.append(Finding(name, False, "not installed", f"pip install {name}"))
    return found


def _reconstruction(method: FourierReconstruction | FilteredBackProjection) -> Finding:
    """A disc of known attenuation: scaling and orientation are right, or nothing else matters."""
    what, remedy = f"{method.kind}: a disc of known attenuation", "reinstall astra-toolbox and finufft"
    side, radius_um, mu_per_um, pixel_um = 64, 10.0, 0.05, 0.5
    s_um = (np.arange(side) - (side - 1) / 2) * pixel_um
    chord_um = 2 * np.sqrt(np.clip(radius_um**2 - s_um**2, 0, None))
    theta_deg = np.linspace(-90, 90, 91)
    sinogram = np.tile((mu_per_um * chord_um).astype(np.float32), (1, len(theta_deg), 1))
    try:
        volume = method.reconstruct(sinogram, theta_deg, (side - 1) / 2, pixel_um)
    except XrmError as error:
        return Finding(what, False, str(error), remedy)
    found = float(volume[0, side // 2 - 8 : side // 2 + 8, side // 2 - 8 : side // 2 + 8].mean())
    error_percent = 100 * (found / mu_per_um - 1)
    return Finding(what, abs(error_percent) < 2, f"{error_percent:+.2f} %", remedy)


def _gpu() -> Finding:
    """A GPU that is there must find what the CPU finds."""
    try:
        from xrm_control.reconstruction.astra_session import gpu_available, gpu_trouble
    except XrmError as error:
        return Finding("GPU", True, f"not used: {error.what}")
    if not gpu_available():
        return Finding("GPU", True, "none; reconstruction runs on the CPU")
    trouble = gpu_trouble()
    remedy = "choose device: cpu, or look at driver and memory with nvidia-smi"
    return Finding("GPU", trouble is None, trouble or "agrees with the CPU", remedy)


def _disk() -> Finding:
    free_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    return Finding("disk free here", free_gb > _LEAST_FREE_GB, f"{free_gb:.1f} GB", f"free {_LEAST_FREE_GB:g} GB")


def _commit() -> Finding:
    """How long one durable frame takes on this disk."""
    times_ms: list[float] = []
    try:
        with tempfile.TemporaryDirectory(dir=Path.cwd(), ignore_cleanup_errors=True) as folder:
            for number in range(10):
                passed_s = stopwatch()
                write_durable(Path(folder) / f"{number}.bin", bytes(32_768))
                times_ms.append(passed_s() * 1000)
    except OSError as error:
        return Finding("durable write of a frame here", False, str(error), "go to a folder that can be written")
    median_ms = float(np.median(times_ms))
    return Finding(
        "durable write of a frame here", median_ms < _SLOW_COMMIT_MS, f"{median_ms:.1f} ms", "use a local disk"
    )
