"""From one YAML recipe to a report on single powder particles.

    import xrm_control as xrm

    run = xrm.run("recipe.yaml", out="runs", overrides={"roi.count": 1})
    run.particles, run.voids, run.results, run.report

Names are imported when they are asked for. It works in a script, in a notebook and in a thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xrm_control.core.lazy import lazy

if TYPE_CHECKING:
    from xrm_control.api.arrays import AnalysedVolume, analyze, reconstruct
    from xrm_control.api.queue import Queue
    from xrm_control.api.recipes import check, load, open_run, plan, reanalyze, resume, run
    from xrm_control.api.results import Reanalysis, Run
    from xrm_control.core.errors import XrmError
    from xrm_control.core.version import __version__
    from xrm_control.reconstruction.pipeline import Reconstruction
    from xrm_control.storage.formats.scan_file import ScanOptions

__all__ = [
    "AnalysedVolume",
    "Queue",
    "Reanalysis",
    "Reconstruction",
    "Run",
    "ScanOptions",
    "XrmError",
    "__version__",
    "analyze",
    "check",
    "load",
    "open_run",
    "plan",
    "reanalyze",
    "reconstruct",
    "resume",
    "run",
]

_HOMES = {
    **dict.fromkeys(("AnalysedVolume", "analyze", "reconstruct"), "xrm_control.api.arrays"),
    **dict.fromkeys(("check", "load", "open_run", "plan", "reanalyze", "resume", "run"), "xrm_control.api.recipes"),
    "Queue": "xrm_control.api.queue",
    **dict.fromkeys(("Reanalysis", "Run"), "xrm_control.api.results"),
    "Reconstruction": "xrm_control.reconstruction.pipeline",
    "ScanOptions": "xrm_control.storage.formats.scan_file",
    "XrmError": "xrm_control.core.errors",
    "__version__": "xrm_control.core.version",
}

__getattr__ = lazy(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
