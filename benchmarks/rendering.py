"""How long the simulated microscope takes to render a frame of the full strip (target: 20 ms binned, 0.5 s full)."""

from __future__ import annotations

from benchmarks.timing import Row, median_s
from simulators.microscope import Microscope, MicroscopeConfig


def rows() -> list[Row]:
    """A frame at binning 8 at three angles, and one at full resolution edge-on."""
    found = []
    for binning, theta_deg in ((8, 0.0), (8, 45.0), (8, 90.0), (1, 0.0), (1, 90.0)):
        microscope = Microscope(MicroscopeConfig(seed=1))
        now_s = microscope.move("theta", theta_deg, 0.0).ends_s + 1e-3
        now_s = microscope.set_shutter(True, now_s) + 1e-3
        microscope.configure_camera(binning, 1.0, now_s)
        exposure = microscope.expose(now_s)
        seconds = median_s(lambda m=microscope, e=exposure: m.read(e.number, e.ready_s + 1e-3), 7)
        limit_s = 0.02 if binning == 8 else 0.5
        found.append(
            Row(f"frame, binning {binning}, {theta_deg:g} deg", "simulator", seconds, limit_s / seconds, "its target")
        )
    return found
