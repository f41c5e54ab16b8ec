"""A package of somebody else's, as it lies in site-packages: a module and the dist-info that offers its members."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

MEMBERS = """
from typing import ClassVar, Literal

import numpy as np

from xrm_control.acquisition.order import ProjectionOrder
from xrm_control.acquisition.references import ReferenceScheme
from xrm_control.analysis.crop import ParticleCrop
from xrm_control.analysis.metric import Metric
from xrm_control.compute.inline import Inline
from xrm_control.contracts.column import Column
from xrm_control.contracts.tables import Particle
from xrm_control.analysis.threshold import Modes, Threshold
from xrm_control.core.triangles import Triangles
from xrm_control.devices.simulated import SimulatedBackend
from xrm_control.exports.exporter import Exporter, ReadBack
from xrm_control.exports.mesh_exporter import MeshExporter
from xrm_control.reconstruction.reconstructor import Reconstructor
from xrm_control.roi.strategies.grid import Grid


class Elongation(Metric):
    kind: Literal["elongation"] = "elongation"
    columns: ClassVar[tuple[Column, ...]] = (
        Column(
            name="elongation", label="elongation", meaning="longest over shortest radius", source="theirs",
            statistics="whole",
        ),
    )  # fmt: skip

    def measure(self, particle: ParticleCrop) -> dict[str, float]:
        return {"elongation": 1.25}


class Zeros(Reconstructor):
    kind: Literal["zeros"] = "zeros"

    def reconstruct(self, sinograms, theta_deg, axis_px, pixel_size_um):
        columns = sinograms.shape[2]
        return np.zeros((len(sinograms), columns, columns), np.float32)


class Quarter(Threshold):
    kind: Literal["quarter"] = "quarter"

    def level(self, values, modes: Modes) -> float:
        return modes.background_per_um + 0.25 * modes.contrast_per_um


class Elsewhere(SimulatedBackend):
    backend: Literal["elsewhere"] = "elsewhere"


class Angles(Exporter):
    kind: Literal["angles"] = "angles"
    suffix: ClassVar[str] = ".txt"

    def write(self, scan, path):
        np.savetxt(path, scan.projections.theta_deg, fmt="%.17g")

    def read(self, path):
        return ReadBack(theta_deg=np.loadtxt(path))


class Corners(MeshExporter):
    kind: Literal["corners"] = "corners"
    suffix: ClassVar[str] = ".csv"

    def encode(self, mesh):
        return "".join(
            f"{part.name},{','.join(repr(float(one)) for one in triangle.ravel())}\\n"
            for part in mesh.parts
            for triangle in part.surface.corners_um
        ).encode()

    def decode(self, data):
        rows = [line.split(",") for line in data.decode().splitlines()]
        points = np.array([row[1:] for row in rows], np.float32).reshape(-1, 3)
        return [Triangles(points, np.arange(len(points), dtype=np.int32).reshape(-1, 3))]


class Corner(Grid):
    kind: Literal["corner"] = "corner"


class Backwards(ProjectionOrder):
    kind: Literal["backwards"] = "backwards"

    def order(self, projections):
        return tuple(reversed(range(projections)))


class Thirds(ReferenceScheme):
    kind: Literal["thirds"] = "thirds"

    def after(self, projections):
        return (0, projections // 3, projections)


class Here(Inline):
    kind: Literal["here"] = "here"


class Unfinished(Metric):
    kind: Literal["unfinished"] = "unfinished"


class Unknown(Elongation):
    kind: Literal["unknown"] = "unknown"
    place: "NobodyKnows | None" = None


class Choosy(Elongation):
    kind: Literal["choosy"] = "choosy"
    columns: ClassVar[tuple[Column, ...]] = (Column(name="choosy", label="c", meaning="c", source="theirs"),)
    depth_um: float


class Ball(Elongation):
    kind: Literal["ball"] = "ball"
    columns: ClassVar[tuple[Column, ...]] = (Particle.sphericity,)


class NoMetric:
    pass
"""


def install(site: Path, name: str, module: str, points: Mapping[str, Mapping[str, str]]) -> None:
    """Put a package of one module into `site`; points: group -> name -> object."""
    site.mkdir(parents=True, exist_ok=True)
    (site / f"{name}.py").write_text(module, encoding="utf-8")
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    text = "".join(
        f"[xrm_control.{group}]\n" + "".join(f"{point} = {value}\n" for point, value in members.items())
        for group, members in points.items()
    )
    (info / "entry_points.txt").write_text(text, encoding="utf-8")
